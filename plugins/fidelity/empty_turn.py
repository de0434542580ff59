"""Empty turns: nothing said, or only marks and stage directions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cbtrun.plugins.fidelity.finding import Case, Check, Finding

SOUNDS = re.compile(
    r"\[?\(?\b(?:laugh\w*|chuckle\w*|sigh\w*|cough\w*|cries|crying|sob\w*|inaudible|unintelligible|crosstalk|nods?|nodding|shrugs?)\b",
    re.IGNORECASE,
)
"""What transcribers of real sessions put in brackets: a sound or a gesture is an answer there."""

NOT_SPEECH = (
    r"<[|/]?\w+\|?>",
    r"\[[^\]]*\]",
    r"\([^)]*\)",
    r"\*[^*]*\*",
    r"^\s*(?:patient|therapist|client|user|assistant)\s*:",
)


def _find(case: Case) -> Iterator[Finding]:
    for speaker in ("patient", "therapist"):
        for number, text in case.of(speaker):
            if empty(text, imported=case.persona is None):
                yield Finding("empty_turn", speaker, number, text)


def empty(text: str, *, imported: bool = False) -> bool:
    """Whether nothing is said. imported: a bracketed sound of a transcriber counts as an answer."""
    if imported and SOUNDS.search(text):
        return False
    for pattern in NOT_SPEECH:
        text = re.sub(pattern, " ", text, flags=re.IGNORECASE)
    return re.search(r"\w", text) is None


CHECK = Check(
    name="empty_turn",
    measures="turns without a spoken word: nothing, punctuation, stage directions, special tokens, a bare speaker's name",
    threshold="one such turn",
    find=_find,
)
