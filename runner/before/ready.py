"""The one gate before a run: everything that would stop it, found before the first second of work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from cbtrun.before.consent import consent_problems
from cbtrun.before.lacking import lacking_here, told_by_network
from cbtrun.before.server_keys import key_problems
from cbtrun.study.checks import in_file_order

if TYPE_CHECKING:
    from cbtrun.errors import Problem
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.run.options import RunOptions
    from cbtrun.study.spec import Study

Side = Literal["consent", "keys", "machine", "network"]
"""What is asked: may real people's words leave, are the keys here, has this machine what the study needs, does the hub
hold models that the study can use."""
SIDES: tuple[Side, ...] = ("consent", "keys", "machine", "network")


def ready(
    study: Study, registry: Registry, folder: RunFolder | None, options: RunOptions, sides: Sequence[Side] = SIDES
) -> list[Problem]:
    """What would stop a run of the study here, in file order; empty when it may begin. No model is opened or called.

    folder: what its run has finished needs nothing any more; without one the whole study is looked at.
    sides: those that are asked; `run` asks all, `plan` the machine, `doctor` one after the other to tell them apart.
    """
    found: list[Problem] = []
    if "consent" in sides and not options.consent_remote:
        found += consent_problems(study, registry, options.cluster)
    # An offline run answers from the journal: it calls nobody and opens nothing.
    if "keys" in sides and not options.offline:
        found += key_problems(study, options.keys)
    if "machine" in sides and not options.offline:
        found += lacking_here(study, registry, folder)
    if "network" in sides and not options.offline and not found:  # what is certain is told without waiting for the rest
        found += told_by_network(study, registry, folder)
    return in_file_order(found, study.sources)
