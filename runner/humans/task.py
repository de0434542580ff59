"""What one rater is asked: sessions and pairs in an order of their own, a training session, instructions and consent.

Nothing here follows from an arm, an id, a time or the study's seed: a session comes as its code and its words. The orders
come from the sheet's secret and the rater's code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.humans.names import common_words, without_names
from cbtrun.people.draws import generator
from cbtrun.ratings.unblinding import masked

if TYPE_CHECKING:
    from cbtrun.contract.records import Session
    from cbtrun.humans.preference_pairs import Pair
    from cbtrun.humans.sheet import Sheet
    from cbtrun.humans.training import Training
    from cbtrun.ratings.rubric import Rubric

TRAINING = "training"
"""The screen and the place of the training session."""
CONSENT = (
    "What you enter is kept in the folder of the study under your code: scores, quotes, comments, when you entered them, how long a "
    "session was before you, and your breaks. Your name is not asked for. You may stop at any time; whoever gave you this page tells "
    "you how to have your ratings removed."
)
INSTRUCTIONS = (
    "Read a session, then score every item by its anchors. Rate each session by itself: do not go by those before it, and do not guess "
    "where it comes from. Score what is done in the session, not how you would have done it. Where an item is hard to tell, mark the "
    "words that decided. You may change a score until you are done."
)
Turns = tuple[tuple[str, str], ...]
"""(speaker, words), words that name a model masked."""


@dataclass(frozen=True)
class Settings:
    """What is the same for all raters of a sheet."""

    consent: str = CONSENT
    instructions: str = INSTRUCTIONS
    training: Training | None = None
    pairs: tuple[Pair, ...] = ()
    real_people: bool = False
    """Whether the words may be real people's: then names are masked, and the page warns."""
    mask: tuple[str, ...] = ()
    """Further words to mask."""

    @property
    def consent_digest(self) -> str:
        """Which text was agreed to."""
        return hashlib.sha256(self.consent.encode()).hexdigest()


@dataclass(frozen=True)
class SidedPair:
    """A pair as one rater sees it."""

    code: str
    left: str
    """`a` or `b`."""
    turns: Mapping[str, Turns]
    """`a` and `b` -> what is said."""


@dataclass(frozen=True)
class Task:
    """What one rater is asked."""

    sheet: str
    """Id of the sheet, as it stands in what the rater saves."""
    rater: str
    """The rater's code; empty where the rater enters it."""
    rubric: Rubric
    settings: Settings
    order: tuple[str, ...]
    """Codes of the sessions, as this rater sees them."""
    talks: Mapping[str, Turns]
    """Code, or `training` -> turns."""
    pairs: tuple[SidedPair, ...]

    @property
    def screens(self) -> tuple[str, ...]:
        """All that is shown, one after the other."""
        training = (TRAINING,) if self.settings.training else ()
        return ("start", *training, *self.order, *(pair.code for pair in self.pairs), "end")

    @property
    def header(self) -> dict[str, Any]:
        """What the rater is shown, as their file records it."""
        told: dict[str, Any] = {
            "sheet": self.sheet,
            "rater": self.rater,
            "order": list(self.order),
            "left": {pair.code: pair.left for pair in self.pairs},
            "consent": self.settings.consent,
            "consent_digest": self.settings.consent_digest,
        }
        return told


def task_of(sheet: Sheet, rubric: Rubric, rater: str | int, settings: Settings) -> Task:
    """The task of a rater by their code, or by the number of a sheet that goes to whoever enters a code."""
    by_code = isinstance(rater, str)
    sheet_id = sheet.id if by_code or rater == 1 else f"{sheet.id}-{rater}"
    words = Words(settings, [one.session for one in sheet.drawn])
    drawn = sheet.for_rater(rater)
    talks = {one.code: words.turns(one.session) for one in drawn}
    if settings.training:
        talks[TRAINING] = settings.training.turns
    return Task(
        sheet=sheet_id,
        rater=rater if isinstance(rater, str) else "",
        rubric=rubric,
        settings=settings,
        order=tuple(one.code for one in drawn),
        talks=talks,
        pairs=_sided(sheet.secret, rater, words, settings.pairs),
    )


def _sided(secret: str, rater: str | int, words: Words, pairs: Sequence[Pair]) -> tuple[SidedPair, ...]:
    """The pairs in an order of the rater's own, each with a side of its own."""
    by_chance = generator(secret, f"pairs of rater {rater}")
    sides = {pair.code: by_chance.choice("ab") for pair in pairs}
    mixed = list(pairs)
    by_chance.shuffle(mixed)
    return tuple(
        SidedPair(pair.code, sides[pair.code], {"a": words.turns(pair.a), "b": words.turns(pair.b)}) for pair in mixed
    )


class Words:
    """What sessions say, with what must not be seen masked."""

    def __init__(self, settings: Settings, sessions: Sequence[Session]) -> None:
        """sessions: those of the sheet. They tell which words are everyday ones."""
        self._settings = settings
        every = [*sessions, *(one for pair in settings.pairs for one in (pair.a, pair.b))]
        self._common = common_words(turn.text for one in every for turn in one.turns)

    def turns(self, session: Session) -> Turns:
        """Speaker and words of each turn."""
        texts = tuple(masked(turn.text) for turn in session.turns)
        if self._settings.real_people or self._settings.mask:
            texts = without_names(texts, self._common, self._settings.mask, guess=self._settings.real_people)
        return tuple((turn.speaker, text) for turn, text in zip(session.turns, texts, strict=True))
