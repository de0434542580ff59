"""One simulated session: two models take turns until it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ContextRoom, Draw, HasRoom, Reply, Request, Session, Speaker, Turn, digest
from cbtrun.plugins.dialogue.admission import Admission, Seat
from cbtrun.plugins.dialogue.context import Window, open_windows
from cbtrun.plugins.dialogue.endings import both_took_leave, cut_at_marker
from cbtrun.plugins.dialogue.prompts import view
from cbtrun.plugins.dialogue.units import Unit

if TYPE_CHECKING:
    from cbtrun.plugin import Calls

OTHER: dict[Speaker, Speaker] = {"therapist": "patient", "patient": "therapist"}


@dataclass
class Conversation:
    """One session in progress."""

    unit: Unit
    options: Mapping[str, Any]
    models: Mapping[Speaker, Calls]
    systems: Mapping[Speaker, str]
    """What each side is told, filled in."""
    admission: Admission
    begin: Callable[[], None] = lambda: None
    """Called when the first turn is asked for: whatever the session waited for is over."""
    step: Callable[[], None] = lambda: None
    """Called after each turn."""
    seat: Seat | None = None
    """Its place among those under way."""
    number: int = 1
    """Position in the course, from 1."""
    sessions: int = 1
    """Sessions of the course."""
    reminder: str = ""
    """Note to the patient before each of its turns."""
    turns: list[Turn] = field(default_factory=list)
    cut: Counter[str] = field(default_factory=Counter)
    """Turns that reached their token limit, by speaker."""
    flags: list[str] = field(default_factory=list)
    tokens: int = 0
    """Tokens that both sides have spoken."""

    async def hold(self) -> Session:
        """Take turns until the session ends."""
        ended = self._after_opening()
        self.begin()
        while not ended:
            ended = await self._turn()
            self.step()
        unit = self.unit
        course = {"session_number": str(self.number)} if self.sessions > 1 else {}
        return Session(
            id=unit.session_id(self.number, self.sessions),
            arm=unit.therapist.arm,
            persona=unit.persona.id,
            repeat=unit.repeat,
            number=self.number,
            draw=self._draw(),
            factors=dict(unit.therapist.factors),
            labels=course,
            turns=tuple(self.turns),
            ended=ended,
            flags=(*self.flags, *_counted("cut_turns", self.cut), *self._losses()),
        )

    def _after_opening(self) -> str:
        if self.options.get("opening"):
            self.turns.append(Turn(speaker=self.options["opens"], text=self.options["opening"]))
        return "max_turns" if len(self.turns) >= self.options["max_turns"] else ""

    async def _turn(self) -> str:
        """One turn of whoever is next. Returns why the session ended, or nothing."""
        speaker: Speaker = OTHER[self.turns[-1].speaker] if self.turns else self.options["opens"]
        reply = await self._reply(speaker)
        if self.seat is not None:
            self.admission.took(self.seat, speaker, reply)
        text, marked = cut_at_marker(reply.text.strip(), self.options["end_markers"])
        if not text and not marked:
            self.flags.append(f"empty_turn: {speaker}")
            return "empty_turn"
        if text:
            self.turns.append(Turn(speaker=speaker, text=text))
        self.cut[speaker] += reply.finish == "length"
        self.tokens += reply.tokens_out
        if marked:
            return "end_marker"
        if self.options["farewell"] and both_took_leave(self.turns):
            return "farewell"
        if self.tokens >= (self.options["max_tokens"].get("session") or float("inf")):
            return "max_tokens"
        return "max_turns" if len(self.turns) >= self.options["max_turns"] else ""

    async def _reply(self, speaker: Speaker) -> Reply:
        """What the speaker's model says; an empty reply is asked for once more."""
        item = f"session {self.number}" if self.number > 1 else ""
        request = Request(
            messages=(),
            draw=Draw(speaker, self._subject, self.unit.repeat, len(self.turns) + 1, item),
            max_tokens=self.options["max_tokens"][speaker],
            stop=tuple(self.options["stop"]),
            label=self.unit.therapist.label,
            about=self.unit.persona.id,
        )
        window = self._windows[speaker]
        messages = await window.messages(self.systems[speaker], self.turns, self._note(speaker), request)
        request = replace(request, messages=messages)
        reply = await self.models[speaker].reply(request)
        if reply.text.strip():
            return reply
        return await self.models[speaker].reply(replace(request, draw=replace(request.draw, attempt=2)))

    def dialogues(self) -> tuple[dict[Speaker, ContextRoom], dict[Speaker, int]]:
        """The memory that each side's dialogue takes part of, and the tokens that it begins with."""
        models = {speaker: calls.model for speaker, calls in self.models.items()}
        rooms = {speaker: model.room for speaker, model in models.items() if isinstance(model, HasRoom)}
        there = {speaker: room for speaker, room in rooms.items() if room is not None}
        starts = {speaker: self._windows[speaker].size(view(speaker, self.systems[speaker], [])) for speaker in there}
        return there, starts

    def _note(self, speaker: Speaker) -> str:
        """What the speaker is told beside the other's words: the patient who it is, the therapist that the end is near."""
        if speaker == "patient":
            return self.reminder
        closing = self.options.get("closing") or {}
        left = self.options["max_turns"] - len(self.turns)
        return str(closing["note"]) if closing and left <= closing["turns"] else ""

    @cached_property
    def _windows(self) -> dict[Speaker, Window]:
        return open_windows(self.models, self.options["context"])

    @cached_property
    def _subject(self) -> str:
        return digest(self.unit.persona)

    def _losses(self) -> list[str]:
        return [flag for speaker in sorted(self._windows) for flag in self._windows[speaker].flags()]

    def _draw(self) -> str:
        """Digest of what makes the session a draw of its own: nothing in it was named by the study."""
        models = [self.models["therapist"].identity, self.models["patient"].identity]
        told = [self.systems["therapist"], self.reminder]
        return digest([self._subject, self.unit.repeat, self.number, models, told])


def _counted(name: str, counts: Counter[str]) -> list[str]:
    return [f"{name}: {speaker} {count}" for speaker, count in sorted(counts.items()) if count]
