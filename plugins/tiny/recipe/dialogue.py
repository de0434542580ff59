"""One conversation of a role, from a seed: facts are introduced by one speaker and taken up by the other.

A role's script is a row of stages; a stage plays some of its moves. A move is what the assistant asks, what the
user answers, and how the assistant takes the answer up. One assistant turn is therefore the taking-up of the last
answer and the next question, and most of its content words stand in the turn before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from .templates import UNKNOWN, Grammar, Template, capitalise, parse
from .words import makers

Chat = list[dict[str, str]]
FOLDER = Path(__file__).resolve().parent
TRIES = 12
RUN_ON = frozenset(
    {"A", "About", "At", "Because", "Every", "Half", "Have", "He", "In", "It", "Mostly", "My", "No", "Nobody", "Not"}
    | {"On", "Only", "Our", "Perhaps", "She", "That", "The", "Then", "There", "They", "To", "Tomorrow", "We", "You"}
)  # words that lose their capital after "Well,"
MENDED = (
    ("  ", " "),
    (" ,", ","),
    (" .", "."),
    (" ?", "?"),
    ("?.", "?"),
    ("!.", "!"),
    *((f" a {vowel}", f" an {vowel}") for vowel in "aeio"),
)
HELD_EVERY = 8  # of the entries of a list marked `!`, every eighth is for held-out dialogue only


@dataclass(frozen=True)
class Move:
    """What the assistant asks, what the user answers, and how the assistant takes it up; `new` facts come first."""

    new: tuple[tuple[str, Template], ...]
    ask: tuple[Template, ...]
    answer: tuple[Template, ...]
    ack: tuple[Template, ...]


@dataclass(frozen=True)
class Stage:
    """Moves to choose from, and how many are played."""

    moves: tuple[str, ...]
    low: int
    high: int
    chance: float


@dataclass(frozen=True)
class Role:
    """One kind of conversation under its own system prompts."""

    name: str
    weight: float
    system: tuple[Template, ...]
    scene: tuple[tuple[str, Template], ...]
    opener: tuple[Template, ...]
    opener_ack: tuple[Template, ...]
    script: tuple[Stage, ...]
    moves: Mapping[str, Move]
    farewell: tuple[Template, ...]


@dataclass(frozen=True)
class Recipe:
    """All roles and the grammar they share, for one side of the split."""

    roles: tuple[Role, ...]
    grammar: Grammar


@cache
def recipe(held: bool) -> Recipe:
    """The recipe of training dialogue, or of held-out dialogue (other names, jobs, troubles and made-up words)."""
    lists: dict[str, list[Template]] = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        for key, entries in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            name = key.removesuffix("!")
            if name in lists:
                raise ValueError(f"{file.name}: list {name!r} is defined twice")
            lists[name] = _entries(entries, split=key.endswith("!"), held=held)
    grammar = Grammar(lists, makers(held))
    files = sorted((FOLDER / "roles").glob("*.yaml"))
    return Recipe(tuple(_role(yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files), grammar)


def _entries(entries: Any, split: bool, held: bool) -> list[Template]:
    if isinstance(entries, str):
        entries = entries.splitlines() if "\n" in entries else entries.split(",")
    words = [str(entry).strip() for entry in entries]
    if split:
        words = [word for i, word in enumerate(words) if (i % HELD_EVERY == HELD_EVERY - 1) == held]
    return [parse(word) for word in words if word]


def _templates(texts: str | Sequence[str] | None) -> tuple[Template, ...]:
    lines = texts.splitlines() if isinstance(texts, str) else texts
    return tuple(parse(str(line)) for line in lines or ())


def _role(spec: Mapping[str, Any]) -> Role:
    moves = {
        name: Move(
            _facts(move.get("new")), _templates(move["ask"]), _templates(move["answer"]), _templates(move["ack"])
        )
        for name, move in spec["moves"].items()
    }
    script = tuple(_stage(stage) for stage in spec["script"])
    for stage in script:
        for name in stage.moves:
            if name not in moves:
                raise ValueError(f"role {spec['role']!r}: unknown move {name!r}")
    return Role(
        name=spec["role"],
        weight=spec.get("weight", 1.0),
        system=_templates(spec["system"]),
        scene=_facts(spec.get("scene")),
        opener=_templates(spec.get("opener")),
        opener_ack=_templates(spec.get("opener_ack")),
        script=script,
        moves=moves,
        farewell=_templates(spec.get("farewell")),
    )


def _stage(spec: Mapping[str, Any]) -> Stage:
    low, high = spec.get("count") or (1, 1)
    return Stage(tuple(spec["moves"]), low, high, spec.get("chance", 1.0))


def _facts(spec: Mapping[str, str] | None) -> tuple[tuple[str, Template], ...]:
    return tuple((name, parse(str(text))) for name, text in (spec or {}).items())


def conversation(seed: str, held: bool = False, role: str | None = None) -> Chat:
    """One conversation as chat messages, the system prompt first; the same seed always gives the same one."""
    rng = Random(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    book = recipe(held)
    chosen = _choose_role(book.roles, rng) if role is None else next(r for r in book.roles if r.name == role)
    return _Talk(book.grammar, chosen, rng).play()


def _choose_role(roles: Sequence[Role], rng: Random) -> Role:
    mark = rng.random() * sum(role.weight for role in roles)
    for role in roles:
        mark -= role.weight
        if mark < 0:
            return role
    return roles[-1]


class _Talk:
    """A conversation being written."""

    def __init__(self, grammar: Grammar, role: Role, rng: Random) -> None:
        self.grammar, self.role, self.rng = grammar, role, rng
        self.facts: dict[str, str] = {}
        self.chat: Chat = []
        self._introduce(role.scene)
        style = self.rng.random()
        self.filler = 0.0 if style < 0.3 else 0.5 * self.rng.random()
        self.aside = 0.6 if style > 0.85 else 0.12
        self.brief = 0.35 < style < 0.5

    def play(self) -> Chat:
        """All turns, first to last."""
        self._say("system", self._one(self.role.system))
        pending: tuple[Template, ...] = ()
        if self.role.opener and self.rng.random() < 0.5:
            self._say("user", self._one(self.role.opener))
            pending = self.role.opener_ack
        for name in self._moves():
            move = self.role.moves[name]
            heard = self._heard(pending) if self.rng.random() < 0.94 else ""
            self._introduce(move.new)
            self._say("assistant", _joined(heard, self._asked(move.ask)) or "Go on.")
            self._say("user", self._answer(move))
            pending = move.ack
        self._say("assistant", _joined(self._heard(pending), self._one(self.role.farewell)))
        return self.chat

    def _heard(self, templates: Sequence[Template]) -> str:
        """How the last answer is taken up: only with facts that were really said in the last turns."""
        if not templates:
            return ""
        recent = " ".join(message["content"] for message in self.chat[-3:] if message["role"] != "system").lower()
        for _ in range(TRIES):
            self.grammar.said.clear()
            text = self._one(templates)
            if all(value.lower() in recent for value in self.grammar.said):
                return text
        return self.grammar.draw("nod", self.rng)

    def _asked(self, templates: Sequence[Template]) -> str:
        """The next question; one about what has been said is preferred to one that brings up something new."""
        said = " ".join(message["content"] for message in self.chat).lower()
        text = ""
        for _ in range(3):
            self.grammar.said.clear()
            text = self._one(templates)
            if all(value.lower() in said for value in self.grammar.said):
                return text
        return "" if UNKNOWN in text else text

    def _moves(self) -> list[str]:
        played: list[str] = []
        for stage in self.role.script:
            if self.rng.random() >= stage.chance:
                continue
            for _ in range(self.rng.randint(stage.low, stage.high)):
                fresh = [name for name in stage.moves if name not in played[-3:]] or list(stage.moves)
                played.append(fresh[int(self.rng.random() * len(fresh))])
        return played

    def _answer(self, move: Move) -> str:
        text = self._one(move.answer)
        if self.rng.random() < self.filler:
            text = _joined(self.grammar.draw("filler", self.rng), text)
        if not self.brief and self.rng.random() < self.aside:
            text = _joined(text, self.grammar.draw("aside", self.rng))
        return text

    def _introduce(self, new: Sequence[tuple[str, Template]]) -> None:
        for name, template in new:
            before = self.facts.get(name)
            value = self.grammar.expand(template, self.facts, self.rng, fresh=True)
            if before is not None:
                self.facts[f"prev.{name}"] = before
            self.facts[name] = value
            self.facts.setdefault(f"first.{name}", value)

    def _one(self, templates: Sequence[Template]) -> str:
        if not templates:
            return ""
        return self.grammar.expand(templates[int(self.rng.random() * len(templates))], self.facts, self.rng)

    def _say(self, role: str, content: str) -> None:
        for wrong, right in MENDED:
            content = content.replace(wrong, right)
        self.chat.append({"role": role, "content": capitalise(content.strip())})


def _joined(*parts: str) -> str:
    """The parts as one turn: each a sentence of its own, or running on after a comma."""
    spoken = [part.strip() for part in parts if part.strip()]
    out: list[str] = []
    for part in spoken:
        first = part.partition(" ")[0]
        runs_on = bool(out) and out[-1].endswith(",") and first.rstrip(".,") in RUN_ON
        out.append(part[0].lower() + part[1:] if runs_on else part)
    return " ".join(part if part[-1] in '.,?!"' or part[-1:] == "I" else f"{part}." for part in out)
