"""Echo of the prompt: a patient who says its instructions or the names of the persona's fields, or who steps out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cbtrun.plugin import Persona
from cbtrun.plugins.fidelity.finding import Case, Check, Finding, straight, words_of

SHARED_WORDS = 6  # words in a row that a turn may not share with the instruction

OUT_OF_CHARACTER = re.compile(
    r"\b(?:as an? (?:ai|artificial intelligence|(?:large )?language model|chat ?bot|virtual|digital)\b"
    r"|i(?:'m| am) (?:just |only |really )*an? (?:ai|artificial|language model|chat ?bot|simulat\w+|fictional|virtual|computer)\b"
    r"|language model\b|role-?play\w*|(?:simulated|fictional|assigned) (?:patient|client|person\w*|character)"
    r"|(?:my|the|this|assigned) (?:persona|character description|character profile|system prompt|prompt)\b"
    r"|play(?:ing)? (?:this|the|my) (?:part|role|character)|stay(?:ing)? in character|break(?:ing)? character"
    r"|my instructions?\b|i (?:was|am|'m|have been) (?:told|instructed|supposed|meant) to (?:play|act as|stay in|keep to|portray|pretend to be|be (?:a|the) (?:patient|client))\b"
    r"|(?:engagement|disclosure) style|the facts of the description|as instructed"
    r"|the patient (?:remains|is|seems|looks|says|responds|does|feels|pauses)"
    r"|here(?:'s| is) (?:\w+'s|the patient's|my|a) (?:response|reply|answer|turn)\b"
    r"|as (?:a|the) patient,? (?:i|with)"
    r"|i (?:will|'ll|should|must) (?:speak|answer|respond|reply) (?:in|as) (?:the first person|character|\w+ would)"
    r")",
    re.IGNORECASE,
)
MARKUP = re.compile(
    r"###\s*(?:instruction|response|input)|<\|\w+\|>\s*\w|\[/?(?:inst|sys)\]|^\s*\{\s*\"\w+\"\s*:", re.IGNORECASE
)
FIELDS = re.compile(r"\b(?:" + "|".join(name for name in Persona.model_fields if "_" in name) + r")\b")


def _find(case: Case) -> Iterator[Finding]:
    told = _runs(words_of(case.prompt))
    for number, text in case.of("patient"):
        if evidence := _echoed(straight(text), told, case.persona):
            yield Finding("prompt_echo", "patient", number, evidence)


def _echoed(text: str, told: frozenset[tuple[str, ...]], persona: Persona | None) -> str:
    """The words that belong to the prompt and not to a patient; empty when there are none."""
    for pattern in (OUT_OF_CHARACTER, MARKUP, FIELDS):
        if found := pattern.search(text):
            return found[0]
    if persona is not None and (evidence := _third_person(text, persona)):
        return evidence
    return " ".join(min(_runs(words_of(text)) & told, default=()))


def _third_person(text: str, persona: Persona) -> str:
    """The persona's name where a narrator would put it: `Anna (34, baker)`, `[As Anna, ...`, `Anna looks at`."""
    if not persona.name:
        return ""
    name = re.escape(persona.name)
    found = re.search(
        rf"\b{name} ?\(\d|[\[(*](?:\w+ ){{0,4}}{name}\b|^{name}(?:'s| (?:looks|sighs|says|nods|pauses|shrugs|smiles|hesitates))\b"
        rf"|\b{name}, {persona.age or r'[1-9][0-9]'}\b|^\W*{name}\s*:",
        text,
    )
    return found[0] if found else ""


def _runs(words: list[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words[at : at + SHARED_WORDS]) for at in range(len(words) - SHARED_WORDS + 1))


CHECK = Check(
    name="prompt_echo",
    measures="words of the patient's instruction, names of persona fields, chat markup, talk of being a model or in a role",
    threshold=f"{SHARED_WORDS} words in a row of the instruction, or one such name, mark or phrase",
    find=_find,
)
