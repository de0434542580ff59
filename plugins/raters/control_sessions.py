"""Controls: sessions derived from others by spoiling one thing, which a rater should notice, and by spoiling nothing.

What they cannot show: that a rater's scores are right. A rater that does not notice them is not reading; one that notices
the placebo notices anything.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from cbtrun.plugin import Session, Turn, derive_seed, digest

PLACEBO = "placebo"
KINDS = ("shuffled", "swapped", "no-homework", PLACEBO)
FACTOR, NONE, OF = "control", "none", "control_of"
Made = tuple[Session, Session, tuple[Turn, ...] | None]
"""A session, the one that its control is held against, and the control's turns; none where nothing could be changed."""

_NAMED = re.compile(
    r"\b(home-?work|assignments?|action plan|worksheets?|thought (record|diary|log)|diary|mood (score|chart)"
    r"|practi[sc](e|ing)|try (it|this|that) out|write (it|this|that|them)? ?down|keep (track|a (record|log|note))"
    r"|next steps?|between (now|sessions)|until (we|our|next)|before (we|our) next|(we|you) (had )?(agreed|planned))\b",
    re.IGNORECASE,
)
"""Words that name work between sessions: where the therapist says none of them, there is no homework to take out."""
_HOMEWORK = re.compile(
    r"\b(home-?work|assignments?|action plan|worksheets?|thought (record|diary|log)|diary|mood (score|chart)"
    r"|(this|next|coming|over the|during the|last) week|next (time|session)|until (we|our|next)|before (we|our) next"
    r"|between (now|sessions)|each (day|evening|morning)|every (day|evening|morning)|tomorrow"
    r"|practi[sc](e|ing)|try (it|this|that) out|write (it|this|that|them|down)|keep (a|the|track)"
    r"|next steps?|get(s|ting)? in (the|your) way|how confident|(could|would|will|might) you (do|try|say|start|take|use)"
    r"|(we|you) (had )?(agreed|planned)|since we (last )?(spoke|met|talked)|last time (we|you)"
    r"|on (mon|tues|wednes|thurs|fri|satur|sun)day|when (do|would|could|will|might) you)\b",
    re.IGNORECASE,
)
"""All that may speak of it, times too: what is taken out of a session that has homework."""


def with_controls(sessions: Sequence[Session], kinds: Sequence[str], seed: int) -> list[Session]:
    """The sessions with factor `control: none`, followed by the controls, kind by kind, in the sessions' order.

    Label `control_of` names the session that a control is held against: the one whose therapist speaks in it. A session
    in which nothing can be changed (no homework in it, no other session to swap with) has no such control: which pairs there
    are is decided here, before anything is scored.
    """
    if not kinds:
        return list(sessions)
    marked = [session.model_copy(update={"factors": {**session.factors, FACTOR: NONE}}) for session in sessions]
    makers: dict[str, Callable[[], list[Made]]] = {
        "shuffled": lambda: [(session, session, shuffled_turns(session, seed)) for session in sessions],
        "swapped": lambda: [(one, other, swapped_therapist(one, other)) for one, other in lenders(sessions)],
        "no-homework": lambda: [(session, session, without_homework(session)) for session in sessions],
        PLACEBO: lambda: [(session, session, session.turns) for session in sessions],
    }
    made = [(kind, *control) for kind in kinds for control in makers[kind]()]
    return [*marked, *(_control(kind, one, of, turns) for kind, one, of, turns in made if turns is not None)]


def _control(kind: str, session: Session, of: Session, turns: tuple[Turn, ...]) -> Session:
    return session.model_copy(
        update={
            "id": f"{session.id}~{kind}",
            "draw": digest([kind, session.draw, [[turn.speaker, turn.text] for turn in turns]]),
            "factors": {**session.factors, FACTOR: kind},
            "labels": {**session.labels, OF: of.id},
            "turns": turns,
        }
    )


def lenders(sessions: Sequence[Session]) -> list[tuple[Session, Session]]:
    """Each session with the one whose therapist it gets: of the same factors, and of about as many therapist turns.

    Every therapist is lent once. A session that is alone with its factors is left out.
    """
    alike: dict[str, list[Session]] = {}
    for session in sessions:
        if _spoken(session):
            alike.setdefault(digest(session.factors), []).append(session)
    found: dict[str, Session] = {}
    for group in alike.values():
        group.sort(key=lambda session: (len(_spoken(session)), session.draw))
        cuts = [*range(0, len(group) - 3, 2), len(group) - 3] if len(group) % 2 else range(0, len(group), 2)
        for at, cut in enumerate(cuts):
            end = cuts[at + 1] if at + 1 < len(cuts) else len(group)
            circle = group[cut:end]
            if len(circle) > 1:
                found |= {one.id: other for one, other in zip(circle, [*circle[1:], circle[0]], strict=True)}
    return [(session, found[session.id]) for session in sessions if session.id in found]


def shuffled_turns(session: Session, seed: int) -> tuple[Turn, ...] | None:
    """All turns in random order: every word is there, no conversation is."""
    turns = list(session.turns)
    random.Random(derive_seed(seed, "shuffled", session.draw)).shuffle(turns)
    return tuple(turns) if _words(turns) != _words(session.turns) else None


def swapped_therapist(session: Session, lender: Session) -> tuple[Turn, ...] | None:
    """The patient's turns with another session's therapist: good sentences that answer somebody else.

    Where the numbers of turns differ, the lender's are spread over the session from start to end. None where that is the
    lender's session again, word for word, as it is of a transcript that stands twice in a file.
    """
    count, lent = len(_spoken(session)), _spoken(lender)
    replaced = iter([lent[at * len(lent) // count] for at in range(count)])
    turns = tuple(
        Turn(speaker="therapist", text=next(replaced)) if turn.speaker == "therapist" else turn
        for turn in session.turns
    )
    return turns if _words(turns) != _words(lender.turns) else None


def without_homework(session: Session) -> tuple[Turn, ...] | None:
    """The session without the stretches that speak of work between sessions; none where the therapist names no such work
    ("every day" alone is none), and if no talk would be left.

    A stretch is a turn with such words and the answer to it; a gap of up to two turns between stretches goes too.
    """
    if not any(_NAMED.search(text) for text in _spoken(session)):
        return None
    said = [at for at, turn in enumerate(session.turns) if _HOMEWORK.search(turn.text) or _NAMED.search(turn.text)]
    taken = {place for at in said for place in (at, at + 1 if session.turns[at].speaker == "therapist" else at)}
    ordered = sorted(taken)
    taken |= {gap for here, after in pairwise(ordered) if after - here <= 3 for gap in range(here, after)}
    turns = tuple(turn for at, turn in enumerate(session.turns) if at not in taken)
    whole = {turn.speaker for turn in turns} == {"therapist", "patient"}
    return turns if whole and turns != session.turns else None


def _words(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in turns]


def _spoken(session: Session) -> list[str]:
    return [turn.text for turn in session.turns if turn.speaker == "therapist"]
