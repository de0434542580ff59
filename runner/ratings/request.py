"""The rater's request: rendered from the rubric by the templates beside the rubrics, blind to arm and model.

The transcript stands between two marks as JSON lines in which no character can forge a line, a mark or an end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cbtrun.contract.models import ChatMessage, Draw, Request
from cbtrun.contract.records import Session, Speaker, Turn
from cbtrun.ratings.rubric import Item, Rubric, rubric_digest
from cbtrun.ratings.unblinding import masked, unblinding

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = ("rater-system.j2", "rater-brief.j2", "rater-user.j2")

# What JSON leaves as it is and an eye or a model could take for structure: the marks' brackets, control and format
# characters (direction marks, zero width), line and paragraph separators, lone surrogates.
_FORGING = re.compile(
    "[<>\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000110bd\U000e0000-\U000e007f]"
)


@dataclass(frozen=True)
class ShownTurn:
    """A turn as the rater sees it."""

    number: int
    """From 1, counted through the whole session."""
    speaker: Speaker
    text: str

    @cached_property
    def line(self) -> str:
        """One JSON line that reads back as exactly this turn."""
        plain = json.dumps({"turn": self.number, "speaker": self.speaker, "text": self.text}, ensure_ascii=False)
        return _FORGING.sub(lambda found: _escaped(found.group(0)), plain)


@dataclass(frozen=True)
class Window:
    """The turns that one request shows, out of how many the session has."""

    turns: tuple[ShownTurn, ...]
    of: int
    """Turns in the whole session."""

    @property
    def whole(self) -> bool:
        """Whether it is the whole session."""
        return len(self.turns) == self.of

    def __str__(self) -> str:
        return f"turns {self.turns[0].number}-{self.turns[-1].number} of {self.of}" if self.turns else "no turns"


def shown_turns(session: Session, *, mask_identity: bool = False) -> tuple[ShownTurn, ...]:
    """The turns as the rater sees them, with words that name a model masked if asked for."""
    return tuple(
        ShownTurn(number, turn.speaker, masked(turn.text) if mask_identity else turn.text)
        for number, turn in enumerate(session.turns, start=1)
    )


def unblinding_flags(session: Session) -> tuple[str, ...]:
    """One flag for each turn whose words tell the rater that, or which, model speaks."""
    flags = []
    for number, turn in enumerate(session.turns, start=1):
        if words := list(dict.fromkeys(word.lower() for word in unblinding(turn.text))):
            flags.append(f"unblinding: turn {number} says {', '.join(words)}")
    return tuple(flags)


def transcript_length(turns: Sequence[ShownTurn]) -> int:
    """Characters that the turns take in a request."""
    return sum(len(turn.line) + 1 for turn in turns)


def windows(turns: Sequence[ShownTurn], max_chars: int) -> list[Window]:
    """Consecutive windows of whole turns, as few as fit when each takes at most max_chars characters.

    A single turn longer than that makes a window of its own that is too long: the caller has to look.
    """
    found: list[list[ShownTurn]] = [[]]
    room = max_chars
    for turn in turns:
        length = len(turn.line) + 1
        if length > room and found[-1]:
            found.append([])
            room = max_chars
        found[-1].append(turn)
        room -= length
    return [Window(tuple(part), len(turns)) for part in found]


@dataclass(frozen=True)
class Brief:
    """What a rater is told before any transcript: the same for every session, so rendered once for thousands."""

    system: str
    rubric: str
    """The rubric's items, the rules and the answer's form: the user message up to the transcript."""
    items: tuple[str, ...]
    """Ids of what is to be rated."""


def rating_brief(rubric: Rubric, items: Sequence[Item]) -> Brief:
    """What a rater is told about these items of a rubric."""
    values = {"rubric": rubric, "digest": rubric_digest(rubric), "items": items, "form": answer_shape(items)}
    system, told = (_rendered(name, values) for name in ("rater-system.j2", "rater-brief.j2"))
    return Brief(system, told, tuple(item.id for item in items))


def rating_request(brief: Brief, window: Window, draw: Draw) -> Request:
    """The request to rate the shown turns. The response schema is added by whoever asks."""
    values = {"brief": brief.rubric, "window": window, "lines": [turn.line for turn in window.turns]}
    user = _rendered("rater-user.j2", {**values, "items": ", ".join(brief.items)})
    messages = (ChatMessage("system", brief.system), ChatMessage("user", user))
    return Request(messages, draw, shared=len(brief.rubric) if user.startswith(brief.rubric) else 0)


def answer_shape(items: Sequence[Item]) -> str:
    """The answer's shape, as the rater is shown it: every field, in the order in which it is to be written."""
    entry = (
        '{"rationale": "...", "evidence": [{"turn": <number>, "quote": "..."}], "absent": false, '
        '"score": <score>, "unscored_reason": null}'
    )
    first, *others = (item.id for item in items)
    entries = [f'"{first}": {entry}', *(f'"{other}": {{...}}' for other in others)]
    return '{"items": {' + ", ".join(entries) + "}}"


def rendered_example(rubric: Rubric, session: Session | None = None, *, ask: str = "all") -> tuple[ChatMessage, ...]:
    """The messages that a rater gets for a session, verbatim; without one, for a transcript of two invented turns."""
    session = session or _example_session()
    turns = shown_turns(session)
    items = rubric.items if ask == "all" else rubric.items[:1]
    brief = rating_brief(rubric, items)
    return rating_request(brief, Window(turns, len(turns)), Draw("rater", session.draw)).messages


def template_path(name: str) -> Path:
    """Where a template lies, for the fingerprint of a stage that renders it."""
    return Path(str(files("cbtrun.rubrics"))) / "templates" / name


def one_line(text: str) -> str:
    """The text with every run of white space as one space, so that it cannot start a line of its own."""
    return " ".join(str(text).split())


def points(item: Item) -> str:
    """Which scores an item takes, in words."""
    low, high = item.bounds
    known: Mapping[str, str] = {
        "scale": f"a whole number from {low:g} to {high if high is not None else 'any'}",
        "yes_no": "1 for yes, 0 for no",
        "category": "one of " + ", ".join(f'"{category.name}"' for category in item.categories),
        "count": f"how often, a whole number from {low:g}" + (f" to {high:g}" if high is not None else " up"),
        "text": "words, in quotation marks",
    }
    return known[item.type]


def lowest_answer(item: Item) -> str | int | None:
    """The score at which a behaviour may be marked absent; none for an item of type text."""
    if item.type == "category":
        return min(item.categories, key=lambda category: category.points).name
    return None if item.type == "text" else int(item.bounds[0])


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) > 0x7F else f"\\u{ord(character):04x}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        autoescape=False,  # a prompt is no HTML; what could forge its structure is escaped in ShownTurn.line
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"one_line": one_line, "points": points, "lowest": lowest_answer}
    return cast("Environment", environment)


def _rendered(name: str, values: Mapping[str, Any]) -> str:
    return _environment().get_template(name).render(values).strip()


@lru_cache(maxsize=8)
def _source(name: str) -> str:
    return template_path(name).read_text(encoding="utf-8")


def _example_session() -> Session:
    turns = (
        Turn(speaker="therapist", text="What would you like to put on our agenda today?"),
        Turn(speaker="patient", text="I could not sleep again before my shift."),
    )
    return Session(id="example", draw="example", turns=turns, ended="example")
