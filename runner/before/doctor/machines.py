"""The machines of a cluster, asked one by one: versions, GPUs and their driver, weights, disk, clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cbtrun.contract.check import Check
from cbtrun.contract.marks import elsewhere, loads_weights
from cbtrun.errors import CbtrunError

if TYPE_CHECKING:
    from cbtrun.cluster.cluster import Cluster, Machine
    from cbtrun.cluster.where import Where
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

LEAST_DISK_GIB = 5.0
"""What an adapter, a checkpoint and Ray's own files take of a machine's disk at once, about."""


def asked_machines(where: Where, stack: ExitStack) -> tuple[Cluster | None, list[Check]]:
    """The cluster, connected to until the stack is left; none for this machine alone, or with what refused it."""
    from cbtrun.cluster.connection import looked_at

    if where.is_local:
        return None, []
    try:
        return stack.enter_context(looked_at(where)), []
    except CbtrunError as error:
        return None, [Check("stop", "cluster", str(error))]


def machine_checks(study: Study, registry: Registry, cluster: Cluster) -> Iterator[Check]:
    """What every machine has, and where one differs from this one."""
    from cbtrun.cluster.connection import CLOCK_SECONDS, version_problems

    models = _weights(study, registry)
    began = time.time()
    machines = cluster.ask_machines(tuple(models))
    now = (began + time.time()) / 2
    trust = "trusted" if cluster.where.trusted else "not trusted with words of real people (trusted: yes in where.yaml)"
    yield Check("ok", "cluster", f"{cluster.where.on}, {len(machines)} machine{'s' * (len(machines) != 1)}, {trust}")
    for problem in version_problems(cluster):
        yield Check("stop", "versions", problem)
    for machine in machines:
        yield from _one(machine, abs(machine.facts["clock"] - now), CLOCK_SECONDS)
        missing = [name for name, model in models.items() if not machine.facts["weights"].get(name)]
        for name in missing:
            on_hub = not name.startswith(("/", ".", "~"))
            yield Check(
                "note" if on_hub else "stop",
                f"machine {machine.facts['host']}",
                f"weights of {models[name]} ({name}) are not there",
                "it will fetch them from the hub"
                if on_hub
                else "put them where every machine finds them under this path",
            )


def _one(machine: Machine, off: float, allowed: float) -> Iterator[Check]:
    facts, name = machine.facts, f"machine {machine.facts['host']}"
    gpus = (
        f"{len(facts['gpus'])} GPUs of {min(facts['gpus']):.0f} GiB, driver {facts['gpu_driver']}"
        if facts["gpus"]
        else "no GPU"
    )
    packages = ", ".join(
        f"{one} {version}" for one, version in facts["versions"].items() if one in ("torch", "vllm", "ray")
    )
    yield Check(
        "ok", name, f"{machine.cpus:.0f} cores, {gpus}, Python {facts['python']}, cbtrun {facts['cbtrun']}, {packages}"
    )
    if machine.gpus > len(facts["gpus"]):
        yield Check("note", name, f"Ray gives {machine.gpus} GPUs away, and the driver shows {len(facts['gpus'])}")
    if facts["disk_gib"] < LEAST_DISK_GIB:
        yield Check(
            "stop", name, f"{facts['disk_gib']:.1f} GiB of disk are free", f"free some: {LEAST_DISK_GIB:.0f} are needed"
        )
    if off > allowed:
        yield Check("note", name, f"its clock is {off:,.0f} s off", "set it: logs of machines are read side by side")


def _weights(study: Study, registry: Registry) -> dict[str, str]:
    """Folder or name of each model's weights that machines will look for -> the model's name in the study."""
    from pathlib import Path

    found = {}
    for name, model in study.models.items():
        schema = registry.schema("models", model.using)
        if elsewhere(schema) and loads_weights(schema) and not model.ships:
            folder = Path(model.model).expanduser()
            found[str(folder.absolute()) if folder.is_dir() else model.model] = name
    return found
