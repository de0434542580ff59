"""What a run would do and take, from the study and the run folder alone: no model is opened, no network is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cbtrun.contract.plans import Plan, PlanContext
from cbtrun.contract.study_view import StudyView

if TYPE_CHECKING:
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.journal import Journal
    from cbtrun.registry import Registry
    from cbtrun.study.graph import Stage
    from cbtrun.study.spec import Study


def plan_study(study: Study, registry: Registry) -> dict[str, Plan | None]:
    """Stage id -> what it takes, in order of need; none where the plugin does not say."""
    from cbtrun.study.graph import ordered_stages

    plans: dict[str, Plan | None] = {}
    for stage in ordered_stages(study):
        known = {id_: plan for id_, plan in plans.items() if plan is not None}
        options = study.options(stage.block, stage.name)
        context = PlanContext(stage.block, stage.name, options, StudyView(study.data), known)
        plans[stage.id] = registry.plan(options["using"], context)
    return plans


def plan_lines(study: Study, registry: Registry, folder: RunFolder) -> Iterator[str]:
    """The plan as people read it: each stage with its calls, then the sums and what was assumed."""
    from cbtrun.before.doctor.this_machine import disk_words
    from cbtrun.before.hours import machine_lines
    from cbtrun.before.plan_costs import call_costs, gate_cost, sum_lines
    from cbtrun.before.plan_time import waiting_by_stage
    from cbtrun.run.progress_line import duration
    from cbtrun.study.people_checks import people_words

    plans = plan_study(study, registry)
    finished = finished_stages(study, folder)
    costs = call_costs(plans, study, registry, folder)
    waiting = waiting_by_stage(plans, costs, study)
    yield f"study '{study.name}' in {folder.path}"
    for stage_id, plan in plans.items():
        state = "done" if stage_id in finished else "to do"
        takes = f", ~{duration(waiting[stage_id])} waiting for servers" if stage_id in waiting else ""
        yield f"  {stage_id:<28} {state:<6} {f'{plan.units:,} records{takes}' if plan else ''}".rstrip()
        for cost in costs:
            if cost.stage == stage_id:
                yield f"    {cost.model:<26} {cost.words()}"
    yield from (f"  {line}" for line in done_again(study, registry, folder))
    yield from (f"  {line}" for line in people_words(study))
    yield from sum_lines(costs, study.limits, sum(waiting.values()) if waiting else None)
    if study.rating_sets:
        yield f"  {gate_cost(costs).words()}"
    yield from (f"  {line}" for line in machine_lines(study, registry, plans))
    yield f"  {disk_words(study, registry)}"
    for line in dict.fromkeys(line for plan in plans.values() if plan for line in plan.notes):
        yield f"  {line}"
    for line in dict.fromkeys(line for plan in plans.values() if plan for line in plan.assumed):
        yield f"  assumed: {line}"
    yield from _power_lines(study, registry, plans)
    yield from _sensitivity_lines(study)


def plan_values(study: Study, registry: Registry, folder: RunFolder) -> dict[str, Any]:
    """The plan for programs: each stage with its calls, the sums, and what was assumed."""
    from cbtrun.before.plan_costs import call_costs, gate_cost
    from cbtrun.before.plan_time import waiting_by_stage

    plans = plan_study(study, registry)
    finished = finished_stages(study, folder)
    costs = call_costs(plans, study, registry, folder)
    waiting = waiting_by_stage(plans, costs, study)
    told = [one for plan in plans.values() if plan for one in plan.assumed]
    from cbtrun.study.people_checks import people_words

    return {
        **({"people": people_words(study)} if study.people else {}),
        "study": study.name,
        "folder": str(folder.path),
        "stages": [
            {
                "stage": stage,
                "state": "done" if stage in finished else "to do",
                "records": plan.units if plan else None,
                "seconds_waiting": waiting.get(stage),
                "calls": [asdict(cost) for cost in costs if cost.stage == stage],
            }
            for stage, plan in plans.items()
        ],
        "calls": sum(one.calls for one in costs),
        "calls_to_make": sum(one.left for one in costs),
        "gate": asdict(gate_cost(costs)),
        "usd": sum(one.usd or 0.0 for one in costs),
        "seconds_waiting": sum(waiting.values()) if waiting else None,
        "done_again": done_again(study, registry, folder),
        "assumed": [*dict.fromkeys([*told, *(one for cost in costs for one in cost.assumed)])],
    }


def _sensitivity_lines(study: Study) -> Iterator[str]:
    """The assumptions as settings, with the values that they have now."""
    from cbtrun.study.variations import variables, variation_command

    found = [one.setting for one in variables(study) if one.setting]
    if found:
        yield f"  sensitivity: to vary an assumption, {variation_command(study, str(study.path))}"
        yield from (f"    {setting}" for setting in found)


def _power_lines(study: Study, registry: Registry, plans: Mapping[str, Plan | None]) -> Iterator[str]:
    """What the declared analyses can find with what is planned."""
    from cbtrun.analysis.study_power import planned_tests
    from cbtrun.power.words import Wanted, power_sentences, published_sd

    if study.analyses:
        wanted = Wanted(sd=published_sd(study))
        yield from (f"  {sentence}" for sentence in power_sentences(planned_tests(study, registry, plans), wanted))


def done_again(study: Study, registry: Registry, folder: RunFolder) -> list[str]:
    """What a run would do again of what is finished, and why."""
    from cbtrun.journal.journal import Journal
    from cbtrun.run.options import RunOptions
    from cbtrun.run.same_study import says_the_same
    from cbtrun.run.study_lock import lock_of
    from cbtrun.run.work import StagesAtWork
    from cbtrun.study.graph import ordered_stages

    if not folder.journal.exists():
        return []
    with Journal(folder.journal) as journal:
        run = StagesAtWork(study, registry, folder, RunOptions(offline=True), journal)
        run.same_study = says_the_same(lock_of(folder).get("resolved"), study.document.value, study.data)
        return [*run.foreseen(ordered_stages(study))]


def finished_stages(study: Study, folder: RunFolder) -> set[str]:
    """Ids of the stages that were finished and whose output is still as it was written.

    Says nothing about whether the study was edited since: that is for the run to find out.
    """
    from cbtrun.journal.journal import Journal
    from cbtrun.study.graph import ordered_stages

    if not folder.journal.exists():
        return set()
    with Journal(folder.journal) as journal:
        return {stage.id for stage in ordered_stages(study) if _is_finished(stage, folder, journal)}


def _is_finished(stage: Stage, folder: RunFolder, journal: Journal) -> bool:
    from cbtrun.contract.digests import file_digest
    from cbtrun.contract.stage_kinds import STAGES
    from cbtrun.run.inputs import output_path
    from cbtrun.run.tombstones import stood_for, tombstones

    mark = journal.stage(stage.id)
    if mark is None or not STAGES[stage.block].output:
        return mark is not None
    path = output_path(folder, stage.block, stage.name)
    return path.exists() and stood_for(tombstones(folder), file_digest(path)) == mark.output
