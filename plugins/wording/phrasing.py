"""Sentences from templates: alternatives, optional parts, slots and rules, drawn with a seed.

(a|b|c)   one of the alternatives            {event}   a slot, filled from what is known
[maybe]   there or not, even odds            <rule>    one template of a named rule
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

import yaml


class Slot(NamedTuple):
    """A place to be filled."""

    name: str


class Rule(NamedTuple):
    """A place for one template of a rule."""

    name: str


class Choice(NamedTuple):
    """A place for one of several sequences."""

    ways: tuple[tuple[Part, ...], ...]


Part = str | Slot | Rule | Choice

PREFERRED = 0.75  # how often a wording with a preferred slot is taken where there is one

_TOKEN = re.compile(r"[()\[\]|]|\{\w+\}|<\w+>")
_CLOSES = {"(": ")", "[": "]"}


LONGEST = 10_000
"""Characters of a template of wordings: reading one takes time by the square of its brackets."""
DEEPEST = 50
"""Brackets within each other."""


@lru_cache(maxsize=8192)
def parse(template: str) -> tuple[Part, ...]:
    """The parts of a template. Raises ValueError for a bracket without its partner, and for one of absurd size."""
    if len(template) > LONGEST or _depth(template) > DEEPEST:
        raise ValueError(f"a template has at most {LONGEST:,} characters and {DEEPEST} brackets within each other")
    tokens = re.split(f"({_TOKEN.pattern})", template)
    ways, rest = _ways([token for token in tokens if token], None)
    if rest:
        raise ValueError(f"unbalanced '{rest[0]}' in template: {template}")
    return ways[0]


def _depth(template: str) -> int:
    return max(accumulate({"(": 1, "[": 1, ")": -1, "]": -1}.get(one, 0) for one in template), default=0)


def _ways(tokens: Sequence[str], closing: str | None) -> tuple[list[tuple[Part, ...]], Sequence[str]]:
    ways: list[list[Part]] = [[]]
    while tokens:
        token, tokens = tokens[0], tokens[1:]
        if token == closing:
            return [tuple(way) for way in ways], tokens
        if token in _CLOSES:
            inner, tokens = _ways(tokens, _CLOSES[token])
            ways[-1].append(Choice((*inner, ()) if token == "[" else tuple(inner)))
        elif token == "|" and closing is not None:
            ways.append([])
        elif token in (")", "]"):
            return [tuple(ways[0])], [token, *tokens]
        else:
            ways[-1].append(_leaf(token))
    if closing is not None:
        return [tuple(ways[0])], [closing]
    return [tuple(ways[0])], ()


def _leaf(token: str) -> Part:
    if _TOKEN.fullmatch(token) and token[0] in "{<":
        return Slot(token[1:-1]) if token[0] == "{" else Rule(token[1:-1])
    return token


@lru_cache(maxsize=8192)
def slots_of(template: str) -> frozenset[str]:
    """Names of the slots that a template may use itself."""
    return frozenset(_slots(parse(template)))


def _slots(parts: Sequence[Part]) -> set[str]:
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Slot):
            found.add(part.name)
        elif isinstance(part, Choice):
            found.update(name for way in part.ways for name in _slots(way))
    return found


@dataclass
class Phrasebook:
    """Rules by name, and the templates that were used so far: a fresh one is preferred to one already heard."""

    rules: Mapping[str, Sequence[str]]
    used: set[str] = field(default_factory=set)

    def say(self, rule: str, slots: Mapping[str, str], rng: Random, prefer: Collection[str] = ()) -> str:
        """One wording of a rule; mostly one with a preferred slot, if there is any.

        Raises KeyError for an unknown rule, ValueError when no template fits the slots.
        """
        return finish(self.draw(rule, slots, rng, prefer))

    def draw(self, rule: str, slots: Mapping[str, str], rng: Random, prefer: Collection[str] = ()) -> str:
        """One wording of a rule, not yet tidied."""
        fitting = [template for template in self.rules[rule] if slots_of(template) <= slots.keys()]
        preferred = [template for template in fitting if slots_of(template) & set(prefer)]
        if preferred and rng.random() < PREFERRED:
            fitting = preferred
        fresh = [template for template in fitting if template not in self.used] or fitting
        if not fresh:
            raise ValueError(f"no template of '{rule}' does with the slots {sorted(slots)}")
        template = fresh[rng.randrange(len(fresh))]
        self.used.add(template)
        return self._expand(parse(template), slots, rng)

    def _expand(self, parts: Sequence[Part], slots: Mapping[str, str], rng: Random) -> str:
        said = []
        for part in parts:
            if isinstance(part, str):
                said.append(part)
            elif isinstance(part, Slot):
                said.append(slots[part.name])
            elif isinstance(part, Rule):
                said.append(self.draw(part.name, slots, rng))
            else:
                said.append(self._expand(part.ways[rng.randrange(len(part.ways))], slots, rng))
        return "".join(said)


def fill(template: str, slots: Mapping[str, str], rng: Random) -> str:
    """A template without rules, filled and with its alternatives drawn."""
    return _squeeze(Phrasebook({"": [template]}).draw("", slots, rng))


def fits(template: str, slots: Collection[str]) -> bool:
    """Whether every slot of a template is among the known ones."""
    return slots_of(template) <= set(slots)


def _squeeze(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r" ([,.;:?!])", r"\1", text)


def finish(text: str) -> str:
    """Spaces, full stops and capitals put right."""
    text = _squeeze(text)
    text = re.sub(r"([.?!])(\"?)\.(?!\.)", r"\1\2", text)
    text = re.sub(r"([,;:])([.?!])", r"\2", text)
    return re.sub(r"(?:^|(?<=[.?!] )|(?<=[.?!]\" ))(\"?)([a-z])", lambda found: found[1] + found[2].upper(), text)


@lru_cache(maxsize=32)
def read_rules(path: Path) -> Mapping[str, tuple[str, ...]]:
    """The rules of a YAML file, or of all YAML files of a folder; one that stands in two files is joined, in order."""
    rules: dict[str, tuple[str, ...]] = {}
    for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
        loaded = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for name, templates in loaded.items():
            rules[name] = (*rules.get(name, ()), *templates)
    return rules
