"""Sentence templates: parsing once, expanding fast.

`<slot>` is replaced by a fact of the scene or by a random entry of the word list of that name; `<Slot>` begins
with a capital; `<slot.you>` says it back to its speaker ("my boss saw me" -> "your boss saw you"). `(a|b|)` is one
of the alternatives, which may be empty and may nest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

SLOT = re.compile(r"<([A-Za-z_][\w.]*)>")
TOKEN = re.compile(r"<[A-Za-z_][\w.]*>|[(|)]|[^<(|)]+|<")

UNKNOWN = "\0"
"""Stands for a fact that the scene does not have yet; a line with it is never said."""

SAID_BACK = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are", "i'm": "you're",
    "i've": "you've", "i'd": "you'd", "i'll": "you'll", "we": "you", "us": "you", "our": "your", "ours": "yours",
}  # fmt: skip
AFTER_I = {"was": "were", "wasn't": "weren't"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to be filled: the name looked up, and what is done to the value."""

    name: str
    capital: bool
    said_back: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several alternatives."""

    options: tuple[Template, ...]


Template = tuple["str | Slot | Choice", ...]


def parse(text: str) -> Template:
    """The template of a text. Raises ValueError when brackets do not match."""
    tokens = TOKEN.findall(text)
    options, rest = _parse_options(tokens, 0)
    if rest != len(tokens) or len(options) != 1:
        raise ValueError(f"unbalanced brackets in template: {text!r}")
    return options[0]


def _parse_options(tokens: list[str], at: int) -> tuple[list[Template], int]:
    options: list[Template] = []
    parts: list[str | Slot | Choice] = []
    while at < len(tokens) and tokens[at] != ")":
        if tokens[at] == "|":
            options.append(tuple(parts))
            parts = []
        elif tokens[at] == "(":
            inner, at = _parse_options(tokens, at + 1)
            if at >= len(tokens):
                raise ValueError("unbalanced brackets: ( without )")
            parts.append(Choice(tuple(inner)))
        else:
            parts.append(_slot(tokens[at]))
        at += 1
    options.append(tuple(parts))
    return options, at


def _slot(token: str) -> str | Slot:
    match = SLOT.fullmatch(token)
    if match is None:
        return token
    name = match[1]
    said_back = name.endswith(".you")
    name = name.removesuffix(".you")
    return Slot(name[0].lower() + name[1:], name[0].isupper(), said_back)


def say_back(text: str) -> str:
    """The text as its hearer would say it: first person becomes second ("I was late" -> "you were late")."""
    words = text.split(" ")
    out: list[str] = []
    before = ""
    for word in words:
        core = word.rstrip(".,;:!?'")
        low = core.lower()
        flipped = SAID_BACK.get(low) or (AFTER_I.get(low) if before == "i" else None)
        out.append(word if flipped is None else flipped + word[len(core) :])
        before = low
    return " ".join(out)


def capitalise(text: str) -> str:
    """The text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def _unknown(rng: Random) -> str:
    del rng
    return UNKNOWN


class Grammar:
    """Word lists and templates by name, and makers of open vocabulary; expands a template for a scene."""

    def __init__(self, lists: Mapping[str, list[Template]], makers: Mapping[str, Callable[[Random], str]]) -> None:
        self.lists = lists
        self.makers = makers
        self.said: list[str] = []  # what was filled in since it was last cleared

    def expand(self, template: Template, facts: Mapping[str, str], rng: Random, fresh: bool = False) -> str:
        """One text of the template; `fresh` prefers a new draw to a fact of the scene with the same name.

        A slot that nothing fills becomes UNKNOWN.
        """
        out: list[str] = []
        for part in template:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Slot):
                out.append(self._fill(part, facts, rng, fresh))
            else:
                out.append(self.expand(part.options[int(rng.random() * len(part.options))], facts, rng, fresh))
        return "".join(out)

    def _fill(self, slot: Slot, facts: Mapping[str, str], rng: Random, fresh: bool) -> str:
        value = None if fresh and (slot.name in self.lists or slot.name in self.makers) else facts.get(slot.name)
        if value is None:
            value = self.draw(slot.name, rng)
        self.said.append(value)
        if slot.said_back:
            value = say_back(value)
        return capitalise(value) if slot.capital else value

    def draw(self, name: str, rng: Random) -> str:
        """A fresh entry of the list or maker called `name`; the scene's facts play no part in it."""
        entries = self.lists.get(name)
        if entries is None:
            return self.makers.get(name, _unknown)(rng)
        return self.expand(entries[int(rng.random() * len(entries))], {}, rng)
