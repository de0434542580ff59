"""The card of simulated patients: a set of them, or the attributes that they are drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cbtrun.cards.parts import NOT_FOR_CARE, card, listed, shares
from cbtrun.contract.digests import digest
from cbtrun.contract.markdown_text import markdown_code, markdown_table
from cbtrun.contract.records import Persona

WEIGHED = ("gender", "severity", "risk", "engagement_style", "themes")
"""Parts of an attributes file that say how often what is drawn."""


def persona_set_card(name: str, personas: Sequence[Persona], source: Mapping[str, object], people: str = "") -> str:
    """The card of a set. source: where it comes from, in words by name. people: why real people may be in it."""
    return card(_set_lines(name, personas, source, people))


def attributes_card(name: str, attributes: Mapping[str, Any]) -> str:
    """The card of an attributes file, read as plain values."""
    return card(_attribute_lines(name, attributes))


def _set_lines(name: str, personas: Sequence[Persona], source: Mapping[str, object], people: str) -> Iterator[str]:
    yield from [f"# Personas {markdown_code(name)}", "", f"{len(personas):,} patients for simulated sessions.", ""]
    yield from listed([*source.items(), ("SHA-256", digest(list(personas))), ("Real people", people or "none: everyone in it is invented")])  # fmt: skip
    yield from ["", "## Who they are", ""]
    yield from markdown_table(("", "of them"), [*_who(personas)])
    yield from ["", "## Limits", "", *_limits()]


def _who(personas: Sequence[Persona]) -> Iterator[tuple[str, str]]:
    for field in ("gender", "risk", "engagement_style", "disclosure_style"):
        counts = Counter(str(getattr(one, field)) for one in personas if getattr(one, field))
        yield field.replace("_", " "), shares(counts) or "not known"
    for field, unit in (("age", "years"), ("phq9", "points of 27")):
        values = sorted(value for one in personas if isinstance(value := getattr(one, field), int))
        middle = values[len(values) // 2] if values else 0
        yield field, f"{values[0]} to {values[-1]} {unit}, middle {middle} (n = {len(values):,})" if values else "not known"  # fmt: skip
    yield "occupation", f"{len({one.occupation for one in personas if one.occupation}):,} different ones"
    yield "described in free words", f"{sum(1 for one in personas if one.text):,}"


def _attribute_lines(name: str, attributes: Mapping[str, Any]) -> Iterator[str]:
    yield from [f"# Persona attributes {markdown_code(name)}", ""]
    yield "What `using: sampled` draws patients from, by relative weights. Everyone who is drawn is invented."
    yield from ["", "## How often what is drawn", ""]
    rows = [(part, _weights(attributes[part])) for part in WEIGHED if isinstance(attributes.get(part), Mapping)]
    yield from markdown_table(("part", "weights"), rows)
    others = [(part, len(value)) for part, value in attributes.items() if part not in WEIGHED and isinstance(value, list | dict)]  # fmt: skip
    yield from ["", "## What else there is to draw", ""]
    yield from markdown_table(("part", "entries"), [(part, f"{count:,}") for part, count in others])
    yield from [
        "",
        "## Limits",
        "",
        "- The weights are the authors' choice, and no count of any population.",
        *_limits(),
    ]


def _weights(part: Mapping[str, Any]) -> str:
    def weight(value: Any) -> Any:
        return value.get("weight", 1) if isinstance(value, Mapping) else value

    return ", ".join(f"{name} {weight(value)}" for name, value in part.items())


def _limits() -> Iterator[str]:
    yield "- A simulated patient does not suffer, get better or leave; what a therapist does to one says little of what it does to a person."
    yield "- Gender, work and trouble are few and drawn by rules: groups are not represented as they are anywhere."
    yield f"- {NOT_FOR_CARE}"
