"""What a study needs and this machine lacks: a GPU, an extra. A study may be checked on a laptop and run on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.before.plan import finished_stages
from cbtrun.errors import Problem
from cbtrun.study.checks import block_context
from cbtrun.study.graph import ordered_stages

if TYPE_CHECKING:
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def lacking_here(study: Study, registry: Registry, folder: RunFolder | None = None) -> list[Problem]:
    """What this machine lacks for the study, in the order of its file.

    folder: leave out finished stages, and models that only finished stages of this run talk to.
    """
    return [
        Problem(study.place(stage, name, "using"), f"{stage}/{name}", what)
        for stage, name in _needed(study, folder)
        for what in registry.lacking(study.block(stage, name)["using"], block_context(study, stage, name))
    ]


def told_by_network(study: Study, registry: Registry, folder: RunFolder | None = None) -> list[Problem]:
    """What plugins find wrong with the study's blocks by asking the network. folder: as in `lacking_here`."""
    return [
        problem
        for stage, name in _needed(study, folder)
        for problem in registry.check_before_run(study.block(stage, name)["using"], block_context(study, stage, name))
    ]


def _needed(study: Study, folder: RunFolder | None) -> list[tuple[str, str]]:
    """(stage, name) of the blocks that a run still needs: models that it talks to or tunes, and unfinished stages."""
    done = finished_stages(study, folder) if folder is not None else set()
    talked_to = {name for stage in ordered_stages(study) if stage.id not in done for name in study.talks_to(stage.id)}
    bases = {study.base_of(name) for name in talked_to}
    asked = [("models", name) for name in study.models if name in bases]
    return asked + [(stage.block, stage.name) for stage in ordered_stages(study) if stage.id not in done]
