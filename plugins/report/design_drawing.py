"""The study's design as a drawing: every block of the spec a card, every name that it uses a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.plugins.report.plain_text import shortened

COLUMNS = ("personas", "corpus", "tune", "arms", "sessions", "ratings", "analysis")
CARD_WIDTH, CARD_HEIGHT, GAP_X, GAP_Y, TOP = 138, 58, 34, 14, 30
"""Pixels."""
MOST_CARDS = 8
"""More blocks than this in one column are drawn as one card that counts them."""


@dataclass(frozen=True)
class Card:
    """One block of the spec."""

    block: str
    name: str
    using: str
    facts: tuple[str, ...]
    needs: frozenset[str]
    """Keys (`personas.eval`) of the cards it reads."""
    x: int = 0
    y: int = 0

    @property
    def key(self) -> str:
        """`personas.eval`, `sessions` ..."""
        return f"{self.block}.{self.name}" if self.name else self.block


@dataclass(frozen=True)
class Drawing:
    """Cards in columns and the lines between them, with the size in pixels."""

    cards: tuple[Card, ...]
    lines: tuple[str, ...]
    """SVG path descriptions."""
    titles: tuple[tuple[int, str], ...]
    """(x, title) of every column."""
    width: int
    height: int


def draw_design(study: Mapping[str, Any]) -> Drawing:
    """The drawing of a resolved study."""
    columns = [cards for block in COLUMNS if (cards := _cards(study, block))]
    tallest = max((len(cards) for cards in columns), default=0)
    height = TOP + tallest * (CARD_HEIGHT + GAP_Y) - GAP_Y + 4
    placed: dict[str, Card] = {}
    titles = []
    for at, cards in enumerate(columns):
        x = at * (CARD_WIDTH + GAP_X) + 1
        titles.append((x, cards[0].block))
        free = height - TOP - len(cards) * (CARD_HEIGHT + GAP_Y) + GAP_Y
        for row, card in enumerate(cards):
            y = TOP + free // 2 + row * (CARD_HEIGHT + GAP_Y)
            placed[card.key] = Card(card.block, card.name, card.using, card.facts, card.needs, x, y)
    lines = [_line(placed[need], card) for card in placed.values() for need in sorted(card.needs) if need in placed]
    width = len(columns) * (CARD_WIDTH + GAP_X) - GAP_X + 2
    return Drawing(tuple(placed.values()), tuple(lines), tuple(titles), max(width, 1), max(height, 1))


def _cards(study: Mapping[str, Any], block: str) -> list[Card]:
    content = study.get(block)
    if not isinstance(content, Mapping) or not content:
        return []
    if block == "sessions":
        return [Card(block, "", _using(content), _facts(block, content), _needs(study, block, content))]
    cards = [
        Card(block, str(name), _using(one), _facts(block, one), _needs(study, block, one))
        for name, one in content.items()
        if isinstance(one, Mapping)
    ]
    if len(cards) <= MOST_CARDS:
        return cards
    return [
        Card(block, f"{len(cards)} {block}", cards[0].using, (), frozenset().union(*(card.needs for card in cards)))
    ]


def _using(block: Mapping[str, Any]) -> str:
    return str(block.get("using") or block.get("therapist") or "")


def _facts(block: str, content: Mapping[str, Any]) -> tuple[str, ...]:
    """The one or two settings that matter most in a block."""
    factors = (
        [f"{factor}: {level}" for factor, level in (content.get("factors") or {}).items()] if block == "arms" else []
    )
    wanted = {
        "personas": ("count", "attributes"),
        "corpus": ("register", "author", "course"),
        "tune": ("base", "max_steps"),
        "sessions": ("repeats", "max_turns", "patient"),
        "ratings": ("rubric", "raters", "repeats"),
        "analysis": ("outcome", "levels"),
    }.get(block, ())
    found = [_fact(name, content[name]) for name in wanted if content.get(name) not in (None, "", [], {})]
    return tuple(factors or found)


def _fact(name: str, value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " vs ".join(map(str, value)) if name == "levels" else ", ".join(map(str, value))
    return {"count": f"{value} personas", "max_turns": f"≤ {value} turns", "max_steps": f"{value} steps"}.get(
        name, f"{value} × each" if name == "repeats" else str(value)
    )


def _needs(study: Mapping[str, Any], block: str, content: Mapping[str, Any]) -> frozenset[str]:
    """Cards that a block reads: those it names, and those its place in the flow implies."""
    words = {
        str(word) for value in content.values() for word in (value if isinstance(value, (list, tuple)) else [value])
    }
    named = {
        f"{other}.{name}"
        for other in COLUMNS[: COLUMNS.index(block)]
        if other not in ("sessions", "ratings")
        for name in (study.get(other) or {})
        if str(name) in words
    }
    if block == "sessions":
        named |= {f"arms.{name}" for name in study.get("arms") or {}}
    if block == "ratings":
        named = {"sessions"}
    if block == "analysis":
        named = {f"ratings.{str(content.get('outcome', '')).split('.')[0]}"}
    return frozenset(named)


def _line(start: Card, end: Card) -> str:
    """A curve from the right edge of one card to the left edge of another."""
    x0, y0 = start.x + CARD_WIDTH, start.y + CARD_HEIGHT // 2
    x1, y1 = end.x, end.y + CARD_HEIGHT // 2
    bend = max(GAP_X // 2, (x1 - x0) // 2)
    return f"M{x0} {y0}C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}"


def card_lines(card: Card) -> tuple[str, str]:
    """What stands on a card under its name: how it is done, and what matters most."""
    facts = " · ".join(card.facts)
    if card.block == "sessions":
        return shortened(facts, 24), ""
    return shortened(card.using, 22), shortened(facts, 24)
