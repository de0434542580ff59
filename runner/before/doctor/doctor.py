"""Everything that the doctor looks at, in the order in which a user would mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.before.doctor.machines import machine_checks
from cbtrun.before.doctor.servers import server_checks
from cbtrun.before.doctor.this_machine import (
    block_checks,
    clock_check,
    disk_check,
    version_checks,
    weights_checks,
)
from cbtrun.before.ready import ready
from cbtrun.contract.check import Check
from cbtrun.files.disks import Disk, disk_of
from cbtrun.files.lease import BEAT_SECONDS, SILENT_SECONDS
from cbtrun.files.run_folder import RunFolder
from cbtrun.run.options import RunOptions

if TYPE_CHECKING:
    from cbtrun.cluster.cluster import Cluster
    from cbtrun.keys.secrets import KeyRing
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def doctor_checks(
    study: Study, registry: Registry, keys: KeyRing, runs: Path, *, online: bool, cluster: Cluster | None = None
) -> Iterator[Check]:
    """One line for each thing that a run of the study needs. online: also ask the servers, which costs a few tokens.

    cluster: the machines that it is to run on, where that is not this one.
    """
    yield Check("ok", "study", f"'{study.name}' has no problems")
    yield from version_checks()
    if cluster is not None:
        yield from machine_checks(study, registry, cluster)
    asked = RunOptions(keys=keys, cluster=cluster)
    for problem in ready(study, registry, None, asked, ("machine",)):
        yield Check("stop", problem.path.replace("/", "."), problem.what)
    for problem in ready(study, registry, None, asked, ("network",)) if online else ():
        yield Check("stop", problem.path.replace("/", "."), problem.what)
    yield clock_check()
    for problem in ready(study, registry, None, asked, ("consent",)):
        yield Check("note", "consent", f"{problem.path} {problem.what}")
    yield from server_checks(study, registry, keys, online=online)
    if not online and any(model.base_url for model in study.models.values()):
        yield Check(
            "note",
            "servers",
            "not asked",
            "add --online to ask whether they answer, take the keys, have the models, and which roles they take",
        )
    yield from block_checks(study, registry)
    yield from weights_checks(study, registry)
    yield from disk_check(study, registry, runs)
    yield from _run_folder(RunFolder(runs / study.name))


def _run_folder(folder: RunFolder) -> Iterator[Check]:
    yield Check("ok", "run folder", _how_it_is_held(disk_of(folder.path)))
    holder = folder.held_by()
    if holder is not None and not holder.is_silent:
        yield Check(
            "stop",
            "run folder",
            f"{holder.words} is running in {folder.path}",
            "wait for it, or give the study another name (--set study=NAME)",
        )
    elif holder is not None:
        yield Check(
            "note",
            "run folder",
            f"{holder.words} held {folder.path} and was not heard of for {holder.silent_seconds:,.0f} s",
            "a run watches it for a while and takes over",
        )


def _how_it_is_held(disk: Disk) -> str:
    """One driver alone pays and writes: by what, on this disk."""
    if not disk.shared:
        return f"on {disk.words}: journal in WAL, held by a lock"
    return (
        f"on {disk.words}: journal without WAL, held by a lease with a sign of life every {BEAT_SECONDS:.0f} s; another machine "
        f"goes on {SILENT_SECONDS:.0f} s after the last one, and what is committed is never lost"
    )
