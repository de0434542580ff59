"""How a scripted patient hears and speaks: the shipped way, or that with a practice's own ear and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.plugin import BoundedPatterns, bounded
from cbtrun.plugins.personas.material import PATIENT_WORDS
from cbtrun.plugins.wording.phrasing import read_rules

if TYPE_CHECKING:
    from cbtrun.plugins.practices.practice import Practice

EAR = Path(__file__).parent / "ear"


@dataclass(frozen=True, eq=False)
class Manner:
    """What a patient goes by."""

    questions: Mapping[str, re.Pattern[str] | BoundedPatterns]
    """Kind of question -> what gives it away in lower-case text, the more telling first."""
    words: Mapping[str, tuple[str, ...]]
    """Kind of answer -> wordings."""
    own: frozenset[str] = frozenset()
    """Kinds of question that a practice adds: they are answered by the wordings of the same name."""
    needs_trust: Mapping[str, float] | None = None
    """Kind of such a question -> trust without which it is evaded."""
    heard: str = ""
    """Text of a practice's wordings: a patient understands its words."""


@lru_cache(maxsize=1)
def shipped_manner() -> Manner:
    """The patient of a study that names no practice."""
    return Manner(_patterns(read_rules(EAR / "questions.yaml")), read_rules(PATIENT_WORDS))


def manner_of(practice: Practice | None) -> Manner:
    """The patient's manner in a practice."""
    shipped = shipped_manner()
    if practice is None:
        return shipped
    heard = " ".join(text for templates in practice.therapist.values() for text in templates)
    own = {kind: bounded(signs) for kind, signs in practice.ear.items()}
    questions = {**own, **shipped.questions, **own}
    return Manner(questions, practice.patient_words, frozenset(practice.ear), practice.needs_trust, heard.lower())


def _patterns(ear: Mapping[str, tuple[str, ...]]) -> dict[str, re.Pattern[str]]:
    return {kind: re.compile("|".join(signs)) for kind, signs in ear.items()}
