"""One simulated session: two models take turns until it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cbtrun.digests import digest
from cbtrun.errors import StageError
from cbtrun.models import ChatMessage, Draw, Reply, Request
from cbtrun.plugins.dialogue_endings import both_took_leave, cut_at_marker
from cbtrun.plugins.dialogue_prompts import patient_system, view
from cbtrun.records import Persona, Session, Speaker, Turn

if TYPE_CHECKING:
    from cbtrun.calls import Calls

OTHER: dict[Speaker, Speaker] = {"therapist": "patient", "patient": "therapist"}


@dataclass(frozen=True)
class Therapist:
    """An arm's therapist: one for each seed of its tune job."""

    arm: str
    model: str
    """Name of a model or a tune job, `job@seed` where the job has several."""
    patient: str
    system: str
    factors: Mapping[str, str]
    label: str
    """The arm's name, with the seed where there are several: first part of the sessions' ids."""


@dataclass(frozen=True)
class Unit:
    """One session to hold."""

    therapist: Therapist
    persona: Persona
    repeat: int

    @property
    def id(self) -> str:
        """Unique within the study."""
        return f"{self.therapist.label}/{self.persona.id}/{self.repeat}"


@dataclass
class Conversation:
    """One session in progress."""

    unit: Unit
    options: Mapping[str, Any]
    models: Mapping[Speaker, Calls]
    turns: list[Turn] = field(default_factory=list)
    cut: Counter[str] = field(default_factory=Counter)
    """Turns that reached their token limit, by speaker."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Most turns that were left out of a speaker's prompt."""
    flags: list[str] = field(default_factory=list)

    async def hold(self) -> Session:
        """Take turns until the session ends."""
        ended = self._after_opening()
        while not ended:
            ended = await self._turn()
        unit = self.unit
        return Session(
            id=unit.id,
            arm=unit.therapist.arm,
            persona=unit.persona.id,
            repeat=unit.repeat,
            draw=self._draw(),
            factors=dict(unit.therapist.factors),
            turns=tuple(self.turns),
            ended=ended,
            flags=(*self.flags, *_counted("cut_turns", self.cut), *_counted("dropped_context", self.dropped)),
        )

    def _after_opening(self) -> str:
        if self.options.get("opening"):
            self.turns.append(Turn(speaker=self.options["opens"], text=self.options["opening"]))
        return "max_turns" if len(self.turns) >= self.options["max_turns"] else ""

    async def _turn(self) -> str:
        """One turn of whoever is next. Returns why the session ended, or nothing."""
        speaker: Speaker = OTHER[self.turns[-1].speaker] if self.turns else self.options["opens"]
        reply = await self._reply(speaker)
        text, marked = cut_at_marker(reply.text.strip(), self.options["end_markers"])
        if not text and not marked:
            self.flags.append(f"empty_turn: {speaker}")
            return "empty_turn"
        if text:
            self.turns.append(Turn(speaker=speaker, text=text))
        self.cut[speaker] += reply.finish == "length"
        if marked:
            return "end_marker"
        if self.options["farewell"] and both_took_leave(self.turns):
            return "farewell"
        return "max_turns" if len(self.turns) >= self.options["max_turns"] else ""

    async def _reply(self, speaker: Speaker) -> Reply:
        """What the speaker's model says; an empty reply is asked for once more."""
        request = Request(
            messages=self._messages(speaker),
            draw=Draw(speaker, self._subject, self.unit.repeat, len(self.turns) + 1),
            max_tokens=self.options["max_tokens"][speaker],
            stop=tuple(self.options["stop"]),
            label=self.unit.therapist.label,
        )
        reply = await self.models[speaker].reply(request)
        if reply.text.strip():
            return reply
        return await self.models[speaker].reply(replace(request, draw=replace(request.draw, attempt=2)))

    def _messages(self, speaker: Speaker) -> tuple[ChatMessage, ...]:
        """What the speaker sees, within the limit of the context."""
        system = self._system(speaker)
        messages = view(speaker, system, self.turns)
        limit = self.options["context"].get("max_tokens")
        if limit is None:
            return messages
        count = getattr(self.models[speaker].model, "count_tokens", _estimated_tokens)
        first, size = 0, count(messages)
        while size > limit:
            if self.options["context"]["policy"] == "fail" or first + 1 >= len(self.turns):
                raise StageError(f"the {speaker}'s prompt has {size} tokens and context/max_tokens is {limit}")
            first += 1
            messages = view(speaker, system, self.turns[first:])
            size = count(messages)
        self.dropped[speaker] = max(self.dropped[speaker], first)
        return messages

    @cached_property
    def _subject(self) -> str:
        return digest(self.unit.persona)

    def _system(self, speaker: Speaker) -> str:
        return self.unit.therapist.system if speaker == "therapist" else self._patient_system

    @cached_property
    def _patient_system(self) -> str:
        return patient_system(self.options["patient_system"], self.unit.persona, self.options["max_turns"])

    def _draw(self) -> str:
        """Digest of what makes the session a draw of its own: nothing in it was named by the study."""
        models = [self.models["therapist"].identity, self.models["patient"].identity]
        return digest([self._subject, self.unit.repeat, models, self.unit.therapist.system])


def _counted(name: str, counts: Counter[str]) -> list[str]:
    return [f"{name}: {speaker} {count}" for speaker, count in sorted(counts.items()) if count]


def _estimated_tokens(messages: tuple[ChatMessage, ...]) -> int:
    """Tokens for a model that cannot count them: three bytes each, more than common tokenizers need for English."""
    return sum(len(message.content.encode()) // 3 + 5 for message in messages)
