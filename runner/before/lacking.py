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
    done = finished_stages(study, folder) if folder is not None else set()
    talked_to = {name for stage in ordered_stages(study) if stage.id not in done for name in study.talks_to(stage.id)}
    bases = {study.base_of(name) for name in talked_to}
    asked = [("models", name) for name in study.models if name in bases]
    asked += [(stage.block, stage.name) for stage in ordered_stages(study) if stage.id not in done]
    return [
        Problem(study.place(stage, name, "using"), f"{stage}/{name}", what)
        for stage, name in asked
        for what in registry.lacking(study.block(stage, name)["using"], block_context(study, stage, name))
    ]
