"""The published study of SmolLM2: its three commands, byte for byte, from what stands in docs/studies."""

from __future__ import annotations

import json

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


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    """A folder with the run, made again from the published journal."""
    project = StudyProject(tmp_path_factory.mktemp("smollm"))
    assert project.run("journal", "import", "runs/smollm", str(STUDIES / "smollm.jsonl.xz")).code == 0
    ended = project.run(str(SPECS / "smollm.yaml"), "--offline")
    assert ended.code == 3, ended.err  # one session of the run had failed, and is missing in the replay too
    return project


@pytest.mark.slow
def test_it_is_replayed_byte_for_byte_without_weights(replayed: StudyProject) -> None:
    compared = replayed.run("compare", "runs/smollm", str(STUDIES / "smollm.results.json"))
    assert compared.code == 0, compared.out
    made = (replayed.folder / "runs/smollm/results.json").read_bytes()
    assert made == (STUDIES / "smollm.results.json").read_bytes()


@pytest.mark.slow
def test_its_package_is_verified_from_its_replies(replayed: StudyProject) -> None:
    made = replayed.run("package", "runs/smollm", "--author", "The authors of cbtrun", "--licence", "Apache-2.0")
    assert made.code == 0, made.err
    checked = replayed.run("verify", "smollm.zip")
    assert checked.code == 0, checked.out
    assert "Verified: what it says comes out of its replies." in checked.out
    for job in ("smol-cbt", "smol-supportive", "smol-shuffled"):
        assert f"not derived  tuning {job}: not done again" in checked.out
