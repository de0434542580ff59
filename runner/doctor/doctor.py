"""Everything that the doctor looks at, in the order in which a user would mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.contract.check import Check
from cbtrun.doctor.machine import block_checks, clock_check, disk_check, version_checks, weights_checks
from cbtrun.doctor.servers import server_checks
from cbtrun.errors import SpecError
from cbtrun.machine import lacking_here
from cbtrun.run_folder import RunFolder

if TYPE_CHECKING:
    from cbtrun.calls.secrets import KeyRing
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def doctor_checks(study: Study, registry: Registry, keys: KeyRing, runs: Path, *, online: bool) -> Iterator[Check]:
    """One line for each thing that a run of the study needs. online: also ask the servers, which costs nothing."""
    yield Check("ok", "study", f"'{study.name}' has no problems")
    yield from version_checks()
    yield from (Check("stop", one.path.replace("/", "."), one.what) for one in lacking_here(study, registry))
    yield clock_check()
    yield from _consent(study, registry)
    yield from server_checks(study, registry, keys, online=online)
    if not online and any("base_url" in block for block in study.data["models"].values()):
        yield Check(
            "note", "servers", "not asked", "add --online to ask whether they answer, take the keys and have the models"
        )
    yield from block_checks(study, registry)
    yield from weights_checks(study, registry)
    yield from disk_check(study, registry, runs)
    yield from _run_folder(RunFolder(runs / study.name))


def _consent(study: Study, registry: Registry) -> Iterator[Check]:
    from cbtrun.consent import check_consent

    try:
        check_consent(study, registry, consent=False)
    except SpecError as error:
        for problem in error.problems:
            yield Check("note", "consent", f"{problem.path} {problem.what}")


def _run_folder(folder: RunFolder) -> Iterator[Check]:
    pid = folder.held_by()
    if pid is not None:
        yield Check(
            "stop",
            "run folder",
            f"process {pid} is running in {folder.path}",
            "wait for it, or give the study another name (--set study=NAME)",
        )
