"""The published study of SmolLM2: its three commands, byte for byte, from what stands in docs/studies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cbtrun.cli.shared import load
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT, SPECS

STUDIES = ROOT / "docs" / "studies"
BYTES_AT_MOST = 8_000_000


def test_its_journal_is_small_enough_to_stand_in_a_repository() -> None:
    assert (STUDIES / "smollm.jsonl.xz").stat().st_size <= BYTES_AT_MOST


def test_its_page_says_what_its_results_say() -> None:
    results = json.loads((STUDIES / "smollm.results.json").read_text(encoding="utf-8"))
    totals = {one["analysis"]: one for one in results["comparisons"] if one["outcome"] == "ctrs.total"}
    page = (STUDIES / "smollm.md").read_text(encoding="utf-8")
    for name in ("prompt", "shown", "instruct", "supportive", "shuffled"):
        found = totals[f"cbt-or-{name}"]
        low, high = found["interval"]["low"], found["interval"]["high"]
        assert f"+{found['estimate']:.1f}" in page
        assert f"{low:.1f} to {high:.1f}" in page


def test_no_option_that_came_later_changes_what_was_registered() -> None:
    study, _ = load(SPECS / "smollm.yaml", (), False)
    assert study.digest == json.loads((STUDIES / "smollm.results.json").read_text(encoding="utf-8"))["spec_digest"]


@pytest.mark.slow
def test_it_is_replayed_byte_for_byte_without_weights(tmp_path: Path) -> None:
    project = StudyProject(tmp_path)
    assert project.run("journal", "import", "runs/smollm", str(STUDIES / "smollm.jsonl.xz")).code == 0
    replayed = project.run(str(SPECS / "smollm.yaml"), "--offline")
    assert replayed.code == 3, replayed.err  # one session of the run had failed, and is missing in the replay too
    compared = project.run("compare", "runs/smollm", str(STUDIES / "smollm.results.json"))
    assert compared.code == 0, compared.out
    assert (tmp_path / "runs/smollm/results.json").read_bytes() == (STUDIES / "smollm.results.json").read_bytes()
