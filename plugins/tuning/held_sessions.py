"""The sessions of a training by reinforcement: held, checked and rated as any session of the study, through the journal.

The same dialogue, patients, admission and checks as under `sessions`. A policy is a model whose identity holds its adapter's
digest, so the key of each call holds the step. Within a group all sessions have one persona and one seed of the patient, and
the therapist draws anew in each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cbtrun.plugin import (
    CbtrunError,
    ChatMessage,
    Model,
    Persona,
    Policy,
    Reply,
    Request,
    Session,
    Speaker,
    StageError,
    StopRun,
    derive_seed,
    digest,
)
from cbtrun.plugins.dialogue.admission import Admission
from cbtrun.plugins.dialogue.course import Course
from cbtrun.plugins.dialogue.notes import reminder_template
from cbtrun.plugins.dialogue.sessions import turn_limit
from cbtrun.plugins.dialogue.units import Therapist, Unit
from cbtrun.plugins.tuning.session_rewards import Earned, Judges
from cbtrun.plugins.tuning.session_rows import PrefixBroken, Said, SessionFormat, Tokens, said_in

if TYPE_CHECKING:
    from cbtrun.plugin import Calls, StageContext


@dataclass(frozen=True)
class Place:
    """One session of a step."""

    group: int
    """From 0."""
    persona: Persona
    draw: int
    """From 1, within its group."""


@dataclass(frozen=True)
class Held:
    """A session that was held, and what it came to."""

    place: Place
    session: Session | None = None
    """None where it could not be held."""
    tokens: Tokens | None = None
    """None where it is no single sequence."""
    earned: Earned = field(default_factory=lambda: Earned(None, None))
    fault: str = ""
    """Why it is not learnt from."""


@dataclass(frozen=True)
class _Voice:
    """A model of a session, whose draws are told apart from those of the step's other sessions."""

    calls: Calls
    repeat: int
    item: str = ""
    heard: list[tuple[Request, Reply]] | None = None
    """Where given, each call and its reply are added."""

    @property
    def model(self) -> Model:
        return self.calls.model

    @property
    def identity(self) -> str:
        return self.calls.identity

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int | None:
        return self.calls.count_tokens(messages)

    async def reply(self, request: Request) -> Reply:
        item = " ".join(part for part in (request.draw.item, self.item) if part)
        request = replace(request, draw=replace(request.draw, repeat=self.repeat, item=item))
        reply = await self.calls.reply(request)
        if self.heard is not None:
            self.heard.append((request, reply))
        return reply


@dataclass(frozen=True)
class Talks:
    """How the sessions of a training are held."""

    job: str
    seed: int
    """Of the training."""
    options: Mapping[str, Any]
    """Of the dialogue, as a `sessions` block has them."""
    personas: Sequence[Persona]
    together: int
    """Personas in a step."""
    group: int
    """Sessions with each."""

    def places(self, step: int) -> list[Place]:
        """The sessions of a step, group by group: each persona comes once before any comes again."""
        first = (step - 1) * self.together
        chosen = [self._persona(first + number) for number in range(self.together)]
        return [Place(number, one, draw) for number, one in enumerate(chosen) for draw in range(1, self.group + 1)]

    def _persona(self, place: int) -> Persona:
        """Of an endless line in which one order of everybody follows the other."""
        import random

        lap, at = divmod(place, len(self.personas))
        order = list(range(len(self.personas)))
        random.Random(derive_seed("order of personas", self.seed, lap)).shuffle(order)
        return self.personas[order[at]]

    def unit(self, place: Place, step: int) -> Unit:
        """Who talks with whom."""
        options = self.options
        therapist = Therapist(
            arm=self.job,
            model=self.job,
            patient=options["patient"],
            system=options["system"],
            factors={},
            label=f"{self.job}@{self.seed}/{step}",
            reminder=reminder_template(options["reminder"]),
        )
        return Unit(therapist, place.persona, place.draw)

    def patient_seed(self, step: int) -> int:
        """The same for all sessions of a group, another in each step."""
        return 1 + derive_seed("patient", self.seed, step) % 1_000_000_007


class HeldSessions:
    """Holds and rates the sessions of one training; models stay open from step to step, the policy is opened anew."""

    def __init__(self, context: StageContext, talks: Talks, base: str, temperature: float, form: SessionFormat) -> None:
        self._context, self._talks, self._form = context, talks, form
        self._base, self._temperature = base, temperature
        self._policy: tuple[str, AsyncExitStack, Calls] | None = None
        self._others: AsyncExitStack = AsyncExitStack()
        self._others_open: tuple[Calls, Judges] | None = None
        self._at_once = asyncio.Semaphore(context.concurrency)
        self._admission = Admission(talks.options["max_turns"], turn_limit(talks.options))

    async def __aenter__(self) -> HeldSessions:
        """Nothing is opened yet: the policy has to be the first, since an engine makes room for the adapters it knows of."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all models."""
        if self._policy is not None:
            await self._policy[1].aclose()
        await self._others.aclose()

    async def step(
        self, step: int, folder: Path, policy: str, judges: Callable[[AsyncExitStack], Awaitable[Judges]]
    ) -> list[Held]:
        """The sessions of a step, rated. judges: opens the raters. Raises StageError where none could be held."""
        therapist = await self._opened(folder, policy)
        if self._others_open is None:
            patient = await self._others.enter_async_context(self._context.model(self._talks.options["patient"]))
            self._others_open = patient, await judges(self._others)
        places = self._talks.places(step)
        held = await asyncio.gather(*(self._one(place, step, therapist, *self._others_open) for place in places))
        if all(one.session is None for one in held):
            raise StageError(f"no session of step {step} could be held: {held[0].fault}")
        return list(held)

    async def rewarded(self, session: Session, group: int) -> float | None:
        """The reward's rating of a session that nobody held, in its own points; none where it has none."""
        assert self._others_open is not None
        async with self._at_once:
            try:
                return await self._others_open[1].rewarded(session, group)
            except StopRun:
                raise
            except CbtrunError:
                return None

    async def _opened(self, folder: Path, policy: str) -> Calls:
        if self._policy is not None and self._policy[0] == policy:
            return self._policy[2]
        before, stack = self._policy, AsyncExitStack()
        self._policy = None
        shares = self._context.models.engine_of(self._base) is not None
        if before is not None and not shares:
            await before[1].aclose()  # two copies of a model would take twice its memory
        wanted = Policy(self._base, folder, policy, {"temperature": self._temperature})
        calls = await stack.enter_async_context(self._context.policy(wanted))
        if before is not None and shares:
            await before[1].aclose()  # after the new one is there: an engine ends with its last model
        self._policy = (policy, stack, calls)
        return calls

    async def _one(self, place: Place, step: int, therapist: Calls, patient: Calls, judges: Judges) -> Held:
        async with self._at_once:
            try:
                return await self._held(place, step, therapist, patient, judges)
            except StopRun:
                raise
            except CbtrunError as error:
                return Held(place, fault=str(error))

    async def _held(self, place: Place, step: int, therapist: Calls, patient: Calls, judges: Judges) -> Held:
        heard: list[tuple[Request, Reply]] = []
        own = f"seed {self._talks.seed} step {step}"
        voices = {
            "therapist": _Voice(therapist, place.draw, own, heard),
            "patient": _Voice(patient, self._talks.patient_seed(step)),
        }
        models = cast("Mapping[Speaker, Calls]", voices)
        unit = self._talks.unit(place, step)
        course = Course(unit, self._talks.options, models, lambda _, why: None, self._admission)  # noqa: ARG005 - a course of one session raises
        (session,) = await course.hold()
        session = session.model_copy(
            update={
                "id": f"{step}/{place.persona.id}/{place.draw}",
                "draw": digest([session.draw, own, place.draw]),
            }
        )
        said = _turns(heard)
        if not said:
            return Held(place, session, fault="the policy said nothing")
        earned = await judges.earned(session, place.group)
        try:
            return Held(place, session, self._form.tokens(said), earned)
        except PrefixBroken as error:
            return Held(place, session, None, earned, str(error))


def _turns(heard: Sequence[tuple[Request, Reply]]) -> list[Said]:
    """The policy's turns: of several tries at one the last, and nothing that stayed empty."""
    last = {request.draw.turn: said_in(request, reply) for request, reply in heard}
    return [said for _, said in sorted(last.items()) if said.text]
