"""The stages of one study as a graph, in order of need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from cbtrun.contract.stage_kinds import STAGES, stage_id
from cbtrun.errors import SpecError

if TYPE_CHECKING:
    from cbtrun.study.spec import Study


@dataclass(frozen=True)
class Stage:
    """One stage to run: a block of the study, and the stages whose output it reads."""

    block: str
    """`personas`, `sessions`, `ratings` ..."""
    name: str
    """Name of the block; empty for `sessions` and `report`."""
    options: Mapping[str, Any]
    """The block with defaults filled in."""
    needs: tuple[str, ...]
    """Ids of the stages that it reads."""

    @property
    def id(self) -> str:
        """`ratings.ctrs`, `sessions` ..."""
        return stage_id(self.block, self.name)


def ordered_stages(study: Study) -> list[Stage]:
    """Every stage of a study, each after those it needs; ties in the usual order and the order of the file."""
    stages = {stage.id: stage for stage in _stages(study)}
    sorter = TopologicalSorter({id_: stage.needs for id_, stage in stages.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise SpecError.at(study.path, f"these stages need each other: {' -> '.join(error.args[1])}") from None
    rank = {id_: place for place, id_ in enumerate(stages)}
    order: list[Stage] = []
    while sorter.is_active():
        first = sorted(sorter.get_ready(), key=rank.__getitem__)
        order += [stages[id_] for id_ in first]
        sorter.done(*first)
    return sorted(order, key=lambda stage: _depth(stages, stage.id))  # stable: needs within a block stay first


def _depth(stages: Mapping[str, Stage], id_: str) -> int:
    """Place in the usual order, pushed behind everything that the stage needs."""
    own = [*STAGES].index(stages[id_].block)
    return max([own, *(_depth(stages, need) for need in stages[id_].needs)])


def _stages(study: Study) -> list[Stage]:
    return [
        Stage(block, name, options, _needs(study, block, name))
        for block in STAGES
        for name, options in study.blocks(block).items()
    ]


def _needs(study: Study, block: str, name: str) -> tuple[str, ...]:
    needs = {stage_id(one.kind, one.name) for one in study.named_by(stage_id(block, name)) if one.kind in STAGES}
    if block in ("ratings", "analysis"):
        needs.add("sessions")
    if block == "report":
        needs |= {stage_id(other, each) for other in STAGES if other != "report" for each in study.blocks(other)}
    return tuple(sorted(needs))
