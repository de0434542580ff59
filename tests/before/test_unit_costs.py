"""What one session, rating and seed cost: at prices, in batches, in GPU hours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.before.plan import plan_study
from cbtrun.before.plan_costs import call_costs
from cbtrun.before.unit_costs import CALLS, DOLLARS, Bought, StudyCosts, study_costs
from cbtrun.files.run_folder import RunFolder
from cbtrun.power.designs import Design
from cbtrun.registry import load_registry
from cbtrun.study.load import load_study
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT

MakeProject = Callable[[Mapping[str, str]], StudyProject]
STUDY = """
cbtrun: 1
study: priced
models:
  patient: {using: scripted-patient}
  careful: {using: careful-control}
  harmful: {using: harmful-control}
  rater: RATER
personas: {eval: {using: sampled, attributes: depression, count: 6}}
arms: {careful: {therapist: careful}, harmful: {therapist: harmful}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 8}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater], wordings: [{name: a}, {name: b, text: Strict.}]}}
"""
API = "{using: openai, model: m, base_url: 'https://api.openai.com/v1', api_key_env: K, prices: {input: 1, output: 4}}"


def costs(path: Path, tmp_path: Path, buying: Bought, personas: int = 6) -> StudyCosts:
    registry = load_registry()
    study = load_study(path, registry=registry)
    return study_costs(study, registry, RunFolder(tmp_path / "none"), buying, personas, "ctrs")


def test_a_design_like_the_study_costs_what_its_plan_says(tmp_path: Path) -> None:
    path = ROOT / "specs" / "paper.yaml"
    registry = load_registry()
    study = load_study(path, registry=registry)
    planned = call_costs(plan_study(study, registry), study, registry, RunFolder(tmp_path / "none"))
    found = costs(path, tmp_path, Bought(), personas=120)
    assert float(found.units.of(Design(120, 1, 1, 1, 1, 1))) == pytest.approx(sum(one.usd or 0 for one in planned))
    paid = costs(path, tmp_path, Bought(gpu_hour=10.0), personas=120)
    more = float(paid.units.of(Design(120, 1, 1, 1, 1, 1))) - float(found.units.of(Design(120, 1, 1, 1, 1, 1)))
    assert more == pytest.approx(10 * float(found.hours.of(Design(120, 1, 1, 1, 1, 1))))
    assert found.hours.seed == pytest.approx(0.498, abs=0.001)  # 30 of the plan's 31 minutes; the rest is starting


def test_a_rating_in_batches_is_half_the_price(study_project: MakeProject, tmp_path: Path) -> None:
    project = study_project({"study.yaml": STUDY.replace("RATER", API)})
    single = costs(project.folder / "study.yaml", tmp_path, Bought())
    assert single.currency == DOLLARS
    assert single.rating_in_batches == pytest.approx(single.units.rating / 2)
    batched = costs(project.folder / "study.yaml", tmp_path, Bought(batches=True))
    assert batched.units.rating == pytest.approx(single.units.rating / 2)


def test_without_prices_calls_are_counted(study_project: MakeProject, tmp_path: Path) -> None:
    project = study_project({"study.yaml": STUDY.replace("RATER", "{using: lexical-rater}")})
    found = costs(project.folder / "study.yaml", tmp_path, Bought())
    assert (found.currency, found.units.rating, found.units.session) == (CALLS, 1.0, 8.0)
    assert "no model of the study has a price" in found.notes[0]
