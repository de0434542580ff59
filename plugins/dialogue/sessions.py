"""`dialogue`: simulated sessions, a therapist of each arm with a patient of each persona.

Every session is a coroutine of its own: no turn waits for another session. How many are under way at once is for the
models' memory to say (admission), and which models are open at once for the GPU's (rooms). A session is decided by the
two models, the persona, the protocol and the repeat; the arm's name reaches neither a model nor the session's draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import CbtrunError, Problem, StopRun, hookimpl
from cbtrun.plugins.dialogue.notes import reminder_template
from cbtrun.plugins.dialogue.options import SCHEMA
from cbtrun.plugins.dialogue.template_checks import template_problems
from cbtrun.plugins.dialogue.units import Therapist, Waiting

if TYPE_CHECKING:
    from cbtrun.plugin import Arm, BlockContext, Calls, Json, Plan, PlanContext, Session, Speaker, StageContext


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of the `sessions` block."""
    return SCHEMA if stage == "sessions" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Templates with faults, the block's and the arms'."""
    if context.stage != "sessions":
        return []
    personas = context.options.get("personas")
    written = {corpus.personas for corpus in context.study.corpora.values()}
    seen = [personas] if personas and personas in written else []
    return [
        *(context.problem(f"corpora are written for set '{name}'; evaluate with another", "personas") for name in seen),
        *template_problems(context),
    ]


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
    from cbtrun.plugin import RecordList, Session, packed_line
    from cbtrun.plugins.dialogue.admission import Admission
    from cbtrun.plugins.dialogue.course import Course
    from cbtrun.plugins.dialogue.rooms import Rooms, engines_of, order_of

    options = context.options
    personas = context.personas(options["personas"])
    waiting = [
        Waiting(therapist, number, repeat)
        for therapist in _therapists(context)
        for number in range(len(personas))
        for repeat in range(1, options["repeats"] + 1)
    ]
    engines = engines_of(context, waiting)
    rooms = Rooms(context, waiting, engines)
    admission = Admission(options["max_turns"], turn_limit(options))

    async def hold(course: Waiting) -> list[bytes]:
        async with rooms.room(course) as (therapist, patient):
            models: dict[Speaker, Calls] = {"therapist": therapist, "patient": patient}
            unit = course.unit(personas)
            told = context.fail, admission, context.begin, context.step
            return [packed_line(session) for session in await Course(unit, options, models, *told).hold()]

    order = order_of(waiting, engines)
    try:
        held = await context.each(
            [waiting[place] for place in order], hold, lambda one: one.unit(personas).id, _turns(options), "turns"
        )
    finally:
        await rooms.close()
    courses = [course for _, course in sorted(zip(order, held, strict=True), key=lambda pair: pair[0])]
    return RecordList.unpack(Session, [session for course in courses for session in course or ()])


def _turns(options: Mapping[str, Any]) -> int:
    """Turns that models take in a course, at most."""
    opened = 1 if options.get("opening") else 0
    return max(1, int(options["max_turns"]) - opened) * int(options.get("sessions", 1))


def turn_limit(options: Mapping[str, Any]) -> float:
    """Most tokens of a turn, mean over both sides."""
    limits = options["max_tokens"]
    return (float(limits["therapist"]) + float(limits["patient"])) / 2


def _therapists(context: StageContext) -> list[Therapist]:
    """Every arm's therapists, in the order of the study; an arm whose adapters are missing fails alone."""
    found = []
    for name, arm in context.study.arms.items():
        try:
            found += _arm(context, arm)
        except StopRun:
            raise
        except CbtrunError as error:
            context.fail(name, str(error))
    return found


def _arm(context: StageContext, arm: Arm) -> list[Therapist]:
    options = context.options
    only = Therapist(
        arm=arm.name,
        model=arm.therapist,
        patient=arm.patient or options["patient"],
        system=arm.system or options["system"],
        factors=arm.factors,
        label=arm.name,
        reminder=reminder_template(arm.options.get("reminder", options.get("reminder", False))),
    )
    if arm.therapist not in context.study.tune_jobs:
        return [only]
    seeds = [adapter.seed for adapter in context.adapters(arm.therapist)]
    if len(seeds) == 1:
        return [only]
    return [
        replace(
            only,
            model=f"{only.model}@{seed}",
            factors={**only.factors, "seed": str(seed)},
            label=f"{arm.name}@{seed}",
        )
        for seed in seeds
    ]
