"""The PHQ-9 at the start of a session: nine questions by a fixed protocol, answered by the patient's model.

Source: Kroenke, Spitzer and Williams 2001; free to reproduce. A simulated patient's answers say how it was told to be,
not how anybody is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field

from cbtrun.plugin import Answer, ChatMessage, Draw, Request, ask

if TYPE_CHECKING:
    from cbtrun.plugin import Replies

ITEMS = (
    "Little interest or pleasure in doing things",
    "Feeling down, depressed, or hopeless",
    "Trouble falling or staying asleep, or sleeping too much",
    "Feeling tired or having little energy",
    "Poor appetite or overeating",
    "Feeling bad about yourself, or that you are a failure or have let yourself or your family down",
    "Trouble concentrating on things, such as reading the newspaper or watching television",
    "Moving or speaking so slowly that other people could have noticed, or the opposite",
    "Thoughts that you would be better off dead, or of hurting yourself in some way",
)
ASKED = (
    "Before the session you fill in a questionnaire (PHQ-9) as the person that you are. Over the last two weeks, how often "
    "have you been bothered by each of these? 0 not at all, 1 several days, 2 more than half the days, 3 nearly every day.\n"
    + "\n".join(f"{number}. {item}" for number, item in enumerate(ITEMS, 1))
    + '\nAnswer with JSON and nothing else: {"items": [nine numbers from 0 to 3, in this order]}'
)
MOST_TOKENS = 64
TRIES = 2


class Phq9(Answer):
    """The nine answers, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: Annotated[tuple[Annotated[int, Field(ge=0, le=3)], ...], Field(min_length=9, max_length=9)]
    """Points of each item, 0 to 3."""


async def ask_phq9(calls: Replies, system: str, draw: Draw, label: str = "") -> tuple[dict[str, float], str]:
    """The measures `phq9` (0 to 27) and `phq9_item9` (0 to 3), or none and why not."""
    messages = (ChatMessage("system", system), ChatMessage("user", ASKED)) if system else (ChatMessage("user", ASKED),)
    request = Request(messages, draw, max_tokens=MOST_TOKENS, label=label)
    answered = await ask(calls, request, Phq9, tries=TRIES)
    if answered.value is None:
        return {}, " ".join(str(answered.reason).split())
    return {"phq9": float(sum(answered.value.items)), "phq9_item9": float(answered.value.items[8])}, ""
