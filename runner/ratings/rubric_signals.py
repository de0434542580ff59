"""What a program can measure in a transcript, as a rubric's YAML defines it.

Each kind of signal is general: what it looks for stands in the YAML. The measuring is done by the lexical rater;
here is only the form. All kinds but `words` count sentences, so that each count can be quoted.
A turn of one or two words ("Mm-hm.", "Okay, go on" has three) is listening, not a turn, where turns are counted.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from cbtrun.contract.records import Record, Speaker
from cbtrun.documents.patterns import check_pattern

Pattern = Annotated[str, Field(min_length=1), AfterValidator(check_pattern)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Window = tuple[Fraction, Fraction]


class _Signal(Record):
    """What all kinds share."""

    means: str
    """What is counted, in words: part of the rationale that is shown with a score."""
    speaker: Speaker = "therapist"
    """Whose turns are looked at."""
    window: Window = (0.0, 1.0)
    """Part of the session looked at, by share of its turns: `[0, 0.25]` is the first quarter."""

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> _Signal:
        if self.window[0] >= self.window[1]:
            raise ValueError(f"window {list(self.window)} is empty: its first number must be lower than its second")
        return self


class _Counted(_Signal):
    """What the kinds share that count sentences."""

    unless_counted_by: tuple[str, ...] = ()
    """Names of signals: a sentence that one of them counts is not counted here."""
    per: Literal["session", "turn", "hundred_words"] = "hundred_words"
    """`session`: the value is the number of counted sentences; `turn`: the share of the speaker's turns in the
    window that hold one; `hundred_words`: counted sentences for each hundred words of the speaker in the window (at
    least 200 are assumed), which is fair to long and short sessions and to long and short turns alike."""
    unless: tuple[Pattern, ...] = ()
    """Regular expressions that a counted sentence must not match."""


class Phrases(_Counted):
    """Sentences in which one of several patterns occurs."""

    kind: Literal["phrases"]
    """Sentences that match at least one of `any` and none of `unless`."""
    any: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    """Regular expressions, upper and lower case alike."""


class Echo(_Counted):
    """Sentences that take up the content words of what the other speaker just said."""

    kind: Literal["echo"]
    """Sentences that share content words, compared by stem, with the other speaker's last turns."""
    back: Annotated[int, Field(ge=1)] = 1
    """How many of the other speaker's last turns are compared."""
    shared_words: Annotated[int, Field(ge=1)] = 2
    """Content words that a sentence must share."""
    shared_part: Fraction = 0.3
    """Share of the sentence's own content words that must be shared, so that a lecture on the topic does not count."""
    any: tuple[Pattern, ...] = ()
    """If given, a counted sentence must match one of these regular expressions, or one of `openings`."""
    openings: tuple[Pattern, ...] = ()
    """Regular expressions of reflective openings ("it sounds like"): where one matches, one shared word is enough."""
    questions: bool = False
    """Whether sentences that end in a question mark count as well."""


class Repeated(_Counted):
    """Sentences that the speaker has said before."""

    kind: Literal["repeated"]
    """Sentences whose content words were, nearly all, in one earlier sentence of the same speaker."""
    fewest_words: Annotated[int, Field(ge=2)] = 4
    """Content words that a sentence must have: short ones ("Tell me more.") are repeated by everyone."""
    shared_part: Fraction = 0.9
    """Share of its content words that must be in that earlier sentence."""


class Carried(_Signal):
    """Content words of one part of the session that come back in another."""

    kind: Literal["carried"]
    """Share of the content words of the sentences counted by `of` that the speaker uses again in `window`."""
    of: str
    """Name of the signal whose sentences are followed."""


class Ratio(_Signal):
    """How often one signal is counted for each time that another is."""

    kind: Literal["ratio"]
    """Sentences counted by `of` for each sentence counted by `to`."""
    of: str
    """Name of the signal above the line; its sentences are the evidence."""
    to: str
    """Name of the signal below the line."""
    at_least: Annotated[int, Field(ge=1)] = 3
    """The number below the line is at least this, so that one against none is not endless."""


class Words(_Signal):
    """How much is said, and in what portions."""

    kind: Literal["words"]
    """A measure of the speaker's words in the window; the longest turn is the evidence."""
    measure: Literal["share", "long_turns", "longest_turn", "per_turn"]
    """`share`: the speaker's words of all words; `long_turns`: share of the speaker's turns with more than `over`
    words; `longest_turn`: words of the longest turn; `per_turn`: mean words a turn."""
    over: Annotated[int, Field(ge=1)] = 60
    """Words above which a turn is long."""


Signal = Annotated[Phrases | Echo | Repeated | Carried | Ratio | Words, Field(discriminator="kind")]


def named_signals(signal: Phrases | Echo | Repeated | Carried | Ratio | Words) -> tuple[tuple[str, str], ...]:
    """The other signals that one signal names: pairs of key and name."""
    if isinstance(signal, Ratio):
        return ("of", signal.of), ("to", signal.to)
    if isinstance(signal, Carried):
        return (("of", signal.of),)
    if isinstance(signal, Words):
        return ()
    return tuple(("unless_counted_by", name) for name in signal.unless_counted_by)
