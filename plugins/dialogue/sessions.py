"""`dialogue`: simulated sessions, a therapist of each arm with a patient of each persona.

Every session is a coroutine of its own: no turn waits for another session. A session is decided by the two models, the
persona, the protocol and the repeat; the arm's name reaches neither a model nor the session's draw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.errors import CbtrunError, Problem, StopRun
from cbtrun.hookspecs import hookimpl
from cbtrun.persona_sets import training_sets
from cbtrun.plugins.crisis.risk_check import words_file
from cbtrun.plugins.dialogue.notes import REMINDER
from cbtrun.plugins.dialogue.options import SCHEMA
from cbtrun.plugins.dialogue.prompts import PATIENT_VARIABLES, THERAPIST_VARIABLES, template_faults
from cbtrun.plugins.dialogue.units import Therapist, Unit

if TYPE_CHECKING:
    from cbtrun.calls.calls import Calls
    from cbtrun.context import BlockContext, StageContext
    from cbtrun.planning import Plan, PlanContext
    from cbtrun.records import Json, Session


def fingerprint_files() -> list[Path]:
    """The words that the crisis check knows decide the flags too."""
    return [words_file()]


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of the `sessions` block."""
    return SCHEMA if stage == "sessions" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Templates with faults, the block's and the arms'."""
    if context.stage != "sessions":
        return []
    allowed = {"system": THERAPIST_VARIABLES, "patient_system": PATIENT_VARIABLES, "reminder": PATIENT_VARIABLES}
    personas = context.options.get("personas")
    seen = [personas] if personas in training_sets(context.study) else []
    return (
        [
            *(
                context.problem(f"corpora are written for set '{name}'; evaluate with another", "personas")
                for name in seen
            )
        ]
        + [
            context.problem(fault, key)
            for key, variables in allowed.items()
            for fault in template_faults(str(context.options.get(key, "")), variables)
        ]
        + [
            Problem(context.place_in_study("arms", name, "system"), f"arms/{name}/system", fault)
            for name, arm in (context.study.get("arms") or {}).items()
            for fault in template_faults(str(arm.get("system", "")), THERAPIST_VARIABLES)
        ]
    )


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """Every session at its full length."""
    from cbtrun.plugins.dialogue.plan import planned_sessions

    return planned_sessions(context) if context.stage == "sessions" else None


@hookimpl
def run_sessions(context: StageContext) -> Sequence[Session]:
    """A session for each arm, persona and repeat, in that order."""
    return context.run(_all_sessions(context))


async def _all_sessions(context: StageContext) -> Sequence[Session]:
    from cbtrun.plugins.dialogue.course import Course
    from cbtrun.record_list import RecordList, line_of
    from cbtrun.records import Session

    options = context.options
    personas = context.personas(options["personas"])
    units = [
        Unit(therapist, persona, repeat)
        for therapist in _therapists(context)
        for persona in personas
        for repeat in range(1, options["repeats"] + 1)
    ]
    rooms = _Rooms(context, units)

    async def hold(unit: Unit) -> list[bytes]:
        async with rooms.room(unit) as (therapist, patient):
            course = Course(unit, context.options, {"therapist": therapist, "patient": patient}, context.fail)
            return [line_of(session) for session in await course.hold()]

    try:
        courses = await context.each(units, hold, name=lambda unit: unit.id)
    finally:
        await rooms.close()
    return RecordList(Session, [session for course in courses for session in course or ()])


def _therapists(context: StageContext) -> list[Therapist]:
    """Every arm's therapists, in the order of the study; an arm whose adapters are missing fails alone."""
    found = []
    for name, arm in (context.study.get("arms") or {}).items():
        try:
            found += _arm(context, name, arm)
        except StopRun:
            raise
        except CbtrunError as error:
            context.fail(name, str(error))
    return found


def _arm(context: StageContext, name: str, arm: Mapping[str, Any]) -> list[Therapist]:
    options = context.options
    only = Therapist(
        arm=name,
        model=arm["therapist"],
        patient=arm.get("patient") or options["patient"],
        system=arm.get("system") or options["system"],
        factors={key: str(level) for key, level in (arm.get("factors") or {}).items()},
        label=name,
        reminder=_reminder(arm.get("reminder", options.get("reminder", False))),
    )
    if arm["therapist"] not in (context.study.get("tune") or {}):
        return [only]
    seeds = [adapter.seed for adapter in context.adapters(arm["therapist"])]
    if len(seeds) == 1:
        return [only]
    return [
        replace(
            only,
            model=f"{only.model}@{seed}",
            factors={**only.factors, "seed": str(seed)},
            label=f"{name}@{seed}",
        )
        for seed in seeds
    ]


def _reminder(wanted: bool | str) -> str:
    """The template of the note against drift: the study's, ours, or none."""
    return wanted if isinstance(wanted, str) else REMINDER if wanted else ""


class _Rooms:
    """The models of each therapist's sessions: open from its first session to its last, so many arms at a time."""

    def __init__(self, context: StageContext, units: list[Unit]) -> None:
        self._context = context
        self._left = Counter(unit.therapist.label for unit in units)
        import asyncio

        self._gate = asyncio.Semaphore(context.options.get("arms_at_once") or max(len(self._left), 1))
        self._locks = {label: asyncio.Lock() for label in self._left}
        self._open: dict[str, tuple[AsyncExitStack, Calls, Calls]] = {}
        self._broken: dict[str, CbtrunError] = {}

    @asynccontextmanager
    async def room(self, unit: Unit) -> AsyncIterator[tuple[Calls, Calls]]:
        """The therapist's and the patient's model for a session."""
        label = unit.therapist.label
        try:
            async with self._locks[label]:
                if label not in self._open:
                    self._open[label] = await self._opened(unit.therapist)
            _, therapist, patient = self._open[label]
            yield therapist, patient
        finally:
            self._left[label] -= 1
            if not self._left[label] and label in self._open:
                await self._open.pop(label)[0].aclose()

    async def _opened(self, therapist: Therapist) -> tuple[AsyncExitStack, Calls, Calls]:
        if therapist.label in self._broken:  # what could not be opened once is not tried again for every session
            raise self._broken[therapist.label]
        stack = AsyncExitStack()
        try:
            await stack.enter_async_context(self._gate)
            model = await stack.enter_async_context(self._context.model(therapist.model))
            patient = await stack.enter_async_context(self._context.model(therapist.patient))
        except BaseException as error:
            await stack.aclose()
            if isinstance(error, CbtrunError):
                self._broken[therapist.label] = error
            raise
        return stack, model, patient

    async def close(self) -> None:
        """Close what an error left open."""
        while self._open:
            await self._open.popitem()[1][0].aclose()
