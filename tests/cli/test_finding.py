"""What the terminal says at the end of a run: the sentence that the report opens with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from cbtrun.results.spoken import on_its_scale
from cbtrun.testing.projects import StudyProject
from tests.helpers.two_controls import two_controls

STUDY = two_controls("finding", personas=4, turns=8, outcomes=("first: ctrs.total", "second: ctrs.agenda"))


def test_a_run_ends_with_its_finding_in_its_scope_and_blocks_are_one_family(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    project = study_project({"study.yaml": STUDY})
    done = project.run()
    assert done.code == 0, done.err
    found = json.loads(project.read("runs/finding/results.json"))["comparisons"]
    lead = "As this one rater sees it, among these simulated patients: `careful` "
    assert found[0]["sentence"].startswith(lead)
    assert f"finding: {on_its_scale(found[0]['sentence'], (0, 66))}\n" in done.out
    assert " of 66 points" in done.out
    _, second = found
    assert (found[0]["family"], second["family"]) == (2, 2)
    named = project.run("study.yaml", "--set", "report.headline=second")
    assert f"finding: {on_its_scale(second['sentence'], (0, 6))}\n" in named.out
