"""Sessions at a server of a known latency, by a clock of their own: no time passes."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

from cbtrun.contract.pace import Pace


@dataclass
class Simulated:
    """Sessions at a server: `seats` calls at once, each of `latency` seconds; turns of a session follow each other."""

    lengths: list[int]
    """Turns of each session."""
    latencies: tuple[float, ...]
    """Of a session's turns, one after the other, from the first again."""
    seats: int
    width: int
    steps: int
    kept: int = 0
    """Turns of each session that the journal holds: they take no time."""
    now: float = 0.0
    served: float = 0.0
    told: list[tuple[float, float | None, float]] = field(default_factory=list)
    """Time, time left as it was told, share of the turns made."""

    def run(self) -> Simulated:
        pace = Pace(len(self.lengths), self.width, self.steps, "turns", lambda: self.served, lambda: self.now)
        events: list[tuple[float, int, int]] = []
        order = count()
        waiting = iter(range(len(self.lengths)))
        queue: list[int] = []
        turns = dict.fromkeys(range(len(self.lengths)), 0)
        at_server = 0

        def begin() -> None:
            unit = next(waiting, None)
            if unit is not None:
                pace.begin(unit)
                queue.append(unit)

        for _ in range(min(self.width, len(self.lengths))):
            begin()
        ticks = count(1)
        heapq.heappush(events, (float(next(ticks)), next(order), -1))
        while True:
            while queue and at_server < self.seats:
                unit = queue.pop(0)
                takes = 0.0 if turns[unit] < self.kept else self.latencies[turns[unit] % len(self.latencies)]
                at_server += 1
                heapq.heappush(events, (self.now + takes, next(order), unit))
            self.now, _, unit = heapq.heappop(events)
            if unit < 0:
                kept = self.kept * len(self.lengths)
                self.told.append((self.now, pace.left(), (pace.done - kept) / (pace.total - kept)))
                heapq.heappush(events, (self.now + 1.0, next(order), -1))
                continue
            at_server -= 1
            self.served += 0.0 if turns[unit] < self.kept else self.latencies[turns[unit] % len(self.latencies)]
            turns[unit] += 1
            pace.step(unit)
            if turns[unit] < self.lengths[unit]:
                queue.append(unit)
                continue
            pace.end(unit)
            begin()
            if all(turns[one] == length for one, length in enumerate(self.lengths)):
                return self
