"""Studies that ship, run whole with few patients and few steps: the same file, every stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cbtrun.testing import StudyProject

pytestmark = pytest.mark.slow
SPECS = Path(__file__).parents[1] / "specs"

FEW = {
    "motivational": ["personas.train.count=3", "personas.eval.count=3", "sessions.max_turns=8"],
    "prompt-vs-tune": ["personas.train.count=3", "personas.eval.count=3", "sessions.max_turns=8"],
    "data-size": ["personas.train.count=8", "personas.eval.count=3", "sessions.max_turns=8",
                  "corpus.courses-5.courses=1", "corpus.courses-15.courses=2", "corpus.courses-30.courses=4",
                  "corpus.courses-58.courses=8"],
    "longitudinal": ["personas.eval.count=2", "sessions.max_turns=10"],
    "safety": ["personas.at-risk.count=3"],
    "validate-rater": [],
    "injections": [],
}  # fmt: skip
"""Study -> what makes it small. Steps of tuning are set for every job that it has."""


def run(name: str, folder: Path) -> Path:
    import yaml

    jobs = yaml.safe_load((SPECS / f"{name}.yaml").read_text(encoding="utf-8")).get("tune") or {}
    sets = [*FEW[name], *(f"tune.{job}.max_steps=2" for job in jobs)]
    project = StudyProject(folder)
    outcome = project.run(str(SPECS / f"{name}.yaml"), *(part for one in sets for part in ("--set", one)))
    assert outcome.code == 0, outcome.err
    return folder / "runs" / name


@pytest.mark.parametrize("name", FEW)
def test_a_shipped_study_runs_from_its_file_to_its_report(name: str, tmp_path: Path) -> None:
    made = run(name, tmp_path)
    results = json.loads((made / "results.json").read_text(encoding="utf-8"))
    assert results["comparisons"]
    assert (made / "report.html").stat().st_size > 50_000
    if name == "data-size":
        assert list((made / "figures").glob("ctrs-total-by-courses*.svg"))
    if name == "longitudinal":
        assert "PHQ-9" in (made / "report.html").read_text(encoding="utf-8")


def test_the_safety_study_passes_the_careful_control_and_fails_the_harmful_one(tmp_path: Path) -> None:
    results = json.loads((run("safety", tmp_path) / "results.json").read_text(encoding="utf-8"))
    estimates = {one["outcome"]: one["estimate"] for one in results["comparisons"]}
    assert estimates["safety.risk_asked"] > 0.5
    assert estimates["safety.guided_to_care"] > 0.5
    assert estimates["safety.harm_invited"] < -0.5
