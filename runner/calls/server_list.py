"""Several servers of one model: a session stays with one, a dead one is left out, told and taken back when it answers.

A server keeps what was said in its cache of prefixes, so whose draw a call is decides where it goes; a new session goes where
the fewest calls are under way. Each server has its own gate (server_gate.py), so limits hold for each.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cbtrun.calls.server_gate import ServerGates, ServerState
from cbtrun.errors import NotSent, ServerFault, ServerTrouble, StopRun

if TYPE_CHECKING:
    from cbtrun.calls.server_terms import ServerTerms
    from cbtrun.contract.models import Draw, Model, Reply

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 1.0, 60.0
"""How long after a server was left out it is looked at again; doubled each time."""

Session = tuple[str, str, int]


class Server(Protocol):
    """A model at one of its servers."""

    @property
    def terms(self) -> ServerTerms:
        """What calls to this server are held to."""

    async def reply(self, request: Any) -> Reply:
        """As of any model."""

    async def answers(self) -> bool:
        """Whether the server is there at all, by a question that costs nothing."""

    async def close(self) -> None:
        """As of any model."""


@runtime_checkable
class HasServers(Protocol):
    """A model that several servers serve, alike in all that decides an answer."""

    @property
    def servers(self) -> Sequence[Server]:
        """One or more, in the order of the study."""


@runtime_checkable
class HasOtherIdentities(Protocol):
    """A model whose replies may stand in the journal under other identities: where it was served then, and is no longer."""

    @property
    def other_identities(self) -> Sequence[Mapping[str, Any]]:
        """Under which a kept reply is a reply of this model too."""


def other_identities_of(model: Model) -> Sequence[Mapping[str, Any]]:
    """The identities, besides its own, that a model's kept replies may have."""
    return model.other_identities if isinstance(model, HasOtherIdentities) else ()


class Moved(ServerFault):
    """A call that is asked again at another server, since this one is left out."""


class _Left(Exception):
    """The server was left out while a call of ours was there or waited for it."""


def session_of(draw: Draw) -> Session:
    """Whose calls share a beginning: a speaker's in one session, and all ratings of a session by one rater."""
    return (draw.role, draw.subject, 0 if draw.role == "rater" else draw.repeat)


@dataclass
class ServerList:
    """The servers of one model in one stage."""

    name: str
    """The model's."""
    gates: ServerGates
    say: Callable[[str], None] = lambda _: None
    """Told of each server that is left out or taken back."""
    answered: Counter[str] = field(default_factory=Counter)
    """Server -> calls that it answered."""
    moved: int = 0
    _seats: dict[Session, str] = field(default_factory=dict)
    _seated: Counter[str] = field(default_factory=Counter)
    _looking: set[asyncio.Task[None]] = field(default_factory=set)
    _waiting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stopped: StopRun | None = None
    """What every call meets once no server answered for long enough."""

    async def call(
        self,
        servers: Sequence[Server],
        draw: Draw,
        ask: Callable[[Server], Awaitable[Reply]],
        on_retry: Callable[[ServerTrouble], None],
    ) -> tuple[Reply, Server]:
        """The reply and who gave it. Raises as a gate does; StopRun where no server answers."""
        while True:
            server = await self._seat(servers, session_of(draw))
            gate = self.gates.gate(server.terms)
            try:
                reply = await gate.call(lambda server=server: self._tried(server, ask, on_retry), on_retry)  # type: ignore[misc]  # the default binds the loop's server
            except _Left:
                self.moved += 1
                continue
            self.answered[server.terms.server] += 1
            return reply, server

    def words(self, servers: Sequence[Server]) -> str:
        """`tiny: 2 of 3 servers (http://b:8001 left out), 12 calls moved`."""
        out = [one.terms.server for one in servers if self._state(one).left_out]
        there = f"{len(servers) - len(out)} of {len(servers)} servers"
        left = f" ({', '.join(out)} left out)" if out else ""
        return f"{self.name}: {there}{left}, {self.moved:,} calls moved"

    def counted(self, servers: Sequence[Server]) -> str:
        """`calls of tiny: http://a:8001 120, http://b:8001 80; 12 moved`."""
        calls = ", ".join(f"{one.terms.server} {self.answered[one.terms.server]:,}" for one in servers)
        return f"calls of {self.name}: {calls}; {self.moved:,} moved"

    async def _tried(
        self, server: Server, ask: Callable[[Server], Awaitable[Reply]], on_retry: Callable[[ServerTrouble], None]
    ) -> Reply:
        """One try at a server. Raises _Left where the call is to go elsewhere."""
        state = self._state(server)
        if state.left_out:  # while this call waited for its place
            raise _Left
        try:
            reply = await ask(server)
        except ServerFault as fault:
            state.faults += 1
            gone = isinstance(fault, NotSent) or not await server.answers()
            if not gone and state.faults < server.terms.limits.tries:
                raise
            self._leave_out(server, str(fault))
            on_retry(Moved(f"{server.terms.server}: {fault}"))
            raise _Left from None
        state.faults = 0
        return reply

    async def _seat(self, servers: Sequence[Server], session: Session) -> Server:
        """The session's server; another one where that is left out."""
        self._look_again(servers)
        there = {one.terms.server: one for one in servers if not self._state(one).left_out}
        if not there:
            await self._wait_for_one(servers)
            return await self._seat(servers, session)
        kept = self._seats.get(session)
        if kept in there:
            return there[kept]
        if kept is not None:
            self._seated[kept] -= 1
        name = min(there, key=lambda one: (self.gates.gate(there[one].terms).load, self._seated[one]))
        self._seats[session] = name
        self._seated[name] += 1
        return there[name]

    def _leave_out(self, server: Server, why: str) -> None:
        state, name = self._state(server), server.terms.server
        if not state.left_out:
            state.left_out, state.looks = why, 0
            state.look_at = self._now(server) + FIRST_LOOK_SECONDS
            self.say(f"server {name} is left out, its sessions go on elsewhere ({why})")

    def _look_again(self, servers: Sequence[Server]) -> None:
        """Ask servers that are left out, each when it is time, while calls go on elsewhere."""
        for server in servers:
            state = self._state(server)
            if state.left_out and self._now(server) >= state.look_at:
                state.looks += 1
                state.look_at = self._now(server) + min(LONGEST_LOOK_SECONDS, FIRST_LOOK_SECONDS * 2.0**state.looks)
                task = asyncio.get_running_loop().create_task(self._look(server))
                self._looking.add(task)
                task.add_done_callback(self._looking.discard)

    async def _look(self, server: Server) -> None:
        if await server.answers():
            state = self._state(server)
            if state.left_out:
                state.left_out, state.faults = "", 0
                self.say(f"server {server.terms.server} answers again and gets new sessions")

    async def _wait_for_one(self, servers: Sequence[Server]) -> None:
        """Wait until one server answers, as long as one call to a single server is tried. Raises StopRun where none does."""
        async with self._waiting:
            if self._stopped is not None:
                raise self._stopped
            gate = self.gates.gate(servers[0].terms)
            for tries in range(1, gate.limits.tries + 1):
                if not all(self._state(one).left_out for one in servers):
                    return
                await gate.clock.sleep(gate.wait_after(tries))
                await asyncio.gather(*(self._look(one) for one in servers))
            if all(self._state(one).left_out for one in servers):
                reasons = "; ".join(f"{one.terms.server}: {self._state(one).left_out}" for one in servers)
                self._stopped = StopRun(
                    f"model '{self.name}': none of its {len(servers)} servers answers ({reasons}). What is done is kept; run the "
                    "same command again when one does"
                )
                raise self._stopped

    def _state(self, server: Server) -> ServerState:
        return self.gates.states.setdefault(server.terms.server, ServerState())

    def _now(self, server: Server) -> float:
        return self.gates.gate(server.terms).clock.now()
