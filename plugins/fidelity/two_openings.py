"""Two openings: a session that begins again in its middle."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cbtrun.plugin import Speaker
from cbtrun.plugins.fidelity.finding import Case, Check, Finding, straight

OPENING_TURNS = 4  # a greeting, and one back, belong to the first turns
GREETS = re.compile(
    r"^\W*(?:(?:hello|hi|hey|good (?:morning|afternoon|evening)|welcome)\b(?! (?:and )?(?:to|he|she|they|it|when|was)\b)|nice to meet you)",
    re.IGNORECASE,
)
BEGINS = re.compile(
    r"\b(?:my name is|(?:nice|good|great|pleased|lovely) to (?:finally )?(?:meet|see) you|thank(?:s| you) for (?:seeing|having|making time|coming|taking the time to see)"
    r"|what (?:brings|brought|has brought) you|i(?:'m| am| guess i'm) here because|my first (?:time|session)|your first session|never been to therapy"
    r"|welcome (?:back|to)|come in|have a seat|take a seat|i made this appointment|i have an appointment|before we (?:begin|start)"
    r"|(?:how|what) (?:have you been|has your week been|was your week)|since (?:our|we|i) last|glad (?:that )?you (?:came|could make it)"
    r"|(?:where|how) (?:would you like )?to (?:start|begin)|where to start|wasn't sure if i should come|like to (?:talk about|work on|focus on) today"
    r"|start(?:ing)? with how|tell me (?:a (?:little|bit) )?about yourself|how this works|gave me your (?:number|name)|i'm [A-Z]\w+[.,])",
    re.IGNORECASE,
)


def _find(case: Case) -> Iterator[Finding]:
    for speaker in ("patient", "therapist"):
        for number, text in case.of(speaker):
            if number > OPENING_TURNS and opens(straight(text)):
                yield _finding(speaker, number, text)


def _finding(speaker: Speaker, number: int, text: str) -> Finding:
    return Finding("two_openings", speaker, number, text)


def opens(text: str) -> bool:
    """Whether a turn greets and begins, as only a session's first turns do."""
    return GREETS.search(text) is not None and BEGINS.search(text) is not None


CHECK = Check(
    name="two_openings",
    measures="turns that greet and begin a session (name, thanks for seeing me, what brings you)",
    threshold=f"one such turn after the first {OPENING_TURNS}",
    find=_find,
)
