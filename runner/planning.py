"""What a run would do and take, from the study and the run folder alone: no model is opened, no network is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cbtrun.journal.journal import Journal
    from cbtrun.registry import Registry
    from cbtrun.run_folder import RunFolder
    from cbtrun.stages import Stage
    from cbtrun.study.spec import Study

TURN_TOKENS = 60
"""Tokens that a plan takes a turn of a session to have."""


@dataclass(frozen=True)
class PlannedCalls:
    """Calls that a stage will make to one model."""

    model: str
    calls: int
    tokens_in: int = 0
    """Estimate, over all calls."""
    tokens_out: int = 0
    """Estimate, over all calls."""


@dataclass(frozen=True)
class Plan:
    """What one stage will take."""

    units: int
    """Records that it will write, where that is known."""
    calls: tuple[PlannedCalls, ...] = ()
    assumed: tuple[str, ...] = ()
    """What the estimate rests on, in words."""
    notes: tuple[str, ...] = ()
    """What a reader should know first, such as the memory that a stage needs and whether it is there."""


@dataclass(frozen=True)
class PlanContext:
    """A stage, for the plugin that estimates it."""

    stage: str
    name: str
    options: Mapping[str, Any]
    study: Mapping[str, Any]
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """Stage id -> plan, for the stages that this one reads."""

    def units(self, stage: str) -> int:
        """Records that an earlier stage will give; 0 when nobody can say."""
        return self.plans[stage].units if stage in self.plans else 0


def plan_study(study: Study, registry: Registry) -> dict[str, Plan | None]:
    """Stage id -> what it takes, in order of need; none where the plugin does not say."""
    from cbtrun.stages import ordered_stages

    plans: dict[str, Plan | None] = {}
    for stage in ordered_stages(study):
        known = {id_: plan for id_, plan in plans.items() if plan is not None}
        options = study.options(stage.block, stage.name)
        context = PlanContext(stage.block, stage.name, options, study.data, known)
        plans[stage.id] = registry.plan(options["using"], context)
    return plans


def plan_lines(study: Study, registry: Registry, folder: RunFolder) -> Iterator[str]:
    """The plan as people read it: each stage with its calls, then the sums and what was assumed."""
    from cbtrun.doctor.machine import disk_words
    from cbtrun.gpu_hours import gpu_lines
    from cbtrun.plan_costs import call_costs, sum_lines

    plans = plan_study(study, registry)
    finished = finished_stages(study, folder)
    costs = call_costs(plans, study.data, folder)
    yield f"study '{study.name}' in {folder.path}"
    for stage_id, plan in plans.items():
        state = "done" if stage_id in finished else "to do"
        yield f"  {stage_id:<28} {state:<6} {f'{plan.units:,} records' if plan else ''}".rstrip()
        for cost in costs:
            if cost.stage == stage_id:
                yield f"    {cost.model:<26} {cost.words()}"
    yield from sum_lines(costs, study.data.get("limits") or {})
    yield from (f"  {line}" for line in gpu_lines(study, registry, plans))
    yield f"  {disk_words(study, registry)}"
    for line in dict.fromkeys(line for plan in plans.values() if plan for line in plan.notes):
        yield f"  {line}"
    for line in dict.fromkeys(line for plan in plans.values() if plan for line in plan.assumed):
        yield f"  assumed: {line}"
    yield from _power_lines(study, registry, plans)
    yield from _sensitivity_lines(study)


def _sensitivity_lines(study: Study) -> Iterator[str]:
    """The assumptions as settings, with the values that they have now."""
    from cbtrun.study.sensitivity import variables, variation_command

    found = [one.setting for one in variables(study.data) if one.setting]
    if found:
        yield f"  sensitivity: to vary an assumption, {variation_command(study.data, str(study.path))}"
        yield from (f"    {setting}" for setting in found)


def _power_lines(study: Study, registry: Registry, plans: Mapping[str, Plan | None]) -> Iterator[str]:
    """What the declared analyses can find with what is planned."""
    from cbtrun.analysis.power_words import Wanted, power_sentences, published_sd
    from cbtrun.analysis.study_power import planned_tests

    if study.data.get("analysis"):
        wanted = Wanted(sd=published_sd(study.data))
        yield from (f"  {sentence}" for sentence in power_sentences(planned_tests(study, registry, plans), wanted))


def finished_stages(study: Study, folder: RunFolder) -> set[str]:
    """Ids of the stages that were finished and whose output is still as it was written.

    Says nothing about whether the study was edited since: that is for the run to find out.
    """
    from cbtrun.journal.journal import Journal
    from cbtrun.stages import ordered_stages

    if not folder.journal.exists():
        return set()
    with Journal(folder.journal) as journal:
        return {stage.id for stage in ordered_stages(study) if _is_finished(stage, folder, journal)}


def _is_finished(stage: Stage, folder: RunFolder, journal: Journal) -> bool:
    from cbtrun.digests import file_digest
    from cbtrun.stage_inputs import OUTPUTS, output_path

    mark = journal.stage(stage.id)
    if mark is None or stage.block not in OUTPUTS:
        return mark is not None
    path = output_path(folder, stage.block, stage.name)
    return path.exists() and file_digest(path) == mark.output
