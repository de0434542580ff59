"""The study's design as a drawing: every block of the spec a card, every name that it uses a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cbtrun.plugin import StudyView, view_of
from cbtrun.plugins.report.plain_text import shortened

ROWS = ("personas", "corpus", "tune", "arms", "sessions", "ratings", "analysis")
WIDTH, LEFT, CARD_HEIGHT, GAP_X, GAP_Y = 760, 92, 56, 14, 30
"""Pixels; the names of the stages stand left of the cards."""
WIDEST_CARD, LANE = 200, 9
MOST_CARDS = 5
"""More blocks than this in one stage are drawn as one card that counts them."""


@dataclass(frozen=True)
class Card:
    """One block of the spec."""

    block: str
    name: str
    using: str
    facts: tuple[str, ...]
    needs: frozenset[str]
    """Keys (`personas.eval`) of the cards it reads."""
    stage: int = 0
    """Position of its row in the drawing."""
    x: int = 0
    y: int = 0
    width: int = WIDEST_CARD

    @property
    def key(self) -> str:
        """`personas.eval`, `sessions` ..."""
        return f"{self.block}.{self.name}" if self.name else self.block


@dataclass(frozen=True)
class Drawing:
    """Rows of cards, one a stage, and the lines between them; sizes in pixels."""

    cards: tuple[Card, ...]
    lines: tuple[str, ...]
    """SVG path descriptions."""
    titles: tuple[tuple[int, str], ...]
    """(y, name) of every row."""
    height: int
    width: int = WIDTH


def draw_design(study: Mapping[str, Any]) -> Drawing:
    """The drawing of a resolved study, read from top to bottom."""
    view = view_of(study)
    rows = [cards for block in ROWS if (cards := _cards(view, block))]
    placed: dict[str, Card] = {}
    titles = []
    lanes = _long_lines(rows)
    room = WIDTH - LEFT - (LANE * lanes + 8 if lanes else 0)
    for at, cards in enumerate(rows):
        y = at * (CARD_HEIGHT + GAP_Y) + 1
        titles.append((y, cards[0].block))
        width = min(WIDEST_CARD, (room - GAP_X * (len(cards) - 1)) // len(cards))
        indent = (room - len(cards) * (width + GAP_X) + GAP_X) // 2
        for column, card in enumerate(cards):
            x = LEFT + indent + column * (width + GAP_X)
            placed[card.key] = replace(card, stage=at, x=x, y=y, width=width)
    lines = _lines(placed, room)
    return Drawing(
        tuple(placed.values()), tuple(lines), tuple(titles), max(1, len(rows) * (CARD_HEIGHT + GAP_Y) - GAP_Y + 2)
    )


def card_lines(card: Card) -> tuple[str, str, str]:
    """What stands on a card: its name, how it is done, and what matters most."""
    letters = (card.width - 22) // 6
    facts = " · ".join(card.facts)
    return (
        shortened(card.name or card.using, letters - 3),
        shortened(card.using if card.name else "", letters),
        shortened(facts, letters),
    )


def _cards(study: StudyView, block: str) -> list[Card]:
    cards = [
        Card(block, name, _using(one), _facts(block, one), _needs(study, block, one))
        for name, one in study.blocks(block).items()
    ]
    if len(cards) <= MOST_CARDS:
        return cards
    every = frozenset[str]().union(*(card.needs for card in cards))
    return [Card(block, f"{len(cards)} {block}", cards[0].using, (), every)]


def _using(block: Mapping[str, Any]) -> str:
    return str(block.get("using") or block.get("therapist") or "")


_TELLING: Mapping[str, tuple[str, ...]] = {
    "personas": ("count", "attributes"),
    "corpus": ("register", "author", "course"),
    "tune": ("base", "max_steps"),
    "sessions": ("repeats", "max_turns", "patient"),
    "ratings": ("rubric", "raters", "repeats"),
    "analysis": ("outcome", "levels"),
}


def _facts(block: str, content: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings that matter most in a block, the first first."""
    if block == "arms":
        return tuple(f"{factor}: {level}" for factor, level in (content.get("factors") or {}).items())
    names = _TELLING.get(block, ())
    found = [_fact(name, content[name]) for name in names if content.get(name) not in (None, "", [], {})]
    return tuple(found) or ((str(content["path"]).rsplit("/", 1)[-1],) if content.get("path") else ())


def _fact(name: str, value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " vs ".join(map(str, value)) if name == "levels" else ", ".join(map(str, value))
    told = {"count": f"{value} personas", "max_turns": f"up to {value} turns", "max_steps": f"{value} steps"}
    return told.get(name, f"{value} each" if name == "repeats" else str(value))


def _needs(study: StudyView, block: str, content: Mapping[str, Any]) -> frozenset[str]:
    """Cards that a block reads: those it names, and those its place in the flow implies."""
    if block == "ratings":
        return frozenset({"sessions"})
    if block == "analysis":
        return frozenset({f"ratings.{str(content.get('outcome', '')).split('.')[0]}"})
    words = {
        str(word) for value in content.values() for word in (value if isinstance(value, (list, tuple)) else [value])
    }
    earlier = [other for other in ROWS[: ROWS.index(block)] if other != "sessions"]
    named = {f"{other}.{name}" for other in earlier for name in study.blocks(other) if name in words}
    if block == "sessions":
        named |= {f"arms.{name}" for name in study.arms}
    if block == "corpus" and str(content.get("sessions")) in study.corpora:
        named.add(f"{block}.{content['sessions']}")  # the sessions that another corpus began
    if block == "tune":
        named -= {f"personas.{name}" for name in study.personas}
    return frozenset(named)


def _long_lines(rows: list[list[Card]]) -> int:
    """How many lines pass a row that they have nothing to do with."""
    row_of = {card.key: at for at, cards in enumerate(rows) for card in cards}
    return sum(
        row_of[card.key] - row_of[need] > 1 for cards in rows for card in cards for need in card.needs if need in row_of
    )


def _lines(placed: Mapping[str, Card], room: int) -> list[str]:
    """Across within a row, straight down to the next one; around the right side where rows lie between."""
    lines, lane = [], 0
    for card in placed.values():
        for need in sorted(card.needs):
            start = placed.get(need)
            if start is None:
                continue
            if card.stage == start.stage:
                lines.append(f"M{start.x + start.width} {start.y + CARD_HEIGHT // 2}H{card.x}")
            elif card.stage - start.stage == 1:
                lines.append(_down(start, card))
            else:
                lane += 1
                lines.append(_around(start, card, LEFT + room + LANE * lane))
    return lines


def _down(start: Card, end: Card) -> str:
    x0, y0, x1, y1 = start.x + start.width // 2, start.y + CARD_HEIGHT, end.x + end.width // 2, end.y
    middle = (y0 + y1) // 2
    return f"M{x0} {y0}C{x0} {middle + 6} {x1} {middle - 6} {x1} {y1}"


def _around(start: Card, end: Card, lane: int) -> str:
    x0, y0, x1, y1 = start.x + start.width, start.y + CARD_HEIGHT // 2, end.x + end.width, end.y + CARD_HEIGHT // 2
    return f"M{x0} {y0}H{lane - 8}Q{lane} {y0} {lane} {y0 + 8}V{y1 - 8}Q{lane} {y1} {lane - 8} {y1}H{x1}"
