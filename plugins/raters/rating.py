"""The ratings of one set: sessions in the seed's order, each rated by each rater, each answer checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    FORGOTTEN,
    TOO_LONG,
    AnswerForm,
    AnswerMode,
    Brief,
    Draw,
    HasAnswerMode,
    HasLanguages,
    ItemScore,
    Rating,
    RecordList,
    Replies,
    Rubric,
    Session,
    ShownTurn,
    SpeaksFor,
    StageError,
    TurnsSearched,
    Window,
    Wording,
    answer_form,
    ask,
    asking_place,
    item_scores,
    joined_scores,
    packed_line,
    rating_brief,
    rubric_digest,
    shown_turns,
    transcript_length,
    unblinding_flags,
    unscored,
    why_unreadable,
    window_flags,
    windows,
    wordings_of,
)
from cbtrun.plugin import rating_request as rendered

if TYPE_CHECKING:
    from cbtrun.plugin import StageContext

CALL_FAILED = "no answer from the model"
NO_TURNS = "the session has no turns"
DECIDING = (
    *(f"cbtrun.ratings.{name}" for name in ("request", "answer", "windows", "evidence", "wordings")),
    "cbtrun.calls.structured",
    "cbtrun.ratings.languages",
    "cbtrun.ratings.unblinding",
)
"""Modules of the engine that decide a request or a score."""


@dataclass(frozen=True)
class Unit:
    """One rating to be made."""

    session: Session
    rater: str
    repeat: int
    wording: int = 0
    """Number of the wording that is asked with, from 0."""

    def __str__(self) -> str:
        return f"{self.session.id}, rater {self.rater}, repeat {self.repeat}"


@dataclass(frozen=True, slots=True)
class Place:
    """Which rating is to be made; thousands of them wait, so it holds no session."""

    number: int
    """Of the session, from 0."""
    rater: str
    repeat: int
    wording: int = 0

    def unit(self, sessions: Sequence[Session]) -> Unit:
        """The rating, with its session."""
        return Unit(sessions[self.number], self.rater, self.repeat, self.wording)


@dataclass(frozen=True)
class Question:
    """What one call asks about a window: all items at once, or one of them."""

    brief: Brief
    form: AnswerForm


@dataclass(frozen=True)
class RatingWork:
    """What every rating of the set shares."""

    set: str
    rubric: Rubric
    digest: str
    questions: tuple[Question, ...]
    options: Mapping[str, Any]
    wordings: tuple[Wording, ...] = (Wording("", ""),)
    """One without a name in a set that declares none."""


def rate_all(context: StageContext) -> Sequence[Rating]:
    """One rating for each session, rater, wording and repeat, in that order."""
    work = rating_work(context.name, context.rubric(context.options["rubric"]), context.options)
    sessions = context.sessions()
    refuse_long(sessions, work)
    return context.run(_rate_all(context, work, sessions))


def rating_work(name: str, rubric: Rubric, options: Mapping[str, Any]) -> RatingWork:
    """The rubric with the answers that it wants, made once for all ratings."""
    groups = [rubric.items] if options["ask"] == "all" else [(item,) for item in rubric.items]
    questions = tuple(Question(rating_brief(rubric, items), answer_form(items)) for items in groups)
    return RatingWork(name, rubric, rubric_digest(rubric), questions, options, wordings_of(options))


def refuse_long(sessions: Sequence[Session], work: RatingWork) -> None:
    """Raises StageError, before the first call, that names every session too long where the set says `long: fail`."""
    if work.options["long"] != "fail":
        return
    reasons = {session.id: _too_long(_shown(session, work), work.options) for session in sessions}
    problems = [f"session '{id_}': {why.partition(': ')[2]}" for id_, why in reasons.items() if why]
    if problems:
        shown = [*problems[:20], *([f"and {len(problems) - 20} more"] if len(problems) > 20 else [])]
        way = "raise max_chars, or set `long: unscored` to rate the others, or `long: window` to rate it in parts"
        raise StageError(f"ratings.{work.set}: longer than max_chars:\n" + "\n".join(shown) + f"\n{way}")


def _too_long(turns: Sequence[ShownTurn], options: Mapping[str, Any]) -> str:
    """Why the rater is not asked about a session, by its length; empty where it is."""
    limit, windowed = options["max_chars"], options["long"] == "window"
    longest = max(map(_length, turns), default=0) if windowed else transcript_length(turns)
    if longest <= limit:
        return ""
    return f"{TOO_LONG}: {longest:,} characters{' in one turn' if windowed else ''}, and max_chars is {limit:,}"


async def _rate_all(context: StageContext, work: RatingWork, sessions: Sequence[Session]) -> Sequence[Rating]:
    raters = list(work.options["raters"])
    repeats = range(1, work.options["repeats"] + 1)
    ways = [(rater, wording) for rater in raters for wording in range(len(work.wordings))]
    places = [
        Place(number, rater, repeat, wording)
        for number in range(len(sessions))
        for rater, wording in ways
        for repeat in repeats
    ]

    async with AsyncExitStack() as stack:
        calls = {rater: await stack.enter_async_context(context.model(rater)) for rater in raters}

        async def rate(place: Place) -> bytes:
            return packed_line(await rate_one(calls[place.rater], place.unit(sessions), work, context.step))

        ordered = sorted(places, key=lambda one: asking_place(sessions[one.number], one.repeat, context.seed))
        questions = len(work.questions)
        counted = "answers" if questions > 1 else ""
        found = await context.each(ordered, rate, lambda place: str(place.unit(sessions)), questions, counted)
    ratings = dict(zip(ordered, found, strict=True))
    return RecordList.unpack(Rating, [ratings[place] or _unrated(place.unit(sessions), work) for place in places])


def _unrated(unit: Unit, work: RatingWork) -> bytes:
    return packed_line(_rating(unit, work, unscored(work.rubric.items, CALL_FAILED)))


async def rate_one(calls: Replies, unit: Unit, work: RatingWork, step: Callable[[], None] = lambda: None) -> Rating:
    """One rating, window by window and call by call. Raises what the model's `reply` raises.

    step: called after each question of the last window.
    """
    turns = _shown(unit.session, work)
    if not turns:
        why = FORGOTTEN if unit.session.ended == FORGOTTEN else NO_TURNS
        return _rating(unit, work, unscored(work.rubric.items, why))
    if why := _too_long(turns, work.options) or _unread(calls, unit.session):
        return _rating(unit, work, unscored(work.rubric.items, why))
    parts = windows(turns, work.options["max_chars"])
    by_window = []
    for number, window in enumerate(parts):
        part = number + 1 if len(parts) > 1 else 0
        answers = []
        for question in work.questions:
            answers.append(await _ask_form(calls, unit, work, question, window, part))
            if len(work.questions) > 1 and number + 1 == len(parts):
                step()
        by_window.append([score for scores in answers for score in scores])
    scores = joined_scores(work.rubric.items, parts, by_window)
    return _rating(unit, work, scores, window_flags(parts))


async def _ask_form(
    calls: Replies, unit: Unit, work: RatingWork, question: Question, window: Window, part: int
) -> tuple[ItemScore, ...]:
    form = question.form
    item = form.items[0].id if work.options["ask"] == "item" else ""
    draw = Draw("rater", unit.session.draw, repeat=unit.repeat, turn=part, item=item)
    searched = TurnsSearched(window.turns)
    request = rendered(work.wordings[unit.wording].of(question.brief), window, draw)
    answered = await ask(
        calls,
        replace(request, label=unit.session.arm or "", about=unit.session.id),  # for our own books: no rater hears it
        form.model,
        mode=answer_mode(calls) or work.options["mode"],
        tries=work.options["tries"],
        context=searched,
    )
    return item_scores(answered, form, searched)


def _unread(calls: Replies, session: Session) -> str:
    """Why the rater's model cannot read a session, by its language; empty where it can."""
    model = calls.model if isinstance(calls, SpeaksFor) else None
    if not isinstance(model, HasLanguages):
        return ""
    return why_unreadable([turn.text for turn in session.turns], model.languages)


def answer_mode(calls: Replies) -> AnswerMode | None:
    """How the rater's model gives structured answers, where its block says so."""
    model = calls.model if isinstance(calls, SpeaksFor) else None
    return model.answer_mode if isinstance(model, HasAnswerMode) else None


def _rating(unit: Unit, work: RatingWork, scores: Sequence[ItemScore], flags: Sequence[str] = ()) -> Rating:
    return Rating(
        session=unit.session.id,
        set=work.set,
        rubric=work.rubric.name,
        rubric_version=work.rubric.version,
        rubric_digest=work.digest,
        rater=unit.rater,
        repeat=unit.repeat,
        wording=work.wordings[unit.wording].name,
        scores=tuple(scores),
        flags=(*unblinding_flags(unit.session), *flags),
    )


def _shown(session: Session, work: RatingWork) -> tuple[ShownTurn, ...]:
    return shown_turns(session, mask_identity=work.options["mask_identity"])


def _length(turn: ShownTurn) -> int:
    return transcript_length([turn])
