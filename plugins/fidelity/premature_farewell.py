"""Premature farewell: the patient takes leave before the therapist has begun to close."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cbtrun.plugins.fidelity.finding import Case, Check, Finding, straight
from cbtrun.plugins.wording.farewell import takes_leave

PART = 0.6  # of the session's possible turns: a farewell later than that may be the patient's to begin
FEWEST_TURNS = 10  # of a session whose limit is not known

LEAVES = re.compile(
    r"\b(?:bye(?:[- ]bye)?|good-?bye|see you (?:soon|then|next|on|in|tomorrow|later|again)|until (?:next|then)|take care[.,!]*$"
    r"|(?:i(?:'ll| will|'d better| should| must| have to| need to|'ve got to| really must)? (?:be off|get going|go now|leave now|head off))"
    r"|have a (?:good|nice|great|lovely|wonderful) (?:day|one|evening|night|week(?:end)?|rest of)|i'll see you (?:next|on|in|then|soon)"
    r"|that's (?:all|enough)(?: for (?:me|today|now))* for today)\b",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"\b(?:time(?:'s| is)? (?:is )?(?:nearly |almost )?up|out of time|end (?:here|for today|of our)|before we (?:finish|end|stop|close|go|wrap)|wrap(?:ping)? up"
    r"|close (?:for today|the session)|(?:stop|finish) (?:here|for today)|that's (?:all|it) for today|see you (?:next|on|then|soon|again|in)|good-?bye|bye|take care"
    r"|until (?:then|next)|look after yourself|all the best|before you (?:go|leave)|next appointment|thank(?:s| you) for (?:coming|your (?:time|work|trust)))\b",
    re.IGNORECASE,
)
RECENT = 2  # turns of the therapist in which a word of closing explains the patient's farewell


def _find(case: Case) -> Iterator[Finding]:
    last = _latest_premature(case)
    heard: list[str] = []
    for number, turn in enumerate(case.turns, 1):
        if turn.speaker == "therapist":
            heard.append(straight(turn.text))
        elif number <= last and not any(map(CLOSING.search, heard[-RECENT:])) and _leaves(straight(turn.text)):
            yield Finding("premature_farewell", "patient", number, turn.text)


def _latest_premature(case: Case) -> float:
    return PART * max(case.max_turns or FEWEST_TURNS, len(case.turns))


def _leaves(text: str) -> bool:
    sentences = [part for part in re.split(r"(?<=[.!?,])\s+", text) if part]
    return takes_leave(text) or any(
        LEAVES.search(part)
        and not re.search(r"\b(?:said|say|says|saying|told|wave[ds]?|kiss\w*|not|never|can't)\b", part)
        for part in sentences[-3:]
        if "?" not in part
    )


CHECK = Check(
    name="premature_farewell",
    measures="the patient's words of leave while the therapist's last two turns did not speak of closing",
    threshold=f"a farewell within the first {PART:.0%} of the turns that the session could have had (or had)",
    find=_find,
)
