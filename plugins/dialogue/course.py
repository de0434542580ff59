"""A course: the sessions of one therapist with one persona, one after the other, each told what the last ones left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import CbtrunError, Draw, Request, Session, Speaker, StopRun, digest
from cbtrun.plugins.dialogue.admission import Admission
from cbtrun.plugins.dialogue.carry import SUMMARY_REQUEST, Before, before_text, homework_of, program_summary
from cbtrun.plugins.dialogue.checks import checked
from cbtrun.plugins.dialogue.notes import with_note, without_note
from cbtrun.plugins.dialogue.phq9 import ask_phq9
from cbtrun.plugins.dialogue.prompts import Place, patient_system, reminder_text, therapist_system, view
from cbtrun.plugins.dialogue.turns import Conversation
from cbtrun.plugins.dialogue.units import Unit
from cbtrun.plugins.fidelity.finding import Case

if TYPE_CHECKING:
    from cbtrun.plugin import Calls

SUMMARY_TOKENS = 160


@dataclass
class Course:
    """The sessions of one unit."""

    unit: Unit
    options: Mapping[str, Any]
    models: Mapping[Speaker, Calls]
    fail: Callable[[str, str], None]
    """Called with a session's id and the reason when it could not be held; the sessions after it are not tried."""
    admission: Admission
    begin: Callable[[], None] = lambda: None
    """Called when a session's first turn is asked for."""
    step: Callable[[], None] = lambda: None
    """Called after each turn."""
    before: list[Before] = field(default_factory=list)

    async def hold(self) -> list[Session]:
        """The sessions that could be held. A course of one session raises what broke it."""
        held: list[Session] = []
        sessions = self.options.get("sessions", 1)
        for number in range(1, sessions + 1):
            try:
                held.append(await self._session(number, sessions))
            except StopRun:
                raise
            except CbtrunError as error:
                if sessions == 1:
                    raise
                self.fail(self.unit.session_id(number, sessions), str(error))
                break
        return held

    async def _session(self, number: int, sessions: int) -> Session:
        therapist, persona, turns = self.unit.therapist, self.unit.persona, self.options["max_turns"]
        place = self._place(number, sessions, "patient")
        systems: dict[Speaker, str] = {
            "therapist": therapist_system(therapist.system, turns, self._place(number, sessions, "therapist")),
            "patient": patient_system(self.options["patient_system"], persona, turns, place),
        }
        reminder = reminder_text(therapist.reminder, persona, turns, place)
        measures, missing = await self._measures(number, sessions, systems["patient"])
        conversation = Conversation(
            *(self.unit, self.options, self.models, systems, self.admission),
            number=number,
            sessions=sessions,
            reminder=reminder,
            begin=self.begin,
            step=self.step,
        )
        async with self.admission.seat(*conversation.dialogues()) as conversation.seat:
            session = await conversation.hold()
        flags = (*([f"phq9_missing: {missing}"] if missing else []), *session.flags)
        session = session.model_copy(update={"measures": measures, "flags": flags})
        if number < sessions:
            self.before.append(await self._left_behind(session, systems["therapist"], number))
        plain = self.options["patient_system"].partition("{{")[0]
        case = Case(session.turns, self.unit.persona, f"{plain}\n{reminder}", self.options["max_turns"])
        return checked(session, case, self.options)

    def _place(self, number: int, sessions: int, speaker: Speaker) -> Place:
        told = before_text(speaker, number, sessions, self.before, self.options.get("carry", {}))
        return Place(number, sessions, told)

    async def _measures(self, number: int, sessions: int, system: str) -> tuple[dict[str, float], str]:
        """PHQ-9 before the session, if the study asks for it."""
        if not self.options.get("phq9", sessions > 1):
            return {}, ""
        draw = Draw("patient", digest(self.unit.persona), self.unit.repeat, item=f"session {number} phq9")
        return await ask_phq9(self.models["patient"], system, draw, self.unit.therapist.label)

    async def _left_behind(self, session: Session, system: str, number: int) -> Before:
        carry = self.options["carry"]
        summary = program_summary(session.turns) if carry["summary"] == "program" else ""
        if carry["summary"] == "therapist":
            summary = await self._own_summary(session, system, number)
        phq9 = session.measures.get("phq9")
        return Before(
            session=number,
            summary=summary,
            homework=homework_of(session.turns),
            last=session.turns[len(session.turns) - carry["last_turns"] :] if carry["last_turns"] else (),
            phq9=None if phq9 is None else int(phq9),
        )

    async def _own_summary(self, session: Session, system: str, number: int) -> str:
        """What the therapist's own model writes down for itself."""
        request = Request(
            messages=with_note(view("therapist", system, session.turns), SUMMARY_REQUEST),
            draw=Draw("therapist", digest(self.unit.persona), self.unit.repeat, item=f"session {number} summary"),
            max_tokens=SUMMARY_TOKENS,
            label=self.unit.therapist.label,
            about=self.unit.persona.id,
        )
        return without_note(" ".join((await self.models["therapist"].reply(request)).text.split()))
