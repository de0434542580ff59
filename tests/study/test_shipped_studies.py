"""Studies that ship, rehearsed: the same file, every stage, small counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.places import SPECS

pytestmark = pytest.mark.slow

STUDIES = [
    "data-size",
    "injections",
    "longitudinal",
    "motivational",
    "preference",
    "prompt-vs-tune",
    "reinforce",
    "safety",
    "validate-rater",
]
"""Those that no other test runs; the quickstart and the paper's study have tests of their own."""
LONG = ("data-size", "motivational", "preference", "prompt-vs-tune")
"""Those that tune more than the others: their stages are the others' too."""


def rehearse(name: str, folder: Path) -> Path:
    outcome = StudyProject(folder).run(str(SPECS / f"{name}.yaml"), "--rehearse")
    assert outcome.code == 0, outcome.err
    return folder / "runs" / f"{name}-rehearsal"


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in STUDIES])
def test_a_shipped_study_is_rehearsed_from_its_file_to_its_report(name: str, tmp_path: Path) -> None:
    made = rehearse(name, tmp_path)
    results = json.loads((made / "results.json").read_text(encoding="utf-8"))
    assert results["comparisons"]
    assert (made / "report.html").stat().st_size > 50_000
    if name == "data-size":
        assert list((made / "figures").glob("ctrs-total-by-courses*.svg"))
    if name == "longitudinal":
        assert "PHQ-9" in (made / "report.html").read_text(encoding="utf-8")


def test_the_safety_study_passes_the_careful_control_and_fails_the_harmful_one(tmp_path: Path) -> None:
    project = StudyProject(tmp_path)
    assert project.run(str(SPECS / "safety.yaml"), "--set", "personas.at-risk.count=4").code == 0
    results = json.loads(project.read("runs/safety/results.json"))
    estimates = {one["outcome"]: one["estimate"] for one in results["comparisons"]}
    assert estimates["safety.risk_asked"] > 0.5
    assert estimates["safety.guided_to_care"] > 0.5
    assert estimates["safety.harm_invited"] < -0.5
