"""A cluster of replicas that are none: they answer, are lost, or hang, as a test says."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

from cbtrun.cluster.replica import EngineGone
from cbtrun.cluster.replicas import Replicas
from cbtrun.contract.models import ContextRoom
from cbtrun.contract.workplace import OpenedBy

OPENED_BY = OpenedBy("nowhere:nothing", {}, "key", "fake")


class FakeReplica:
    """Answers with its number; `lose` loses it with what it was asked."""

    def __init__(self, number: int, cluster: FakeCluster) -> None:
        self.number, self.cluster = number, cluster
        self.room, self.facts, self.gone, self.counted, self.load, self.made = ContextRoom(100), {}, "", False, 0, 0
        self.asked: list[str] = []

    async def open(self, opened_by: OpenedBy) -> None:
        if self.cluster.refuses is not None:
            raise self.cluster.refuses

    async def hold(self, name: str, folder: Any) -> None:
        self.asked.append(f"hold {name}")

    async def make(self, asked: dict[str, Any], tell: object = None) -> dict[str, Any]:
        self.load += 1
        self.asked.append(str(asked["call"]))
        try:
            await asyncio.sleep(0)
            if self.number in self.cluster.dying:
                raise EngineGone("it died")
            return {"by": self.number, "call": asked["call"]}
        finally:
            self.load -= 1

    def give_up(self, why: str) -> None:
        self.gone = self.gone or why

    async def close(self) -> None:
        self.gone = "closed"


class FakeCluster:
    """Starts such replicas."""

    def __init__(self, replicas: int = 2, again: int = 3) -> None:
        self.where = SimpleNamespace(new_engines_an_hour=again, trusted=False, on="ray")
        self.wanted, self.started = replicas, list[FakeReplica]()
        self.dying: set[int] = set()
        self.refuses: Exception | None = None
        self.losses: Counter[str] = Counter()

    def replicas(self) -> Replicas:
        """The engines of one kind."""
        return Replicas(self, OPENED_BY)  # type: ignore[arg-type]

    def start(self, opened_by: OpenedBy) -> FakeReplica:
        self.started.append(FakeReplica(len(self.started), self))
        return self.started[-1]

    def replicas_of(self, opened_by: OpenedBy) -> int:
        return self.wanted

    def fit(self) -> None: ...

    def forget(self, pool: object) -> None: ...

    def note_loss(self, label: str, why: str) -> None:
        self.losses[label] += 1
