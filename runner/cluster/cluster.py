"""A Ray cluster that the user named, while one command uses it (`Workplace` of the contract).

Ray Core alone: processes (actors) that Ray starts on machines which have what they ask for. None is restarted and no call is
made twice by Ray: what is lost is for this side to decide. They end with this process, however it ends.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.cluster.machine_facts import facts_of_this_machine
from cbtrun.cluster.replica import EngineGone, Patience, Replica
from cbtrun.cluster.replicas import OpenedLately, Replicas
from cbtrun.cluster.sent_files import files_digest, files_in
from cbtrun.contract.records import Json
from cbtrun.contract.workplace import Files, Machines, OpenedBy, SentFolder, Training, shared_out
from cbtrun.errors import StopRun

if TYPE_CHECKING:
    from cbtrun.cluster.where import Where

FACTS_SECONDS = 120.0
LOOK_SECONDS = 0.2
SHARED_CPUS = 0.001
"""Cores that Ray counts an engine with, so that any number of them opens, and none on a machine that gives no cores."""
SENT_KEPT = 64
"""Sets of files that stay in the cluster's memory for the next machine that asks for them."""


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster, as it was when the command began."""

    node: str
    """Ray's id."""
    address: str
    facts: Json
    gpus: int = 0
    """That Ray gives away; what the driver of the GPUs says is in the facts."""
    cpus: float = 0.0


@dataclass
class Cluster:
    """The machines that one command uses."""

    where: Where
    ray: Any
    """The module: it is imported by who connects."""
    machines: tuple[Machine, ...] = ()
    losses: Counter[str] = field(default_factory=Counter)
    """What was lost -> how often."""
    trainings: Counter[str] = field(default_factory=Counter)
    """Trainings that are under way."""
    _work: dict[str, int] = field(default_factory=dict)
    _pools: list[Replicas] = field(default_factory=list)
    _kept: dict[str, tuple[str, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _spoken: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))
    _ending: threading.Event = field(default_factory=threading.Event)

    # What plugins ask (Workplace) ---------------------------------------------------------------------------------

    def engines(self, opened_by: OpenedBy) -> Replicas:
        """Replicas of an engine; the first call opens them."""
        replicas = Replicas(self, opened_by)
        with self._lock:
            self._pools.append(replicas)
        return replicas

    def share_out(self, work: Mapping[str, int]) -> None:
        """Say how much is to be asked of each engine; those that are open grow where there is room now."""
        self._work = {key: count for key, count in work.items() if count > 0}
        self.fit()

    def fit(self) -> None:
        """Have every engine as often as its share asks for: those that have more let go of what others wait for."""
        for pool in list(self._pools):
            pool.shrink()
        for pool in list(self._pools):
            if pool.there or pool.opening:
                pool.grow()

    @property
    def checkpoint_seconds(self) -> float:
        """How often a training's checkpoint comes back, at most."""
        return self.where.checkpoint_minutes * 60

    def engine_share(self, gpus: int) -> float:
        """What one replica on so many GPUs takes of all machines together."""
        return gpus / max(1, sum(machine.gpus for machine in self.machines)) if gpus else 0.0

    def train(self, training: Training, tell: Callable[[Json, Files], None], stopped: Callable[[], bool]) -> Json:
        """A training's last word; see the contract. Blocks: it is called in a thread of its own."""
        return asyncio.run(self._train(training, tell, stopped))

    # What the replicas ask ----------------------------------------------------------------------------------------

    def start(self, opened_by: OpenedBy) -> Replica:
        """A process on some machine that has what it takes; it is not opened yet."""
        from cbtrun.cluster.node import EngineProcess

        most = max((machine.cpus for machine in self.machines), default=1.0)
        cpus = min(opened_by.cpus, most) if opened_by.waits_for_cpus else SHARED_CPUS
        actor = (
            self.ray.remote(EngineProcess)
            .options(
                num_gpus=opened_by.gpus,
                num_cpus=cpus,
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=1000,
                scheduling_strategy="SPREAD" if not opened_by.gpus else "DEFAULT",
            )
            .remote()
        )
        where = self.where
        patience = Patience(where.deadline_seconds, where.ping_seconds, where.opening_seconds)
        return Replica(actor, patience, self)

    def replicas_of(self, opened_by: OpenedBy) -> int:
        """How many replicas an engine is to have now: its share of what the machines can hold, by what it has to do."""
        seats = self.seen.seats(opened_by.gpus, opened_by.cpus)
        if opened_by.gpus:
            known = {pool.key for pool in self._pools} | {*self._work}
            work = {key: self._work.get(key, 1) for key in known if key in self._work or key == opened_by.key}
            seats = shared_out(work, seats).get(opened_by.key, 1)
        else:
            seats = min(seats, len(self.machines))
        return max(1, min(seats, self.where.replicas or seats))

    def sent(self, name: str, folder: SentFolder) -> tuple[str, Any]:
        """Digest of a folder's files, and a reference to them: they travel once to a machine, whoever asks for them there."""
        with self._lock:
            if name not in self._kept:
                while len(self._kept) >= SENT_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                files = files_in(Path(folder.folder), folder.names)
                self._kept[name] = files_digest(files), self.ray.put(files)
            return self._kept[name]

    def kill(self, actor: Any) -> None:
        """End a process for certain."""
        self.ray.kill(actor, no_restart=True)

    def forget(self, pool: Replicas) -> None:
        """An engine is closed: what it took is for the others."""
        with self._lock:
            if pool in self._pools:
                self._pools.remove(pool)

    def note_loss(self, label: str, why: str) -> None:
        """Count an engine or a training that was lost."""
        with self._lock:
            self.losses[f"{label}: {why}"] += 1

    # What is told of it -------------------------------------------------------------------------------------------

    @property
    def seen(self) -> Machines:
        """What a plan must know of the machines."""
        packages = [frozenset(machine.facts["packages"]) for machine in self.machines]
        return Machines(
            tuple(tuple(machine.facts["gpus"][: machine.gpus]) or (0.0,) * machine.gpus for machine in self.machines),
            tuple(machine.cpus for machine in self.machines),
            frozenset.intersection(*packages) if packages else frozenset(),
        )

    def words(self) -> str:
        """What is at work, for the progress line."""
        there = [one for pool in list(self._pools) for one in pool.there]
        opening = sum(pool.opening for pool in self._pools)
        gpus = sum(machine.gpus for machine in self.machines)
        busy = sum(pool.gpus * (len(pool.there) + pool.opening) for pool in self._pools)
        self._spoken.append((time.monotonic(), sum(one.made for one in there)))
        trainings = dict(self.trainings)
        busy += sum(trainings.values())
        parts = [f"{len(trainings)} training{'s' * (len(trainings) != 1)}"] if trainings else []
        parts += [
            f"{len(there)} engine{'s' * (len(there) != 1)} on {len(self.machines)} machine{'s' * (len(self.machines) != 1)}"
        ]
        parts += [f"{opening} opening"] if opening else []
        parts += [f"{busy} of {gpus} GPUs at work"] if gpus else []
        parts += [f"{rate:.1f} replies/s an engine"] if there and (rate := self._rate() / len(there)) else []
        parts += [f"{sum(self.losses.values())} lost"] if self.losses else []
        return ", ".join(parts)

    def _rate(self) -> float:
        (before, then), (now, made) = self._spoken[0], self._spoken[-1]
        return max(0.0, (made - then) / (now - before)) if now > before else 0.0

    def told(self) -> dict[str, Any]:
        """For the lock file: where it ran, on what."""
        return {
            **self.where.told,
            "machines": [
                {
                    "host": machine.facts["host"],
                    "cpus": machine.cpus,
                    "gpus": len(machine.facts["gpus"]),
                    "gpu_driver": machine.facts["gpu_driver"],
                    "python": machine.facts["python"],
                    "versions": machine.facts["versions"],
                }
                for machine in self.machines
            ],
        }

    def ask_machines(self, models: Sequence[str] = ()) -> tuple[Machine, ...]:
        """Ask every machine of the cluster what it has. models: weights that are looked for there."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        asked = self.ray.remote(facts_of_this_machine)
        nodes = [node for node in self.ray.nodes() if node["Alive"]]
        waiting = {
            node["NodeID"]: asked.options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            ).remote(tuple(models))
            for node in nodes
        }
        found = []
        for node in nodes:
            resources = node["Resources"]
            if not resources.get("CPU"):  # a head that is to do nothing
                continue
            try:
                facts = self.ray.get(waiting[node["NodeID"]], timeout=FACTS_SECONDS)
            except Exception as error:
                if node["NodeID"] not in {one["NodeID"] for one in self.ray.nodes() if one["Alive"]}:
                    continue  # it was lost meanwhile
                first = next(iter(str(error).strip().splitlines()), type(error).__name__)
                raise StopRun(
                    f"the machine {node['NodeManagerAddress']} of the cluster does not answer: {first[:300]}"
                ) from error
            gpus, cpus = int(resources.get("GPU", 0)), float(resources["CPU"])
            found.append(Machine(node["NodeID"], node["NodeManagerAddress"], json.loads(json.dumps(facts)), gpus, cpus))
        self.machines = tuple(sorted(found, key=lambda machine: (machine.facts["host"], machine.node)))
        return self.machines

    def end_trainings(self) -> None:
        """Have trainings that are under way return."""
        self._ending.set()

    async def _train(
        self, training: Training, tell: Callable[[Json, Files], None], stopped: Callable[[], bool]
    ) -> Json:
        again, label = OpenedLately(self.where.new_engines_an_hour), training.opened_by.label
        while True:
            replica = self.start(training.opened_by)
            self.trainings[label] = training.opened_by.gpus
            try:
                return await self._trained_by(replica, training, tell, stopped)
            except EngineGone as gone:
                self.note_loss(label, str(gone))
                if stopped() or self._ending.is_set():
                    raise StopRun("the run is stopping") from None
                if not again.may_open():
                    raise StopRun(
                        f"training '{label}' lost its machine too often within an hour; the last time {gone}"
                    ) from gone
            finally:
                self.trainings.pop(label, None)
                replica.give_up("the training is over")

    async def _trained_by(
        self, replica: Replica, training: Training, tell: Callable[[Json, Files], None], stopped: Callable[[], bool]
    ) -> Json:
        async def work() -> Json:
            await replica.open(training.opened_by)
            for name, folder in training.folders().items():
                await replica.hold(name, folder)
            return await replica.make(training.asked(), tell)

        task = asyncio.ensure_future(work())
        while not task.done():
            await asyncio.wait([task], timeout=LOOK_SECONDS)
            if not task.done() and (stopped() or self._ending.is_set()):
                replica.give_up("the run is stopping")
                await asyncio.wait([task])
        return task.result()
