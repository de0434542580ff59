"""A corpus written session by session: an author model writes each persona's course, told what happened before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cbtrun.plugin import Draw, Message, Request, SpecError, StageError, Transcript, digest, hookimpl
from cbtrun.plugins.corpus.checks.options import checks_schema
from cbtrun.plugins.corpus.course_plan import course_path, read_course, shipped_courses
from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.plugins.practices.checks import practice_problems
from cbtrun.plugins.practices.named import shipped_practices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cbtrun.plugin import BlockContext, Calls, Json, Persona, Plan, PlanContext, Problem, StageContext
    from cbtrun.plugins.corpus.course_messages import WrittenSession
    from cbtrun.plugins.corpus.course_plan import Course

OUR_REGISTERS = ("cbt", "supportive", "shuffled")
BRIEF_TOKENS, BEFORE_TOKENS, SESSION_TOKENS = 800, 50, 800
"""Tokens that a plan takes a brief, a word on an earlier session, and a written session to have."""
TRIES = 2  # an answer that is no session is asked for once more, with the error


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: written-course` under `corpus`."""
    if stage != "corpus":
        return None
    course = (
        f"The course plan: the name of a shipped one ({', '.join(shipped_courses())}) or the path of your own (.yaml)."
    )
    return {
        "type": "object",
        "required": ["author", "personas"],
        "properties": {
            "author": {"type": "string", "x-names": "models", "description": "The model that writes the sessions."},
            "personas": {"type": "string", "x-names": "personas", "description": "The patients they are written for."},
            "course": {
                "type": "string",
                "x-names": ["shipped", "file"],
                "x-words": False,
                "default": "depression-20",
                "examples": shipped_courses(),
                "description": course,
            },
            "register": {
                "type": "string",
                "x-names": ["shipped", "file"],
                "x-words": False,
                "default": "cbt",
                "examples": ["cbt", "supportive", "shuffled", *shipped_practices()],
                "description": "How the therapist talks: `cbt`; `supportive`, warm listening without structure; `shuffled`, "
                "the sentences of `cbt` in no order and for another patient; or a practice: the name of a shipped one "
                f"({', '.join(shipped_practices())}) or the path of your own (.yaml).",
            },
            "courses": {
                "type": "integer",
                "minimum": 1,
                "x-rehearsal": {"most": 2},
                "description": "How many courses, for the first so many personas; without it, one for every persona. "
                "Corpora that differ in this alone share what they have in common: it is written once.",
            },
            "sessions": {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "uniqueItems": True},
                ],
                "x-rehearsal": {"most": 2, "always": True},
                "description": "How many of the course's sessions, from the first, or their numbers; without it, all.",
            },
            "max_tokens": {
                "type": "integer",
                "minimum": 1,
                "default": 4096,
                "description": "Most tokens that the author may use for one session.",
            },
            "system": {
                "type": "string",
                "default": THERAPIST_SYSTEM,
                "description": "System prompt that each transcript begins with: what the tuned therapist will be told.",
            },
            "licence": {
                "type": "string",
                "default": "",
                "description": "Licence of the author model's outputs; for the report.",
            },
            "checks": _checks_when_asked(),
        },
        "additionalProperties": False,
    }


def _checks_when_asked() -> Json:
    """Schema of `checks`, without a default: the grammar's own transcripts need none."""
    schema = checks_schema(rewrite=True)
    return {name: value for name, value in schema.items() if name != "default"}


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """The course must be there and have the sessions that are asked for."""
    if wrong := practice_problems(context, "register", OUR_REGISTERS):
        return wrong
    path = course_path(context.options["course"])
    if path is None:
        known = ", ".join(shipped_courses())
        return [context.problem(f"no course '{context.options['course']}'; shipped: {known}", "course")]
    try:
        count = len(read_course(path).sessions)
    except SpecError as error:
        return list(error.problems)
    patients = context.study.personas.get(context.options["personas"])
    there = patients.count if patients else None
    if there is not None and context.options.get("courses", 0) > there:
        return [context.problem(f"the set has {there} personas, got {context.options['courses']}", "courses")]
    sessions = context.options.get("sessions", count)
    most = max(sessions) if isinstance(sessions, list) else sessions
    if most > count:
        return [context.problem(f"the course has {count} sessions, got {most}", "sessions")]
    return []


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """One call for each persona and session, each told of more sessions before it."""
    if context.stage != "corpus":
        return None
    from cbtrun.plugin import Plan, PlannedCalls

    options, personas = context.options, context.units(f"personas.{context.options['personas']}")
    path = course_path(options["course"])
    numbers = session_numbers(options.get("sessions"), len(read_course(path).sessions) if path else 1)
    calls = personas * len(numbers)
    before = personas * sum(range(len(numbers))) * BEFORE_TOKENS
    planned = PlannedCalls(options["author"], calls, calls * BRIEF_TOKENS + before, calls * SESSION_TOKENS)
    told = f"an author reads {BRIEF_TOKENS:,} tokens and {BEFORE_TOKENS} of each session before, and writes {SESSION_TOKENS:,}"
    again = ["sessions that fail their checks and are written again are not counted"] if options.get("checks") else []
    return Plan(calls, (planned,), (told, *again), in_a_row=len(numbers))


@hookimpl
def make_corpus(context: StageContext) -> list[Transcript]:
    """Every persona's sessions, personas in order, sessions in order; those that pass the checks, if any are asked for."""
    written = context.run(_write_all(context))
    if "checks" not in context.options:
        return written
    from cbtrun.plugins.corpus.checks.corpus import checked

    return checked(context, written, context.options["checks"])


async def _write_all(context: StageContext) -> list[Transcript]:
    options = context.options
    path = course_path(options["course"])
    if path is None:
        raise StageError(f"corpus.{context.name}: no course '{options['course']}'")
    course = read_course(path)
    async with context.model(options["author"]) as calls:

        async def write(persona: Persona) -> list[Transcript]:
            return await _write_course(calls, persona, course, options, context.step)

        sessions = len(session_numbers(options.get("sessions"), len(course.sessions)))
        courses = await context.each(
            _patients(context), write, lambda one: one.id, sessions, "transcripts" if sessions > 1 else ""
        )
    return [transcript for written in courses if written is not None for transcript in written]


def _patients(context: StageContext) -> list[Persona]:
    """Those whom courses are written for. Raises StageError when there are fewer than asked for."""
    personas = list(context.personas(context.options["personas"]))
    wanted = context.options.get("courses", len(personas))
    if wanted > len(personas):
        set_name = context.options["personas"]
        raise StageError(f"corpus.{context.name}: {wanted} courses, and set '{set_name}' has {len(personas)} personas")
    return personas[:wanted]


async def _write_course(
    calls: Calls, persona: Persona, course: Course, options: Mapping[str, Any], step: Callable[[], None]
) -> list[Transcript]:
    """One persona's sessions, each told what the earlier ones left behind. Raises StageError when one fails.

    step: called after each session.
    """
    from cbtrun.plugins.corpus.course_messages import Before, author_messages

    transcripts: list[Transcript] = []
    before: list[Before] = []
    for number in session_numbers(options.get("sessions"), len(course.sessions)):
        messages = author_messages(persona, course, number, options["register"], before)
        draw = Draw(role="author", subject=digest(persona), turn=number)
        phase = course.sessions[number - 1].phase
        asked = Request(messages, draw, max_tokens=options["max_tokens"], about=persona.id)
        written = await _write_session(calls, asked)
        transcript = _transcript(written, persona, number, phase, options)
        if _is_to_rewrite(transcript, options):
            again = replace(asked, draw=replace(draw, item="rewrite"))
            written = await _write_session(calls, again)
            transcript = _transcript(written, persona, number, phase, options)
        transcripts.append(transcript)
        before.append(Before(session=number, summary=written.summary, homework=written.homework))
        step()
    return transcripts


def _transcript(
    written: WrittenSession, persona: Persona, number: int, phase: str, options: Mapping[str, Any]
) -> Transcript:
    turns = [Message(role=one.role, content=one.content.strip()) for one in written.messages]
    return Transcript(
        id=f"{persona.id}/{number}",
        persona=persona.id,
        session_number=number,
        phase=phase,
        messages=(Message(role="system", content=options["system"]), *turns),
    )


def _is_to_rewrite(transcript: Transcript, options: Mapping[str, Any]) -> bool:
    """Whether a session fails its checks and the author shall write it once more."""
    checks = options.get("checks")
    if not checks or checks["on_fail"] != "rewrite":
        return False
    from cbtrun.plugins.corpus.checks.transcript import faults

    return bool(faults(transcript, checks))


async def _write_session(calls: Calls, request: Request) -> WrittenSession:
    """The author's answer, asked for once more if it is malformed. Raises StageError."""
    from cbtrun.plugin import ask
    from cbtrun.plugins.corpus.course_messages import WrittenSession

    answered = await ask(calls, request, WrittenSession, tries=TRIES)
    if answered.value is None:
        raise StageError(f"session {request.draw.turn}: the author gave no session that can be used: {answered.reason}")
    return answered.value


def session_numbers(sessions: int | list[int] | None, count: int) -> list[int]:
    """Numbers of the sessions to write, ascending: the first n, those listed, or all."""
    if sessions is None:
        return list(range(1, count + 1))
    return sorted(sessions) if isinstance(sessions, list) else list(range(1, sessions + 1))
