"""Clinical register: a patient who talks like a textbook, or in lists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cbtrun.plugins.fidelity.finding import Case, Check, Finding, straight

GRAVE = (
    r"anhedoni\w+", r"psychomotor\w*", r"avolition", r"symptomatology", r"hyper-?somnia", r"maladaptive", r"phq-?9?",
    r"depressogenic", r"cognitive restructuring", r"behaviou?ral activation", r"diagnostic criteria", r"dsm-?\w*",
    r"meet (?:the )?criteria", r"major depressive (?:disorder|episode)", r"intermediate beliefs?", r"dysfunctional assumptions?",
    r"cognitive distortions?", r"(?:negative|early|maladaptive) schemas?", r"efficacious", r"self-efficacy", r"comorbid\w*",
    r"safety behaviou?rs?", r"psycho-?education", r"aetiolog\w+", r"i present with",
)  # fmt: skip
"""Terms of which one is enough."""

TECHNICAL = (
    r"schemas?", r"catastrophi[sz]\w+", r"over-?generali[sz]\w+", r"personali[sz]ation", r"emotional reasoning",
    r"mind[- ]reading", r"all-or-nothing thinking", r"black-and-white thinking", r"core beliefs?", r"automatic thoughts?",
    r"blunted", r"affect", r"coping (?:mechanism|strateg)\w*", r"ruminat\w+", r"exacerbat\w+", r"perpetuat\w+", r"impair\w*",
    r"attachment (?:style|experience|issue)s?", r"interpersonal", r"libido", r"insomnia", r"depressive", r"symptoms?",
    r"diminished", r"dysfunction\w*", r"deteriorat\w+", r"persistent", r"reinforc\w+", r"internali[sz]\w+", r"utili[sz]e\w*",
    r"stem(?:s|ming)? from", r"markedly", r"moderately severe", r"social withdrawal", r"avoidance(?: patterns?)?", r"hyper-?vigilan\w+",
    r"self-(?:critical|criticism|esteem|worth)", r"attribut\w+", r"episodes?", r"recurrent", r"labell?ing", r"reduced",
)  # fmt: skip
"""Terms of which it takes three, or two in twenty words; what the therapist said before does not count."""

_ITEM = re.compile(r"(?:[-*•]|\d++[.)])(?:\s|$)")
_ONE, _TWO = re.compile(r"\b1[.)] "), re.compile(r" 2[.)] ")
HEADED = re.compile(r"\*\*[^*\n]{2,30}:?\*\*:?[^*]+\*\*[^*\n]{2,30}:?\*\*|^#+ ", re.MULTILINE)


def _find(case: Case) -> Iterator[Finding]:
    heard = ""
    for number, turn in enumerate(case.turns, 1):
        text = straight(turn.text).lower()
        if turn.speaker == "therapist":
            heard += " " + text
        elif evidence := _clinical(turn.text, text, heard):
            yield Finding("clinical_register", "patient", number, evidence)


def _clinical(text: str, lowered: str, heard: str) -> str:
    """The terms or the list that give a turn away; empty when nothing does."""
    if _is_list(text) or HEADED.search(text):
        return text
    grave = [term for term in _terms(GRAVE, lowered) if term not in heard]
    terms = [term for term in _terms(TECHNICAL, lowered) if term not in heard]
    dense = len(terms) >= 2 and len(lowered.split()) <= 20 * (len(terms) - 1)
    return ", ".join([*grave, *terms]) if grave or len(terms) >= 3 or dense else ""


def _is_list(text: str) -> bool:
    """Two lines that begin with a bullet or a number, or "1. ... 2. ..." in one."""
    lines = [line.strip() for line in text.split("\n")]
    if sum(_ITEM.match(line) is not None for line in lines if line) > 1:
        return True
    one = _ONE.search(text)
    return one is not None and _TWO.search(text, one.end() + 1) is not None


def _terms(patterns: tuple[str, ...], lowered: str) -> list[str]:
    found = (re.search(rf"\b(?:{pattern})\b", lowered) for pattern in patterns)
    return sorted({match[0] for match in found if match})


CHECK = Check(
    name="clinical_register",
    measures="clinicians' terms in a patient's turn that the therapist had not used before, and bulleted or numbered lists",
    threshold="one grave term, three technical ones, two in 20 words, or a list",
    find=_find,
)
