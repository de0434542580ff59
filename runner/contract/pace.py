"""How fast a stage goes, and how long its rest will take: by the steps of its units, which are known from the start.

A unit (a session) takes steps (turns) one after the other; units go side by side. So the rest is not work by speed alone:
the last unit to begin still takes all its steps. Times come from a clock that a test brings.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

BURST = 0.02
"""Share of the time so far within which steps count as ended together."""
UNHINDERED = 0.8
"""Share of a step's seconds that the server takes where units do not wait for each other."""
LONG = 3.0
"""A mean wait so many times longer than steps were says that they do not take so little any more."""
LOOKED_AT = 4
"""Waves of waiting units that are followed one by one; those before them go at full speed."""
SHORTEST_SECONDS = 1e-6


def seconds_left(
    under_way: Iterable[float], waiting: int, steps: float, width: int, capacity: float, own: float
) -> float:
    """Seconds until the last unit has ended.

    under_way: steps left of each unit at work. waiting: units not begun, `steps` steps each, of which `width` units go at
    once. capacity: steps a second of all units together, at most. own: seconds of a step that nobody else is before.
    All at work go equally fast: one over `own`, or their share of the capacity. O(n log n) in the units followed.
    """
    ends = sorted(under_way)  # a heap: the level of steps at which each one ends
    width = max(1, width, len(ends))
    spent = 0.0
    if ahead := max(0, waiting // width - LOOKED_AT) * width:
        spent = ahead * steps / _together(width, capacity, own)
        waiting -= ahead
    level = 0.0
    while ends or waiting:
        while waiting and len(ends) < width:
            heapq.heappush(ends, level + steps)
            waiting -= 1
        end = heapq.heappop(ends)
        spent += (end - level) * (len(ends) + 1) / _together(len(ends) + 1, capacity, own)
        level = end
    return spent


def _together(units: int, capacity: float, own: float) -> float:
    """Steps a second of so many units at work."""
    return min(capacity, units / max(own, SHORTEST_SECONDS))


@dataclass
class _Slot:
    """Steps that ended about the same time."""

    until: float
    count: int
    seconds: float
    """Of all steps, each since the one before it in its unit."""
    at_once: int
    """Units under way at each step, added up."""
    served: float
    """Seconds that servers had taken until then."""

    def take(self, later: _Slot) -> None:
        """Add steps that ended a little later."""
        self.until, self.served = later.until, later.served
        self.count += later.count
        self.seconds += later.seconds
        self.at_once += later.at_once


@dataclass(frozen=True)
class _Lately:
    """What the steps of the later half of the time so far were like."""

    seconds: float
    """Of a step, since the one before it in its unit."""
    own: float
    """Of these, those that a server took: the rest was waiting for others."""
    together: float
    """Steps a second, of all units."""


@dataclass
class _AtWork:
    """A unit under way."""

    since: float
    """When it began, or when its last step ended."""
    steps: int = 0


@dataclass
class Pace:
    """The units of a stage: which are at work, how many steps each has made, how long a step takes."""

    units: int
    width: int
    """Units that may be under way at once."""
    steps: int = 1
    """Most steps of a unit."""
    counted: str = ""
    """What the steps are called; empty where units are counted."""
    served: Callable[[], float] = lambda: 0.0
    """Seconds that servers took so far, added up over all calls: a server's own time, without the queue before it."""
    clock: Callable[[], float] = time.monotonic
    _at_work: dict[int, _AtWork] = field(default_factory=dict)
    _ended: int = 0
    _ended_steps: int = 0
    _lengths: Counter[int] = field(default_factory=Counter)
    """Steps -> units that ended after so many."""
    _slots: deque[_Slot] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Nothing begun yet."""
        self._began = self.clock()

    def begin(self, unit: int) -> None:
        """A unit is at work; said again, its next step begins now: what it waited for was no step."""
        self._at_work.setdefault(unit, _AtWork(0.0)).since = self.clock()

    def step(self, unit: int) -> None:
        """A unit at work has made a step."""
        if (one := self._at_work.get(unit)) is not None and one.steps < self.steps:
            now = self.clock()
            self._note(_Slot(now, 1, now - one.since, len(self._at_work), self.served()))
            one.since, one.steps = now, one.steps + 1

    def end(self, unit: int) -> None:
        """A unit has ended, maybe before its last step. One of a single step has made it."""
        if self.steps == 1:
            self.step(unit)
        self._ended += 1
        made = self._at_work.pop(unit).steps
        self._ended_steps += made
        self._lengths[made] += 1

    @property
    def done(self) -> int:
        """Steps made."""
        return self._ended_steps + sum(one.steps for one in self._at_work.values()) if self.counted else self._ended

    @property
    def total(self) -> int:
        """Steps in all, as far as is known: units that ended before their last step have no more."""
        return self._ended_steps + (self.units - self._ended) * self.steps if self.counted else self.units

    def left(self) -> float | None:
        """Seconds until all units have ended; none before a tenth is done, which says little."""
        if not self._slots or self.done < self.total / 10:
            return None
        lately, now = self._lately(), self.clock()
        waiting = self.units - self._ended - len(self._at_work)
        lengths = self._lengths_from()
        # Where units wait for each other nobody can say whether one's next step has begun.
        most = 0.99 if lately.own >= UNHINDERED * lately.seconds else 0.0
        rest = [
            max(0.01, lengths[one.steps] - one.steps - min((now - one.since) / lately.seconds, most))
            for one in self._at_work.values()
        ]
        return seconds_left(rest, waiting, max(lengths[0], 1e-3), self.width, lately.together, lately.own)

    def _lengths_from(self) -> list[float]:
        """Steps made -> steps that a unit will have in all, from how many others ended after each step.

        As in survival analysis: units at work count for what they have shown so far (Kaplan and Meier 1958). One that
        may well go to its last step decides when all have ended, so the least advanced is taken to do so.
        """
        shown = self._lengths + Counter(one.steps for one in self._at_work.values())
        at_risk, staying = shown.total() - shown[0], [1.0]
        for step in range(1, self.steps):
            ends = self._lengths[step] / at_risk if at_risk else 0.0
            staying.append(staying[-1] * (1 - min(ends, 0.99)))
            at_risk -= shown[step]
        ahead, lengths = 0.0, [float(self.steps)] * (self.steps + 1)
        for step in range(self.steps - 1, -1, -1):
            ahead += staying[step]
            lengths[step] = step + ahead / staying[step]
        least = min((one.steps for one in self._at_work.values()), default=self.steps)
        if least < self.steps and len(self._at_work) * staying[-1] / staying[least] >= 1:
            lengths[least] = float(self.steps)
        return lengths

    def _note(self, slot: _Slot) -> None:
        """Keep what the later half of the time needs. Steps that end in one burst are one slot."""
        if self._slots and slot.until - self._slots[-1].until <= BURST * (slot.until - self._began):
            self._slots[-1].take(slot)
        else:
            self._slots.append(slot)
        middle = (self._began + slot.until) / 2
        while len(self._slots) > 1 and self._slots[1].until < middle:
            self._slots.popleft()

    def _lately(self) -> _Lately:
        """What an earlier run left in the journal passes in no time: the first half is not what the rest will be like."""
        before, *lately = self._slots
        since = before.until if lately else self._began
        lately = lately or [before]
        count = sum(slot.count for slot in lately)
        seconds = sum(slot.seconds for slot in lately) / count
        waits = [self.clock() - one.since for one in self._at_work.values()]
        if waits and sum(waits) > LONG * seconds * len(waits):  # the first that is not in the journal
            seconds = sum(waits) / len(waits)
        served = lately[-1].served - (before.served if lately[0] is not before else 0.0)
        own = min(served / count, seconds)
        together = sum(slot.at_once for slot in lately) / count / max(seconds, SHORTEST_SECONDS)
        if own < UNHINDERED * seconds:  # they wait for each other: all together are as fast as the server is
            whole = lately[:-1] if len(lately) > 2 else lately  # the last burst may go on
            together = sum(slot.count for slot in whole) / max(whole[-1].until - since, SHORTEST_SECONDS)
        return _Lately(max(seconds, SHORTEST_SECONDS), own, together)


@dataclass
class Counted:
    """Work that goes one after the other, as a training's steps: how long the rest takes at the pace since the first."""

    clock: Callable[[], float] = time.monotonic
    _first: tuple[float, int] | None = None

    def left(self, done: int, total: int | None) -> float | None:
        """Seconds left when so much is done; none before a tenth of it is."""
        if not total:
            return None
        now = self.clock()
        if self._first is None:
            self._first = (now, done)
        began, before = self._first
        if done <= before or done - before < (total - before) / 10:
            return None
        return (total - done) * (now - began) / (done - before)
