"""The models of the sessions: each open from its first session to its last, engines as many at a time as fit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from cbtrun.plugin import CbtrunError, EngineShare
from cbtrun.plugins.dialogue.units import Therapist, Waiting

if TYPE_CHECKING:
    from cbtrun.plugin import Calls, StageContext

WHOLE = 1.0 + 1e-9


def engines_of(context: StageContext, units: Sequence[Waiting]) -> dict[str, EngineShare]:
    """The engine of each model that has one. What cannot be said is left to the opening of the model."""
    found = {}
    for name in dict.fromkeys(name for unit in units for name in _names(unit.therapist)):
        try:
            share = context.models.engine_of(name)
        except CbtrunError:
            continue
        if share is not None:
            found[name] = share
    return found


def order_of(units: Sequence[Waiting], engines: Mapping[str, EngineShare]) -> list[int]:
    """Places of the units so that those on one engine come together: each engine is opened once."""
    ranks: dict[tuple[str, ...], int] = {}
    for unit in units:
        ranks.setdefault(_keys(unit.therapist, engines), len(ranks))
    return sorted(range(len(units)), key=lambda place: ranks[_keys(units[place].therapist, engines)])


class Rooms:
    """Models by where they are open: an engine with all that it serves, or a model by itself.

    A place is opened for its first session and closed after its last. Where the engines do not fit beside each other, a
    session waits until those that it does not need are done, or idle.
    """

    def __init__(self, context: StageContext, units: Sequence[Waiting], engines: Mapping[str, EngineShare]) -> None:
        self._context = context
        self._memory = {share.key: share.memory for share in engines.values()}
        self._place = {name: share.key for name, share in engines.items()}
        self._left = Counter(place for unit in units for place in self._places(unit.therapist))
        self._busy: Counter[str] = Counter()
        self._open: dict[str, tuple[AsyncExitStack, dict[str, Calls]]] = {}
        self._broken: dict[str, CbtrunError] = {}
        self._arms_left = Counter(unit.therapist.label for unit in units)
        self._arms_open: set[str] = set()
        self._arms_at_once = context.options.get("arms_at_once") or max(len(self._arms_left), 1)
        self._changed = asyncio.Condition()
        self._share_out()

    def _share_out(self) -> None:
        """Tell the machines how many sessions each engine still has: it is opened as often as its share asks for."""
        if self._context.workplace is not None:
            self._context.workplace.share_out({place: self._left[place] for place in {*self._place.values()}})

    @asynccontextmanager
    async def room(self, course: Waiting) -> AsyncIterator[tuple[Calls, Calls]]:
        """The therapist's and the patient's model for a session."""
        therapist = course.therapist
        places = self._places(therapist)
        entered = False
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._may_enter(therapist))
                entered = True
                self._arms_open.add(therapist.label)
                self._busy.update(places)
                await self._make_way(places)
                models = [await self._model(name) for name in _names(therapist)]
            yield models[0], models[1]
        finally:
            await self._leave(therapist, places, entered)

    async def close(self) -> None:
        """Close what an error left open."""
        while self._open:
            await self._open.popitem()[1][0].aclose()

    def _may_enter(self, therapist: Therapist) -> bool:
        if therapist.label not in self._arms_open and len(self._arms_open) >= self._arms_at_once:
            return False
        needed = self._places(therapist)
        if all(place in self._open for place in needed):
            return True
        staying = [place for place in self._open if place in needed or self._busy[place]]
        memory = sum(self._memory.get(place, 0.0) for place in {*staying, *needed})
        # What does not fit even alone is for the engine to refuse.
        return memory <= WHOLE or not any(self._memory.get(place) for place in staying if place not in needed)

    async def _make_way(self, needed: frozenset[str]) -> None:
        """Close idle engines until what is needed fits; their other sessions open them again."""
        for place in list(self._open):
            memory = sum(self._memory.get(one, 0.0) for one in {*self._open, *needed})
            if memory > WHOLE and place not in needed and not self._busy[place] and self._memory.get(place):
                await self._shut(place)

    async def _model(self, name: str) -> Calls:
        if name in self._broken:  # what could not be opened once is not tried again for every session
            raise self._broken[name]
        stack, models = self._open.setdefault(self._place_of(name), (AsyncExitStack(), {}))
        if name not in models:
            try:
                models[name] = await stack.enter_async_context(self._context.model(name))
            except CbtrunError as error:
                self._broken[name] = error
                raise
        return models[name]

    async def _leave(self, therapist: Therapist, places: frozenset[str], entered: bool) -> None:
        async with self._changed:
            if entered:
                self._busy.subtract(places)
            self._left.subtract(places)
            self._arms_left[therapist.label] -= 1
            ended = [place for place in places if not self._left[place]]
            for place in ended:
                await self._shut(place)
            if ended:
                self._share_out()
            if not self._arms_left[therapist.label]:
                self._arms_open.discard(therapist.label)
            self._changed.notify_all()

    async def _shut(self, place: str) -> None:
        if place in self._open:
            await self._open.pop(place)[0].aclose()

    def _places(self, therapist: Therapist) -> frozenset[str]:
        return frozenset(map(self._place_of, _names(therapist)))

    def _place_of(self, name: str) -> str:
        return self._place.get(name, name)


def _names(therapist: Therapist) -> tuple[str, str]:
    return therapist.model, therapist.patient


def _keys(therapist: Therapist, engines: Mapping[str, EngineShare]) -> tuple[str, ...]:
    return tuple(engines[name].key if name in engines else "" for name in _names(therapist))
