"""What a program can measure in a transcript, as a rubric's YAML defines it.

Each kind of signal is general: what it looks for stands in the YAML. The measuring is done by the lexical rater;
here is only the form. A value is a number; what it is a number of is said by each kind.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from cbtrun.records import Record, Speaker


def _a_regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_a_regular_expression)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Signal(Record):
    """What all kinds share."""

    means: str
    """What is measured, in words: part of the rationale that is shown with a score."""
    speaker: Speaker = "therapist"
    """Whose turns are looked at."""
    window: tuple[Fraction, Fraction] = (0.0, 1.0)
    """Part of the session looked at, by share of its turns: `[0, 0.25]` is the first quarter."""

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> _Signal:
        if self.window[0] >= self.window[1]:
            raise ValueError(f"window {list(self.window)} is empty: the first number must be lower than the second")
        return self


class Phrases(_Signal):
    """Turns in which one of several patterns occurs."""

    kind: Literal["phrases"]
    """Turns of the speaker that match at least one of `any` and none of `unless`."""
    any: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    """Regular expressions, upper and lower case alike; the first match in a turn is the evidence."""
    unless: tuple[Pattern, ...] = ()
    """Regular expressions that a counted sentence must not match."""
    answered: tuple[Pattern, ...] = ()
    """If given, the other speaker's next turn must match one of these."""
    per: Literal["session", "turn", "hundred_words"] = "turn"
    """`session`: the number of such turns; `turn`: their share of the speaker's turns in the window;
    `hundred_words`: their number for each hundred words of the speaker in the window."""


class Echo(_Signal):
    """Sentences that take up the content words of what the other speaker just said."""

    kind: Literal["echo"]
    """Turns of the speaker that share content words with the other speaker's last turn."""
    shared_words: Annotated[int, Field(ge=1)] = 2
    """Content words (by stem) that one sentence must share with the other speaker's last turn."""
    questions: bool = False
    """Whether sentences that end in a question mark count as well."""
    stems: tuple[Pattern, ...] = ()
    """Regular expressions of reflective openings ("it sounds like"): with one, a single shared word is enough."""
    per: Literal["session", "turn"] = "turn"
    """`session`: the number of such turns; `turn`: their share of the speaker's turns in the window."""


class Carried(_Signal):
    """Content words of one part of the session that come back in another."""

    kind: Literal["carried"]
    """Share of the content words of matching turns in `window` that the speaker takes up again in `later`."""
    any: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    """Regular expressions of the turns whose words are followed."""
    later: tuple[Fraction, Fraction]
    """Part of the session in which the words are looked for."""


class ShareOf(_Signal):
    """How many of one signal's turns are also counted by another."""

    kind: Literal["ratio"]
    """Turns counted by `of` for each turn counted by `to`; 0 when `of` counted none."""
    of: str
    """Name of the signal above the line; its turns are the evidence."""
    to: str
    """Name of the signal below the line."""
    at_least: Annotated[int, Field(ge=1)] = 3
    """The line below counts as at least this many turns, so that a ratio of one to none is not endless."""


class Words(_Signal):
    """How much is said, and in what portions."""

    kind: Literal["words"]
    """A measure of the speaker's words in the window."""
    measure: Literal["share", "per_turn", "longest_turn", "long_turns", "count"]
    """`share`: the speaker's words of all words; `per_turn`: mean words a turn; `longest_turn`: words of the longest;
    `long_turns`: share of the speaker's turns with more than `over` words; `count`: all words."""
    over: Annotated[int, Field(ge=1)] = 60
    """Words above which a turn is long."""


Signal = Annotated[Phrases | Echo | Carried | ShareOf | Words, Field(discriminator="kind")]
