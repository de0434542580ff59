"""How a patient puts an answer: words for the kind of answer, from its own material, in its own way of talking."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from cbtrun.plugin import FullPersona
from cbtrun.plugins.personas.material import PATIENT_WORDS, Material, patient_material, sentences
from cbtrun.plugins.wording.phrasing import Phrasebook, fits, read_rules

DOUBLED = 0.35  # share of answers of a DOUBLE kind that are made of two wordings
DOUBLE = frozenset({
    "alone_with_it", "bridge_vague", "bridge_yes", "coping", "ending", "feedback", "gains", "goal_step", "heard",
    "hw_insight", "hw_not", "hw_obstacle", "hw_ok", "loop", "obstacle", "other_view", "sigh", "summary", "tell_more",
})  # fmt: skip
COLOURED = 0.3  # share of turns that show a habit of speech before, and again after, what is said


@dataclass
class Voice:
    """A patient speaking: what it can say, the wordings it has used, and the dice."""

    persona: FullPersona
    material: Material
    book: Phrasebook
    rng: Random
    quote: str = ""
    """A sentence of the last answer that could be said back word for word; empty when there is none."""

    def say(self, kind: str, colour: bool = True) -> str:
        """An answer of a kind; what it tells is noted as said."""
        text = self._words(kind)
        if kind in DOUBLE and self.rng.random() < DOUBLED:
            text = f"{text} {self._words(kind)}"
        self.quote = quotable(text)
        if colour:
            text = self._coloured(text)
        self.material.note(text)
        return text

    def can(self, kind: str) -> bool:
        """Whether there is a wording of this kind that was not used, with nothing in it that was told before."""
        fresh = self.material.fresh().keys()
        return any(fits(one, fresh) and one not in self.book.used for one in self.book.rules[kind])

    def _words(self, kind: str) -> str:
        """Fresh material if there is a wording for it, else whatever there is."""
        try:
            return self.book.say(kind, self.material.fresh(), self.rng)
        except ValueError:
            return self.book.say(kind, self.material.slots, self.rng)

    def _coloured(self, text: str) -> str:
        before = self._habit("before") if self.rng.random() < COLOURED else ""
        after = self._habit("after") if self.rng.random() < COLOURED / 2 else ""
        if "few words" in self.persona.speech:
            text = " ".join(sentences(text)[:2])
        return " ".join(part for part in (before, text, after) if part)

    def _habit(self, where: str) -> str:
        rules = [rule for rule in self.book.rules if rule.startswith(where) and _marks(self.persona.speech, rule)]
        return self.book.say(rules[0], {}, self.rng) if rules and self.can(rules[0]) else ""


def quotable(text: str) -> str:
    """The longest sentence of 4 to 13 words without a quotation, its full stop left out; empty when there is none."""
    fitting = [one for one in sentences(text) if 4 <= len(one.split()) <= 13 and '"' not in one and one[-1:] == "."]
    return max(fitting, key=lambda one: len(one.split()), default="").rstrip(".")


def _marks(speech: str, rule: str) -> bool:
    return re.search(rf"\b{re.escape(rule.split(' ', 1)[1])}", speech) is not None


def open_voice(
    persona: FullPersona, number: int, rng: Random, words: Mapping[str, tuple[str, ...]] | None = None
) -> Voice:
    """A patient at the start of session `number`. words: rule -> wordings; the shipped ones if not given."""
    material = patient_material(persona, number, rng)
    return Voice(persona, material, Phrasebook(read_rules(PATIENT_WORDS) if words is None else words), rng)
