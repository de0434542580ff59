"""Models as the stages see them: `reply` with journal, limits, retries and budget around it.

A call's key is a hash of all that decides its answer (the model's identity, messages, sampling, schema, the study's
seed) and of whose draw it is. A kept reply is replayed; a new one is committed before anybody sees it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from cbtrun.calls.absent_model import AbsentModel, not_kept
from cbtrun.calls.batched_calls import BatchedCalls
from cbtrun.calls.breaker import Breaker, NotAsked
from cbtrun.calls.budget import Budget, Reserve
from cbtrun.calls.kept_replies import keepable, without_keys
from cbtrun.calls.keys import call_key, messages_digest
from cbtrun.calls.server_gate import ServerGates
from cbtrun.calls.server_list import HasServers, Moved, ServerList, other_identities_of
from cbtrun.calls.server_terms import HasTerms, ServerTerms, priced
from cbtrun.calls.spoken import fresh, refuse_unspoken, refuse_withheld, spoken
from cbtrun.calls.tally import Tally
from cbtrun.contract.batches import HasBatches
from cbtrun.contract.digests import derive_seed, digest
from cbtrun.contract.models import ChatMessage, CountsTokens, EngineShare, HasCode, Model, Reply, Request
from cbtrun.contract.workplace import MOVED, Workplace
from cbtrun.errors import (
    CbtrunError,
    ConsentMissing,
    ModelError,
    Place,
    Problem,
    RateLimited,
    ServerTrouble,
    StopRun,
    WouldAsk,
)
from cbtrun.journal.journal import Call, Fault, Journal
from cbtrun.journal.recorded import KeptSize

if TYPE_CHECKING:
    from cbtrun.contract.rollouts import Policy

LANDING_SECONDS = 60.0
"""How long a run that ends waits for the calls that it has sent."""

__all__ = ["CallDesk", "Calls", "OpenModels", "Tally", "call_key"]


class Answering(Protocol):
    """A model, or a model at one of its servers."""

    async def reply(self, request: Request) -> Reply:
        """As of a model."""


@dataclass(frozen=True)
class _Asked:
    """A call on its way: its key, the draw that its seed is derived from, the model's name and digest of its identity."""

    key: str
    draw: str
    name: str
    identity: str


@dataclass
class CallDesk:
    """Where the calls of one stage go through: journal, tally, limits, and one flight for each key."""

    journal: Journal
    seed: int
    stage: str
    tally: Tally
    offline: bool = False
    """Answer from the journal alone."""
    gates: ServerGates = field(default_factory=ServerGates)
    budget: Budget | None = None
    withheld: Callable[[str], str | None] = lambda model: None  # noqa: ARG005 - anything may be sent, whatever the model
    """Model -> why what this stage says may not be sent to it, in words; none where it may."""
    replays: Callable[[str], bool] = lambda model: False  # noqa: ARG005 - every model may be asked
    """Whether a model is answered from the journal alone: only the code has changed since the stage was paid for."""
    batched: Callable[[str, Model], bool] = lambda name, model: False  # noqa: ARG005 - calls are made one by one
    """Whether a model's calls in this stage are to be handed in by batches."""
    before_asking: Callable[[str], None] = lambda name: None  # noqa: ARG005 - nothing to look at, whatever the name
    """Looked at before a new call of a model: raises what ends the run when it may not be made."""
    still_ours: Callable[[], None] = lambda: None
    """Looked at before each try: raises StopRun where another process has taken the run over, however long this one waited."""
    answered: Callable[[str, Model, str], None] = lambda name, model, code: None  # noqa: ARG005 - nobody listens
    """Told with each reply who gave it: name, model, digest of the code."""
    say: Callable[[str], None] = lambda line: None  # noqa: ARG005 - nobody listens
    """Told what a user should know while the stage goes on: a server that is left out."""
    in_the_making: set[str] = field(default_factory=set)
    """Names of models that the stage itself is still making: no name of the study stands for what answers under them."""
    _lists: dict[str, ServerList] = field(default_factory=dict)
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    _flights: dict[str, asyncio.Future[Reply]] = field(default_factory=dict)
    _stopping: bool = False

    @cached_property
    def batches(self) -> BatchedCalls:
        """Where draws that are bought in batches go."""
        return BatchedCalls(self.journal, self.stage, self.tally, self.gates, self.budget, self.before_asking)

    async def reply(
        self, name: str, model: Model, identity: str, request: Request, code: str = "", others: Sequence[str] = ()
    ) -> Reply:
        """The kept reply, or the model's, committed before it is given.

        others: identities under which a reply may have been kept, too. code: digest of the code that answers, where it is ours. A reply of other code is not replayed; the seed of the
        draw does not depend on it, so that a mended line gives another answer only where it matters.
        """
        draw = call_key(identity, request, self.seed)
        key = digest([code, draw]) if code else draw
        kept = self.journal.find(key)
        for other in () if kept is not None else others:
            kept = kept or self.journal.find(call_key(other, request, self.seed))
        if kept is not None:
            self.tally.replayed += 1
            self._note(name, model, code)
            kept = spoken(kept, request)  # an earlier version kept thinking within the text
            refuse_unspoken(kept, request, name)
            return kept
        reply = await self._in_flight(_Asked(key, draw, name, identity), model, request)
        self._note(name, model, code)
        refuse_unspoken(reply, request, name)  # kept all the same: it is paid for, and asking again would give no other
        return reply

    def _note(self, name: str, model: Model, code: str) -> None:
        if name not in self.in_the_making:
            self.answered(name, model, code)

    async def _in_flight(self, asked: _Asked, model: Model, request: Request) -> Reply:
        key = asked.key
        if key in self._flights:  # two arms whose requests are the same in every way share one call
            return await asyncio.shield(self._flights[key])
        flight = self._flights[key] = asyncio.ensure_future(self._fly(asked, model, request))
        flight.add_done_callback(lambda done: self._landed(key, done))
        try:
            return await asyncio.shield(flight)  # what was sent is paid for: it is kept even if nobody waits any more
        except asyncio.CancelledError:
            self._stopping = True
            raise

    async def land(self) -> None:
        """Wait for the calls that nobody waits for any more, so that their replies are kept; send no new ones."""
        if self._flights:
            self.batches.stop()  # what was handed in is in the journal, and may take a day
            await asyncio.wait([*self._flights.values()], timeout=LANDING_SECONDS)

    def _landed(self, key: str, flight: asyncio.Future[Reply]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # a failure that nobody waits for is in the journal already

    async def _fly(self, asked: _Asked, model: Model, request: Request) -> Reply:
        name = asked.name
        pending = self.journal.batches.where(asked.key) if isinstance(model, HasBatches) else None
        if pending is None:
            self._may_ask(name, model, request)
        elif self.offline and not pending.answer.status:
            raise ModelError(f"model '{name}': this call waits in batch {pending.batch} and the run is offline")
        # No model hears whose call it is.
        seeded = replace(request, seed=derive_seed(self.seed, asked.draw), label="", about="")
        fault = Fault(asked.key, self.stage, name, request.draw.role, "", request.label)
        started = time.perf_counter()
        MOVED.set(lambda why: self._moved(fault, why))  # of this flight alone: each is a task of its own
        try:
            if isinstance(model, HasBatches) and (pending is not None or self.batched(name, model)):
                reply = await self.batches.reply(model, seeded, request, fault, asked.identity)
            else:
                reply = await self._within_budget(model, seeded, fault)
                refuse_withheld(reply, request, name)
        except (StopRun, NotAsked):
            raise
        except CbtrunError as error:
            self.journal.keep_fault(replace(fault, error=str(error)))
            raise
        seconds = time.perf_counter() - started
        draw = request.draw
        by = (asked.key, self.stage, name, draw.role, draw.attempt)
        call = Call(*by, reply, seconds, request.about, asked.identity[:16], request.label, time.time())
        await self.journal.keep(call)
        self.tally.count(reply)
        return reply

    def _moved(self, fault: Fault, why: str) -> None:
        """Note that a call is asked again on another engine: another card may draw otherwise, so arms must not differ in it."""
        self.tally.moved[fault.label] += 1
        self.journal.keep_fault(replace(fault, error=why, kind="moved"))

    def _may_ask(self, name: str, model: Model, request: Request) -> None:
        """Raises what forbids a new call. The one place that every request leaves through: whatever a block or a plugin is
        called, it is held back here.
        """
        if self.replays(name):  # offline too: what was made stays, and nothing half takes its place
            raise WouldAsk(f"model '{name}' would be asked anew")
        if self.offline:
            raise ModelError(not_kept(name, request.draw, weights=isinstance(model, AbsentModel)))
        if why := self.withheld(name):
            raise ConsentMissing([Problem(Place(self.stage), "", why)])
        self.before_asking(name)

    async def _within_budget(self, model: Model, request: Request, fault: Fault) -> Reply:
        terms = model.terms if isinstance(model, HasTerms) else None
        if self.budget is None:
            return await self._asked(model, terms, request, fault)
        reserve: Reserve = await self.budget.reserve(request, terms)
        reply = None
        try:
            reply = await self._asked(model, terms, request, fault)
        finally:
            self.budget.settle(reserve, reply, terms)
        return reply

    async def _asked(self, model: Model, terms: ServerTerms | None, request: Request, fault: Fault) -> Reply:
        """The reply of a model in this process, or that of a server after as many tries as its limits allow."""
        if terms is None:
            try:
                return await self._sent(model, request)
            except ServerTrouble as trouble:
                raise ModelError(str(trouble)) from trouble

        put_off, breaker = 0, self._breakers.setdefault(fault.model, Breaker(terms.limits.faults_to_stop))

        def again(trouble: ServerTrouble) -> None:
            nonlocal put_off
            breaker.let_all()
            limited, moved = isinstance(trouble, RateLimited), isinstance(trouble, Moved)
            put_off = put_off + 1 if limited else 0
            self.tally.retries[fault.label] += 1
            kind = "limited" if limited else "moved" if moved else "fault"  # a run of "wait" is one row with its count
            self.journal.keep_fault(replace(fault, error=str(trouble), kind=kind, tries=max(1, put_off)))

        if isinstance(model, HasServers):
            return await breaker.call(lambda: self._asked_somewhere(model, fault.model, request, again))
        gate = self.gates.gate(terms)
        reply = await breaker.call(lambda: gate.call(lambda: self._served(model, request), again))
        return priced(reply, terms.prices)

    async def _asked_somewhere(
        self, model: HasServers, name: str, request: Request, again: Callable[[ServerTrouble], None]
    ) -> Reply:
        """The reply of one of a model's servers."""
        servers = self._lists.setdefault(name, ServerList(name, self.gates, self.say))
        try:
            reply, server = await servers.call(
                model.servers, request.draw, lambda server: self._served(server, request), again
            )
        finally:
            self.tally.waits[f"servers of {name}"] = servers.words(model.servers)
            self.tally.by_server[name] = servers.counted(model.servers)
        return priced(reply, server.terms.prices)

    async def _served(self, model: Answering, request: Request) -> Reply:
        """One try at a server, its time counted."""
        began = time.perf_counter()
        try:
            return await self._sent(model, request)
        finally:
            self.tally.served += time.perf_counter() - began

    async def _sent(self, model: Answering, request: Request) -> Reply:
        """One try. What comes back, words or an error, is from here on without keys, and such as a file can hold."""
        if self._stopping:  # the run ends: what was not sent yet is not sent any more
            raise StopRun("the run is stopping")
        self.still_ours()
        try:
            return fresh(keepable(await model.reply(request)), request)
        except (CbtrunError, ServerTrouble) as error:
            without_keys(error)
            raise


@dataclass(frozen=True)
class Calls:
    """An open model whose every reply goes through the journal."""

    name: str
    model: Model
    desk: CallDesk
    identity: str
    """Digest of the model's identity."""
    code: str = ""
    """Digest of the code that answers, for a model of ours; empty for one that answers elsewhere."""
    others: tuple[str, ...] = ()
    """Digests of the identities under which its replies may have been kept, too."""

    async def reply(self, request: Request) -> Reply:
        """The reply to a request; asking the same again gives the same. A new try needs a new `draw.attempt`."""
        return await self.desk.reply(self.name, self.model, self.identity, request, self.code, self.others)

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int | None:
        """Tokens of a prompt, as the model counts them, or counted them where it is not here; none for one that does not."""
        prompt = digest([self.identity, messages_digest(messages)])
        if not isinstance(self.model, CountsTokens):
            return self.desk.journal.size(prompt) if isinstance(self.model, AbsentModel) else None
        tokens = self.model.count_tokens(messages)
        self.desk.journal.keep_size(KeptSize(prompt, tokens))
        return tokens


def own_code(_name: str, model: Model) -> str:
    """Digest of the code that answers, where a model says so."""
    return model.code if isinstance(model, HasCode) else ""


def own_key(name: str, model: Model) -> tuple[str, str]:
    """Digest of a model's identity, and of the code that answers: what the keys of its calls hold."""
    return digest(model.identity), own_code(name, model)


class OpenModels:
    """The models that a stage has open: each is opened once, and closed with the last that uses it."""

    def __init__(
        self,
        desk: CallDesk,
        open_model: Callable[[str], Model],
        engine_of: Callable[[str], EngineShare | None] = lambda name: None,  # noqa: ARG005 - no engine, whatever the name
        key_of: Callable[[str, Model], tuple[str, str]] = own_key,
        workplace: Workplace | None = None,
        open_policy: Callable[[Policy], Model] | None = None,
    ) -> None:
        self._desk = desk
        self._open_policy = open_policy
        self._open_model = open_model
        self._key_of = key_of
        self.engine_of = engine_of
        """The engine that must be open for a model, if it has one."""
        self.workplace = workplace
        """Machines that replies are made on; none where that is this one."""
        self._open: dict[str, tuple[Calls, int]] = {}

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Calls]:
        """The named model, open for as long as the block lasts."""
        calls, users = self._open.get(name) or (self._opened(name), 0)
        self._open[name] = (calls, users + 1)
        try:
            yield calls
        finally:
            calls, users = self._open[name]
            self._open[name] = (calls, users - 1)
            if users == 1:
                del self._open[name]
                await self._desk.land()
                await calls.model.close()

    @asynccontextmanager
    async def policy(self, name: str, policy: Policy) -> AsyncIterator[Calls]:
        """A model with an adapter in the making, open for as long as the block lasts. name: of the job that makes it.

        Raises ModelError in an offline run, which trains nothing.
        """
        if self._open_policy is None:
            raise ModelError(f"'{name}' is not trained yet, and an offline run trains nothing")
        self._desk.in_the_making.add(name)
        model = self._open_policy(policy)
        try:
            yield Calls(name, model, self._desk, *self._key_of(policy.base, model))
        finally:
            await self._desk.land()
            await model.close()

    def _opened(self, name: str) -> Calls:
        model = self._open_model(name)
        others = tuple(map(digest, other_identities_of(model)))
        return Calls(name, model, self._desk, *self._key_of(name, model), others)
