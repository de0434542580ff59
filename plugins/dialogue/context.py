"""What to do when a session outgrows what a model may be shown: fail, drop the oldest turns, or summarise them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ChatMessage, Request, Speaker, StageError, Turn
from cbtrun.plugins.dialogue.notes import with_note
from cbtrun.plugins.dialogue.prompts import view

if TYPE_CHECKING:
    from cbtrun.plugin import Calls

SUMMARISE = (
    "You keep notes of a therapy session for the {speaker}. Write down in at most 80 words what the turns below say that "
    "the {speaker} must remember: facts, thoughts, feelings and agreements. No comment, no advice."
)
SUMMARY_TOKENS = 160
CHUNK = 4  # turns that a summary takes in at a time, so that not every turn needs a new one


@dataclass
class Window:
    """What one speaker's model is shown of a session."""

    speaker: Speaker
    calls: Calls
    limit: int | None
    """Most tokens of a prompt; none leaves it to the model."""
    policy: str
    first: int = 0
    """Turns that are left out, from the start."""
    summary: str = ""
    """What stands for them."""
    summarised: int = 0
    """Turns that the summary covers."""
    losses: dict[int, int] = field(default_factory=dict)
    """Turn that was being made -> turns that were left out of its prompt, where that grew."""

    async def messages(
        self, system: str, turns: Sequence[Turn], note: str, request: Request
    ) -> tuple[ChatMessage, ...]:
        """The prompt for the next turn, within the limit. Raises StageError when the policy is to fail."""
        shown = self._shown(system, turns, note)
        if self.limit is None:
            return shown
        size = self.size(shown)
        while size > self.limit:
            if self.policy == "fail" or self.first + 1 >= len(turns):
                what = f"the {self.speaker}'s prompt has {size} tokens and context/max_tokens is {self.limit}"
                raise StageError(what)
            self.first += 1
            self.losses[len(turns) + 1] = self.first
            shown = self._shown(system, turns, note)
            size = self.size(shown)
        if self.policy == "summarise" and self.first > self.summarised:
            await self._summarise(turns, request)
            return await self.messages(system, turns, note, request)
        return shown

    def _shown(self, system: str, turns: Sequence[Turn], note: str) -> tuple[ChatMessage, ...]:
        told = f"{system}\n\nEarlier in this session: {self.summary}" if self.summary else system
        return with_note(view(self.speaker, told.strip(), turns[self.first :]), note)

    def size(self, messages: tuple[ChatMessage, ...]) -> int:
        """Tokens of a prompt, as the model counts them or as we estimate."""
        counted = self.calls.count_tokens(messages)
        return estimated_tokens(messages) if counted is None else counted

    async def _summarise(self, turns: Sequence[Turn], request: Request) -> None:
        """Take the turns that are left out, and a few more, into the summary."""
        end = min(self.first + CHUNK, len(turns) - 1)
        text = "\n".join(f"{turn.speaker.capitalize()}: {turn.text}" for turn in turns[self.summarised : end])
        known = f"So far: {self.summary}\n\n" if self.summary else ""
        asked = replace(
            request,
            messages=(
                ChatMessage("system", SUMMARISE.format(speaker=self.speaker)),
                ChatMessage("user", known + text),
            ),
            draw=replace(request.draw, item=f"{request.draw.item} summary of {end} turns".strip()),
            max_tokens=SUMMARY_TOKENS,
        )
        self.summary = " ".join((await self.calls.reply(asked)).text.split())
        self.first = self.summarised = end
        self.losses[len(turns) + 1] = end

    def flags(self) -> list[str]:
        """What was left out, and from which turn on: `dropped_context: therapist 6 turns from turn 9 on`."""
        if not self.first:
            return []
        name = "summarised_context" if self.policy == "summarise" else "dropped_context"
        return [f"{name}: {self.speaker} {self.first} turns, from turn {min(self.losses)} on"]


def open_windows(models: Mapping[Speaker, Calls], options: Mapping[str, Any]) -> dict[Speaker, Window]:
    """A window for each speaker. options: the block's `context`."""
    limit, policy = options.get("max_tokens"), options.get("policy", "fail")
    return {speaker: Window(speaker, calls, limit, policy) for speaker, calls in models.items()}


def estimated_tokens(messages: tuple[ChatMessage, ...]) -> int:
    """Tokens for a model that cannot count them: three bytes each, more than common tokenizers need for English."""
    return sum(len(message.content.encode()) // 3 + 5 for message in messages)
