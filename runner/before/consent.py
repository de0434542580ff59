"""Where words of real people would leave this machine: nobody's words go to a remote model without the user's consent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.contract.stage_kinds import block_path
from cbtrun.errors import Problem
from cbtrun.study.graph import ordered_stages
from cbtrun.study.model_kinds import is_remote, refusal, refusal_elsewhere, runs_elsewhere
from cbtrun.study.origins import real_people_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cbtrun.cluster.cluster import Cluster
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def consent_problems(study: Study, registry: Registry, cluster: Cluster | None = None) -> Iterator[Problem]:
    """Each place from which words of real people would go to a remote model.

    It is found before a run so that nothing is begun in vain; what holds a request back is the desk that it goes through.
    """
    theirs = real_people_in(study, registry)
    held, on = cluster is not None and not cluster.where.trusted, cluster.where.on if cluster is not None else ""
    for stage in ordered_stages(study):
        if stage.id not in theirs:
            continue
        for one in study.models_named_by(stage.id):
            block = "/".join(block_path(*map(str, one.at[:2])))
            if one.kind == "models" and is_remote(study, registry, one.name):
                yield Problem(study.place(*one.at), block, refusal(one.name, theirs[stage.id]))
            elif held and one.kind in ("models", "tune") and runs_elsewhere(study, registry, one.name):
                what = f"the training '{stage.name}'" if stage.block == "tune" else f"the model '{one.name}'"
                yield Problem(study.place(*one.at), block, refusal_elsewhere(what, on, theirs[stage.id]))
