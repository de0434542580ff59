"""A finished run as a pilot: the ratings of one contrast, and the scores of the rubric's items, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.errors import StatisticsError

if TYPE_CHECKING:
    from cbtrun.analysis.pilot_layout import Layout
    from cbtrun.contract.study_blocks import AnalysisBlock
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


@dataclass(frozen=True)
class Pilot:
    """What a design is planned from."""

    folder: RunFolder
    study: Study
    registry: Registry
    analysis: str
    outcome: str
    factor: str
    layout: Layout
    items: Mapping[str, Mapping[str, float]]
    """Item of the rubric -> session -> its score; empty where the outcome is no total."""


def pilot_of(path: Path, name: str | None, *, allow_local: bool) -> Pilot:
    """The pilot in a run folder. name: of the analysis whose contrast is planned for; else the first with two levels.

    Raises StatisticsError where the study has no such analysis.
    """
    from cbtrun.analysis.block import tuning_of
    from cbtrun.analysis.pilot_layout import layout_of
    from cbtrun.analysis.table import LevelledSession, analysis_table, keep_where, kept_levels
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import load_registry
    from cbtrun.run.inputs import Inputs
    from cbtrun.run.study_lock import local_plugins_of, study_of_run

    folder = RunFolder(path)
    registry = load_registry(local_plugins_of(folder) if allow_local else [])
    study = study_of_run(folder, registry)
    analysis = _analysis(study, name)
    inputs = Inputs(folder, study.data, study.rubrics())
    score = analysis.outcome.partition(".")[2]
    scores = inputs.scores(analysis.rating_set)
    sessions = [LevelledSession.of(one, _patient(study, one.arm), tuning_of(study, one)) for one in inputs.sessions()]
    flags = analysis.options.get("exclude_flags", ())
    table = analysis_table(analysis.outcome, sessions, scores.of(score), scores.ends(score), flags)
    table = keep_where(table, kept_levels(analysis.options.get("where")))
    layout = layout_of(table, analysis.factor, analysis.levels)
    return Pilot(
        folder,
        study,
        registry,
        analysis.name,
        analysis.outcome,
        analysis.factor,
        layout,
        {
            item.id: {id_: one.value for id_, one in scores.of(item.id).items() if one.value is not None}
            for item in scores.rubric.items
            if score == "total" and item.id in scores.outcomes
        },
    )


def _patient(study: Study, arm: str | None) -> dict[str, str]:
    patient = study.patient_in(arm)
    return {"patient": patient} if patient else {}


def _analysis(study: Study, name: str | None) -> AnalysisBlock:
    fitting = {one.name: one for one in study.analyses.values() if one.factor and len(one.levels) > 1}
    if name is not None and name not in fitting:
        known = ", ".join(fitting) or "none"
        raise StatisticsError(
            f"--analysis {name}: no analysis that compares named levels of one factor; there are: {known}"
        )
    if not fitting:
        raise StatisticsError(
            "the run declares no analysis that compares named levels of one factor: nothing to plan for"
        )
    return fitting[name] if name is not None else next(iter(fitting.values()))
