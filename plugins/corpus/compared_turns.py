"""`compared-turns`: pairs for preference tuning, made by the study: a therapist says something twice, a rater prefers one.

Sessions of a corpus are cut off before a turn of the therapist; there a model says two things, each is rated as the end
of the session so far, and the one with the higher total is preferred. Two that are rated alike make no pair.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    ChatMessage,
    Draw,
    Message,
    Request,
    Session,
    StageError,
    Transcript,
    Turn,
    digest,
    hookimpl,
    write_atomically,
)

if TYPE_CHECKING:
    from cbtrun.plugin import Calls, Json, Plan, PlanContext, StageContext
    from cbtrun.plugins.raters.rating import RatingWork

TWICE = (1, 2)

ROUNDING = 1e-9
"""Points. Totals that are means differ in their last bits where they are the same."""


@dataclass(frozen=True)
class Opening:
    """A session up to a turn of the therapist."""

    transcript: Transcript
    messages: tuple[Message, ...]
    """Its messages before that turn, the system message left out."""

    @property
    def id(self) -> str:
        """`persona/session/turn`."""
        return f"{self.transcript.id}/{len(self.messages)}"

    @property
    def system(self) -> tuple[Message, ...]:
        """The system message, where there is one."""
        return tuple(one for one in self.transcript.messages if one.role == "system")


@dataclass(frozen=True)
class Compared:
    """What came of one opening."""

    pair: Transcript | None
    why: str = ""
    """Why there is no pair: `rated alike`, `said alike`, or `unscored`."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: compared-turns` under `corpus`."""
    if stage != "corpus":
        return None

    def named(kind: str | list[str], description: str) -> Json:
        return {"type": "string", "x-names": kind, "description": description}

    return {
        "type": "object",
        "required": ["sessions", "therapist", "rater", "rubric"],
        "additionalProperties": False,
        "properties": {
            "sessions": named("corpus", "The corpus whose sessions are begun."),
            "therapist": named(
                ["models", "tune"], "Who says two things: a model that samples (a temperature above 0), or a tuned one."
            ),
            "rater": named("models", "Who prefers one of them."),
            "rubric": named("rubrics", "What it is rated on: the one with the higher total is preferred."),
            "openings": {
                "type": "integer",
                "minimum": 1,
                "default": 2,
                "description": "Turns of each session at which two things are said: its first so many after the patient "
                "has spoken.",
            },
            "least_difference": {
                "type": "number",
                "minimum": 0,
                "default": 0,
                "description": "Points of the total that the preferred one must be ahead by, and always more than 0.",
            },
            "licence": {
                "type": "string",
                "default": "",
                "description": "Licence of the therapist model's outputs; for the report.",
            },
        },
    }


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """Two turns and two ratings for each opening."""
    from cbtrun.plugin import TURN_TOKENS, Plan, PlannedCalls

    if context.stage != "corpus":
        return None
    options = context.options
    calls = 2 * options["openings"] * context.units(f"corpus.{options['sessions']}")
    said = PlannedCalls(options["therapist"], calls, calls * 4 * TURN_TOKENS, calls * TURN_TOKENS)
    rated = PlannedCalls(options["rater"], calls, calls * 2500, calls * 700)
    told = "every opening gives a pair of turns that are rated differently"
    return Plan(calls // 2, (said, rated), (told,), in_a_row=2)


@hookimpl
def make_corpus(context: StageContext) -> list[Transcript]:
    """A transcript for each pair: it ends with the preferred turn, and holds the other as `rejected`."""
    compared = context.run(_compare_all(context))
    pairs = [one.pair for one in compared if one.pair is not None]
    counts = {"openings": len(compared), "pairs": len(pairs)}
    counts |= {why: sum(one.why == why for one in compared) for why in sorted({one.why for one in compared} - {""})}
    path = context.folder / "corpus" / f"{context.name}.pairs.json"
    write_atomically(path, json.dumps(counts, indent=2) + "\n")
    if not pairs:
        raise StageError(
            f"no pair came of {len(compared)} openings ({', '.join(f'{name} {n}' for name, n in counts.items())}): the "
            "therapist must say different things (temperature above 0), and the rater tell them apart"
        )
    return pairs


async def _compare_all(context: StageContext) -> list[Compared]:
    options = context.options
    openings = [one for each in context.corpus(options["sessions"]) for one in openings_of(each, options["openings"])]
    work = _rating_work(context)
    async with AsyncExitStack() as stack:
        therapist = await stack.enter_async_context(context.model(options["therapist"]))
        rater = await stack.enter_async_context(context.model(options["rater"]))

        async def compare(opening: Opening) -> Compared:
            return await _compared(opening, therapist, rater, work, options)

        found = await context.each(openings, compare, name=lambda one: one.id)
    return [one for one in found if one is not None]


def openings_of(transcript: Transcript, count: int) -> list[Opening]:
    """The session before each of its first `count` turns of the therapist that answer the patient."""
    said = [one for one in transcript.messages if one.role != "system"]
    answers = [place for place, one in enumerate(said) if place and one.role == "therapist"]
    return [Opening(transcript, tuple(said[:place])) for place in answers[:count]]


def _rating_work(context: StageContext) -> RatingWork:
    """The rubric as a rating set with its usual options asks for it."""
    from cbtrun.plugins.raters import rubric
    from cbtrun.plugins.raters.rating import rating_work

    asked = rubric.options_schema("ratings") or {}
    usual = {name: one["default"] for name, one in asked["properties"].items() if "default" in one}
    return rating_work(context.name, context.rubric(context.options["rubric"]), usual)


async def _compared(
    opening: Opening, therapist: Calls, rater: Calls, work: RatingWork, options: Mapping[str, Any]
) -> Compared:
    from cbtrun.plugin import rating_total
    from cbtrun.plugins.raters.rating import Unit, rate_one

    subject = digest([opening.transcript.persona, [one.content for one in opening.messages]])
    said = [await _said(opening, therapist, subject, time) for time in TWICE]
    if said[0] == said[1]:
        return Compared(None, "said alike")
    totals = []
    for text in said:
        session = _session(opening, text, digest([subject, text]))
        totals.append(rating_total(await rate_one(rater, Unit(session, options["rater"], 1), work), work.rubric).value)
    first, second = totals
    if first is None or second is None:
        return Compared(None, "unscored")
    if abs(first - second) <= options["least_difference"] + ROUNDING:
        return Compared(None, "rated alike")
    better, worse = said if first > second else said[::-1]
    return Compared(_pair(opening, better, worse))


async def _said(opening: Opening, therapist: Calls, subject: str, time: int) -> str:
    """What the therapist says there, at the first or the second time. Raises StageError for nothing."""
    roles = {"system": "system", "therapist": "assistant", "patient": "user"}
    messages = tuple(ChatMessage(roles[one.role], one.content) for one in (*opening.system, *opening.messages))  # type: ignore[arg-type] # the roles of a chat
    draw = Draw(role="therapist", subject=subject, repeat=time, turn=len(opening.messages))
    text = (await therapist.reply(Request(messages, draw, about=opening.transcript.id))).text.strip()
    if not text:
        raise StageError(f"{opening.id}: the therapist said nothing")
    return text


def _session(opening: Opening, text: str, draw: str) -> Session:
    """The opening and one continuation, as a rater sees a session."""
    turns = [Turn(speaker=one.role, text=one.content) for one in opening.messages if one.role != "system"]
    return Session(id=opening.id, draw=draw, turns=(*turns, Turn(speaker="therapist", text=text)), ended="compared")


def _pair(opening: Opening, better: str, worse: str) -> Transcript:
    said: Sequence[Message] = (*opening.system, *opening.messages, Message(role="therapist", content=better))
    return opening.transcript.model_copy(update={"id": opening.id, "messages": tuple(said), "rejected": worse})
