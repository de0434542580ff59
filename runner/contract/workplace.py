"""Where engines and trainings run, as the engine and plugins speak of it: in this process, or on machines of a cluster.

Where a study runs is no part of the study. A plugin that may run elsewhere asks its context for a workplace; without one
it works here. All that goes to another machine and comes back is plain values (JSON) and bytes of named files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cbtrun.contract.models import ContextRoom
from cbtrun.contract.records import Json

Files = Mapping[str, bytes]
"""Name -> content of the files of one folder."""

SEATED: ContextVar[Mapping[Any, ContextRoom]] = ContextVar("seated", default={})  # noqa: B039 - nobody writes to it
"""The memories in which the dialogues of the session at work are kept, by side: its calls go there."""
MOVED: ContextVar[Callable[[str], None] | None] = ContextVar("moved", default=None)
"""Told why the call at work is asked again on another engine."""


@dataclass(frozen=True)
class SentFolder:
    """Files of a folder on this machine that travel to another."""

    folder: str
    names: tuple[str, ...]
    """Those of its files that travel; one that is not there is left out."""


@dataclass(frozen=True)
class OpenedBy:
    """An engine as it is opened on some machine: by a function of a plugin, from plain values."""

    function: str
    """`package.module:function`; called there with `arguments` and a `Node`, it gives a `Worked`. It may take minutes."""
    arguments: Json
    key: str
    """The same for all that one engine serves."""
    label: str
    """What it is, for people: a model's name."""
    gpus: int = 0
    """GPUs of one machine that it takes for itself."""
    cpus: float = 1.0
    """CPU cores that it keeps busy."""
    waits_for_cpus: bool = False
    """Whether it is begun only where so many cores are free: a training, which ends. Engines on CPUs share the cores."""
    folders: Mapping[str, SentFolder] = field(default_factory=dict)
    """Name (a digest) -> folder that it must have there before it is opened."""


class Node(Protocol):
    """The machine that an engine is opened on, as far as the engine's opener is told."""

    def folder_of(self, name: str) -> str:
        """The folder of files that were sent to this machine, by its name. Raises ModelError where there is none."""

    def work_folder(self) -> Path:
        """A new folder that is gone with the process."""


class Worked(Protocol):
    """What an opener gives: an engine, a model or a training at work in a process of some machine."""

    @property
    def facts(self) -> Json:
        """What is to be known of it: `cache_tokens`, for one."""

    async def make(self, asked: Json, tell: Callable[[Json, Files], None]) -> Json:
        """The answer to plain values. tell: gives a word, and files, before the answer is there."""

    async def close(self) -> None:
        """Give back what it holds."""


class Engines(Protocol):
    """The replicas of one engine, as who asks sees them."""

    room: ContextRoom
    """What they keep of dialogues, all together; each replica's own under `replicas`."""

    async def make(self, asked: Json, session: str = "", folders: Mapping[str, SentFolder] | None = None) -> Json:
        """The answer of one of them; on another where the first is lost meanwhile.

        session: calls of one session go to one replica. folders: name -> folder that it must have there. Raises what the engine raised, StopRun where no engine is left.
        """

    async def close(self) -> None:
        """End them all."""


class Workplace(Protocol):
    """Machines that a study's engines and trainings run on."""

    @property
    def checkpoint_seconds(self) -> float:
        """How often a training's checkpoint is to come back, at most."""

    def engines(self, opened_by: OpenedBy) -> Engines:
        """Replicas of an engine, as many as its share of the work asks for. The first call opens them."""

    def train(self, training: Training, tell: Callable[[Json, Files], None], stopped: Callable[[], bool]) -> Json:
        """A training's last word. It goes on elsewhere, from what it told last, where its machine is lost.

        tell: given what the training tells, in the order in which it was told. Raises what the training raised.
        """

    def share_out(self, work: Mapping[str, int]) -> None:
        """Say how much is to be asked of each engine, by key."""

    def engine_share(self, gpus: int) -> float:
        """What one replica on so many GPUs takes of all machines together."""


@dataclass(frozen=True)
class Training:
    """A training as it is begun on some machine."""

    opened_by: OpenedBy
    asked: Callable[[], Json]
    """What it is asked, looked at anew for each machine that it is begun on."""
    folders: Callable[[], Mapping[str, SentFolder]] = dict
    """Name -> folder that it needs: rows, and its last checkpoint."""


@dataclass(frozen=True)
class Machines:
    """What the machines of a workplace have, as far as a plan needs it."""

    gpus: tuple[tuple[float, ...], ...] = ()
    """GiB of each GPU, machine by machine."""
    cpus: tuple[float, ...] = ()
    """Cores of each machine."""
    packages: frozenset[str] = frozenset()
    """What is installed on every one of them."""

    @property
    def most_gpus(self) -> int:
        """GPUs of the machine that has most."""
        return max((len(one) for one in self.gpus), default=0)

    def seats(self, gpus: int, cpus: float = 1.0) -> int:
        """How many engines or trainings of this size fit side by side."""
        if gpus:
            return sum(len(one) // gpus for one in self.gpus)
        return int(sum(max(1.0, one // max(cpus, 0.01)) for one in self.cpus))


@dataclass
class _Seen:
    machines: Machines | None = None


_SEEN = _Seen()


def machines_elsewhere() -> Machines | None:
    """The machines that this process's run uses; none where it works here."""
    return _SEEN.machines


def use_machines(machines: Machines | None) -> None:
    """Have what is said of GPUs and packages be said of these machines; of this one again for none."""
    _SEEN.machines = machines


def shared_out(work: Mapping[str, int], seats: int) -> dict[str, int]:
    """Key -> replicas: at least one each while there are seats, the rest by the work; what is left goes to the largest rest."""
    keys = sorted((key for key in work if work[key] > 0), key=lambda key: (-work[key], key))[: max(1, seats)]
    total = sum(work[key] for key in keys)
    if not total:
        return {}
    exact = {key: work[key] * seats / total for key in keys}
    found = {key: max(1, int(exact[key])) for key in keys}
    while sum(found.values()) > max(seats, len(keys)):
        most = max(keys, key=lambda key: (found[key] > 1, found[key] - exact[key]))
        found[most] -= 1
    for key in sorted(keys, key=lambda key: found[key] - exact[key]):
        if sum(found.values()) < seats:
            found[key] += 1
    return found


__all__: Sequence[str] = (
    "MOVED",
    "SEATED",
    "Engines",
    "Files",
    "Machines",
    "Node",
    "OpenedBy",
    "SentFolder",
    "Training",
    "Worked",
    "Workplace",
    "machines_elsewhere",
    "shared_out",
    "use_machines",
)
