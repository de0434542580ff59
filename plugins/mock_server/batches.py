"""Batches as the mock server keeps them, for three vendors: what was handed in, what became of it, what was paid.

How each vendor's protocol shows them stands in batch_protocols.py.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cbtrun.plugins.mock_server.protocols import Vendor

Outcome = Literal["done", "error", "refused", "expired", "cancelled", "none"]

FAULTS = (
    *("partial", "refused", "expired", "cancelled", "failed", "shuffled", "missing", "queue"),
    *("lost", "lost-before", "500", "429", "too-large"),
)
"""What one batch may meet. In its course: every third request fails or is refused, the second half is not done, the whole is
refused, answers come in another order, every third has none, too much waits already. At its submission: the answer is lost
after or before it was taken, an error of the server's, wait, too large."""
AT_SUBMISSION = ("lost", "lost-before", "500", "429", "too-large")


@dataclass
class MockBatch:
    """One batch."""

    id: str
    vendor: Vendor
    requests: Mapping[str, Any]
    """Custom id -> body, in the order in which they came."""
    mark: str = ""
    """What its metadata or name say."""
    file: str = ""
    fault: str = ""
    at: float = field(default_factory=time.time)
    looks: int = 0
    listed: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    """Custom id -> its answer, once it has ended."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return bool(self.outcomes)

    @property
    def standing(self) -> str:
        """`working`, `done`, `expired`, `cancelled`, or `failed` as a whole."""
        if not self.ended:
            return "working"
        if self.fault in ("failed", "queue"):
            return "failed"
        return self.fault if self.fault in ("expired", "cancelled") else "done"


@dataclass
class BatchShop:
    """All batches of a server. Each of `faults` is met by one submission, in order (None: no fault)."""

    faults: Iterable[str | None] = ()
    looks: int = 1
    """How often a batch is looked at and still at work."""
    lag: int = 0
    """How many lists do not show a batch that was just made."""
    most_requests: int = 1_000_000
    """Of one batch; more are too large."""
    files: dict[str, bytes] = field(default_factory=dict)
    batches: list[MockBatch] = field(default_factory=list)
    paid: Counter[str] = field(default_factory=Counter)
    """Draw, by the part of its custom id that is its own -> how often it was done."""
    twice: list[str] = field(default_factory=list)
    """Draws that were handed in while they waited in another batch, or after they were done."""

    def __post_init__(self) -> None:
        """Nothing handed in yet."""
        self._faults = iter(self.faults)

    def next_fault(self, size: int) -> str:
        """What the submission of so many requests meets."""
        fault = next(self._faults, None) or ""
        return "too-large" if size > self.most_requests else fault

    def take(self, batch: MockBatch) -> MockBatch:
        """Take a batch in. Notes what it asks a second time."""
        waiting = {draw_of(one) for each in self.batches if not each.ended for one in each.requests}
        self.twice += [draw_of(one) for one in batch.requests if draw_of(one) in waiting or self.paid[draw_of(one)]]
        self.batches.append(batch)
        return batch

    def named(self, name: str) -> MockBatch | None:
        """The batch of an id."""
        return next((one for one in self.batches if one.id == name), None)

    def shown(self) -> list[MockBatch]:
        """What a list shows now, the newest first."""
        for one in self.batches:
            one.listed += 1
        return [one for one in reversed(self.batches) if one.listed > self.lag]

    def is_over(self, batch: MockBatch) -> bool:
        """Whether a batch is to end with this look."""
        batch.looks += 1
        return not batch.ended and batch.looks > self.looks

    def planned(self, batch: MockBatch) -> Iterator[tuple[str, Outcome]]:
        """Custom id -> what becomes of it, in the order in which results are given."""
        ids = [*batch.requests]
        order = reversed(ids) if batch.fault == "shuffled" else ids
        for place, name in enumerate(order):
            yield name, _outcome(batch.fault, place, len(ids))

    def settle(self, batch: MockBatch, name: str, outcome: Outcome, answer: Any) -> None:
        """Note what became of a request."""
        batch.outcomes[name], batch.answers[name] = outcome, answer
        if outcome == "done":
            self.paid[draw_of(name)] += 1


def _outcome(fault: str, place: int, count: int) -> Outcome:
    if fault in ("failed", "queue"):
        return "none"
    if fault in ("expired", "cancelled") and place >= count // 2:
        return "expired" if fault == "expired" else "cancelled"
    kinds: Mapping[str, Outcome] = {"partial": "error", "refused": "refused", "missing": "none"}
    return kinds[fault] if fault in kinds and place % 3 == 0 else "done"


def draw_of(custom_id: str) -> str:
    """The part of a custom id that is the draw's own."""
    return custom_id.rpartition("-")[2]
