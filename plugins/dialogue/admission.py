"""How many sessions are under way: as many as their models' memory keeps, and those are finished before new ones start.

A model that keeps dialogues in memory from turn to turn (vLLM's KV cache) says how many tokens it holds: `room`. Each
side of a session is a dialogue of its own there. Were more sessions begun than fit, each would find at its next turn that
it was forgotten meanwhile, and would be read again from its first word. Two rules, both by tokens:

- A session is let in if all under way, each growing by a mean turn at a time until its last, stay within the memory.
- Where not all fit at once, sessions start evenly spread. Sessions that begin together also end together: half of the
  memory would lie idle on average, and batches would be smaller than they could.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cbtrun.plugin import SEATED, ContextRoom, Reply, Speaker

USED = 0.97
"""Share of a memory that is filled: the last block of every dialogue is filled in part."""
BEFORE_KNOWN = 8
"""Sessions under way while a model does not know yet what it holds: those that the journal holds need no model."""
TURNS_TO_TRUST = 50
"""Turns after which their mean length is believed instead of their limit."""
TEMPLATE_TOKENS = 6
"""Tokens that a chat template puts around a turn, about."""


@dataclass(eq=False)
class Seat:
    """A session under way."""

    rooms: dict[Speaker, ContextRoom]
    """Where each side's dialogue is kept; a side without memory is not in it. Of several engines it is the memory of one."""
    sizes: dict[Speaker, int]
    """Tokens of each side's dialogue so far."""
    turns: int = 0
    whole: dict[Speaker, ContextRoom] = field(default_factory=dict)
    """The memory of all engines of a side's model together; of a single engine it is `rooms`."""

    def __post_init__(self) -> None:
        """Before any engine is chosen the two are the same."""
        self.whole = dict(self.rooms)

    def tokens(self, room: ContextRoom) -> int:
        """Tokens that it has in a memory."""
        return sum(self.sizes[speaker] for speaker, its in self.rooms.items() if its is room)

    def sides(self, room: ContextRoom) -> int:
        """Dialogues that it has in a memory."""
        return sum(its is room for its in self.rooms.values())


@dataclass
class Admission:
    """Lets sessions in."""

    max_turns: int
    turn_limit: float
    """Most tokens of a turn, mean over both sides."""
    _seats: list[Seat] = field(default_factory=list)
    _waiting: deque[tuple[Seat, asyncio.Future[None]]] = field(default_factory=deque)
    _taken: int = 0
    _spoken: int = 0

    @asynccontextmanager
    async def seat(self, rooms: Mapping[Speaker, ContextRoom], starts: Mapping[Speaker, int]) -> AsyncIterator[Seat]:
        """A seat for one session, once there is room. starts: tokens of each side's instruction."""
        seat = Seat(dict(rooms), dict(starts))
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seat, let_in))
        try:
            self._let_in()
            await let_in
            SEATED.set(
                seat.rooms
            )  # of this session's task alone; calls go to the engines that its dialogues are kept in
            yield seat
        finally:
            if seat in self._seats:
                self._seats.remove(seat)
            self._waiting = deque(one for one in self._waiting if one[0] is not seat)
            self._let_in()

    def took(self, seat: Seat, speaker: Speaker, reply: Reply) -> None:
        """Note a turn: what both sides' dialogues have grown to."""
        seat.turns += 1
        self._taken += 1
        self._spoken += reply.tokens_out
        for side in seat.sizes:
            seat.sizes[side] += reply.tokens_out + TEMPLATE_TOKENS
        if reply.tokens_in and speaker in seat.sizes:
            seat.sizes[speaker] = reply.tokens_in + reply.tokens_out
        self._let_in()

    @property
    def turn_tokens(self) -> float:
        """Tokens that a dialogue grows by with a turn."""
        mean = self._spoken / self._taken if self._taken >= TURNS_TO_TRUST else self.turn_limit
        return mean + TEMPLATE_TOKENS

    def _let_in(self) -> None:
        full: set[ContextRoom] = set()
        self._settle()
        for seat, let_in in list(self._waiting):
            seat.rooms.update(self._roomiest(seat))
            rooms = set(seat.rooms.values())
            if rooms & full:  # nobody overtakes within a room
                continue
            shut = {room for room in rooms if not self._fits(room, seat)}
            if shut:
                full |= shut
                continue
            self._waiting.popleft() if self._waiting[0][0] is seat else self._waiting.remove((seat, let_in))
            self._seats.append(seat)
            if not let_in.done():
                let_in.set_result(None)

    def _settle(self) -> None:
        """Give sessions under way a memory of one engine: theirs was lost, or they began before any was open."""
        for seat in self._seats:
            gone = any(room not in whole.replicas for room, whole in self._split(seat))
            if gone:
                seat.rooms.update(self._roomiest(seat))

    @staticmethod
    def _split(seat: Seat) -> list[tuple[ContextRoom, ContextRoom]]:
        """Where each side is kept, and all memories that it might be kept in, where there are several."""
        return [(seat.rooms[side], whole) for side, whole in seat.whole.items() if whole.replicas]

    def _roomiest(self, seat: Seat) -> dict[Speaker, ContextRoom]:
        """For each side that several engines could serve, the memory with most room; both sides of one model in the same."""
        chosen: dict[int, ContextRoom] = {}
        for whole in seat.whole.values():
            if whole.replicas and id(whole) not in chosen:
                chosen[id(whole)] = max(whole.replicas, key=self._free)
        return {side: chosen[id(whole)] for side, whole in seat.whole.items() if id(whole) in chosen}

    def _free(self, room: ContextRoom) -> float:
        inside = [one for one in self._seats if one.sides(room)]
        return (room.tokens or 0) - self._peak(inside, room)

    def _fits(self, room: ContextRoom, seat: Seat) -> bool:
        inside = [one for one in self._seats if one.sides(room)]
        if not inside:
            return True
        if room.tokens is None:
            return len(inside) < BEFORE_KNOWN
        holds = USED * room.tokens
        if self._peak([*inside, seat], room) > holds:
            return False
        waiting = sum(1 for one, _ in self._waiting if one.sides(room))
        whole = seat.tokens(room) + seat.sides(room) * self.turn_tokens * self.max_turns
        if (len(inside) + waiting) * whole <= holds:
            return True
        early = max(2, self.max_turns // 5)  # turns
        mean = (seat.tokens(room) + whole) / 2
        share = math.ceil(holds / mean * early / self.max_turns)
        return sum(one.turns < early for one in inside) < share

    def _peak(self, seats: Sequence[Seat], room: ContextRoom) -> float:
        """Most tokens in a room from now on, if each session takes a turn at a time and none ends early."""
        tokens: Counter[int] = Counter()
        sides: Counter[int] = Counter()
        for seat in seats:
            left = max(0, self.max_turns - seat.turns)
            tokens[left] += seat.tokens(room)
            sides[left] += seat.sides(room)
        peak, staying, growing = 0.0, 0, 0
        for left in sorted(tokens, reverse=True):  # just before those with `left` turns end
            staying, growing = staying + tokens[left], growing + sides[left]
            peak = max(peak, staying + growing * self.turn_tokens * left)
        return peak
