"""Run folders that earlier versions wrote are opened, cost nothing, and say what will be done again before it is."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.journal.journal import StageMark
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.run.same_study import says_the_same
from cbtrun.run.up_to_date import Asked, due
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import FIXTURES

Make = Callable[[Mapping[str, str]], StudyProject]
OTHER_RUBRIC = FIXTURES / "earlier-runs/format-2-first.tar.gz"
"""Its ratings were made with a rubric that is another one now."""
EARLIER = sorted({*(FIXTURES / "earlier-runs").glob("*.tar.gz")} - {OTHER_RUBRIC})
"""A study with its table and its finished run folder, as the version wrote it whose journal has the format. Each but the
first, which knew no server, has a rater that is paid."""
DATA_ALONE = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python has it from 3.11.4 on
REPORT = "report: {using: html, figures: [], tables: []}\n"


def unpacked(packed: Path, project: StudyProject) -> Path:
    """The run folder, in a project's folder beside its study."""
    with tarfile.open(packed) as tar:
        tar.extractall(project.folder, **DATA_ALONE)
    return project.folder / "runs/code"


@pytest.mark.parametrize("packed", EARLIER, ids=lambda path: path.name.removesuffix(".tar.gz"))
def test_a_run_folder_of_an_earlier_version_is_opened_pays_nothing_and_says_first_what_is_done_again(
    study_project: Make, monkeypatch: pytest.MonkeyPatch, packed: Path
) -> None:
    project = study_project({})
    run = unpacked(packed, project)
    found = json.loads((run / "results.json").read_bytes())
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        status = project.run("status", "runs/code")
        assert (status.code, "ratings.ctrs                 rater: 8 calls" in status.out) == (0, True), status.err
        assert project.run("journal", "check", "runs/code").out.endswith("journal.sqlite: sound\n")
        assert project.run("journal", "export", "runs/code", "calls.gz").out.startswith("calls.gz: 8 calls; ")
        assert "Results: the same, number by number" in project.run("compare", "runs/code", "runs/code").out
        assert project.run("validate", "study.yaml").code == 0

        planned = project.run("plan", "study.yaml").out
        assert "8 calls, 8 in the journal, 0 to make" in planned

        outcome = project.run("study.yaml", "--take-over")
        assert outcome.code == 0, outcome.err
        _said_before(outcome.err, planned)
        assert "Nothing to do" in project.run("study.yaml").out
        if packed == EARLIER[-1]:  # a report takes seconds: it reads results that are today's by now
            with (project.folder / "study.yaml").open("a") as file:
                file.write(REPORT)
            assert project.run("study.yaml").code == 0
            assert project.run("report", "runs/code").code == 0
        assert server.calls == 0
    now = json.loads((run / "results.json").read_bytes())
    assert [one["estimate"] for one in now["comparisons"]] == [one["estimate"] for one in found["comparisons"]]


def _said_before(err: str, planned: str) -> None:
    """What will be done again was told with its reason, before it was done and by `plan`."""
    said, _, done = err.partition("  done  ")
    why = r"it was made by (an earlier version than \S+|other code \(cbtrun \S+, \w{8}; now \S+, \w{8}\))$"
    again = r"^ratings\.ctrs will be done again from kept replies, without a new call: "
    assert re.search(again + why, said, re.MULTILINE)
    # Code of the version before may decide an analysis as today's does.
    assert re.search(rf"^analysis\.main will be done again(: {why}| if ratings\.ctrs comes out)", said, re.MULTILINE)
    assert "will be" not in done
    assert {line for line in said.splitlines() if " will be " in line} <= {
        line.strip() for line in planned.splitlines()
    }


def test_ratings_by_a_rubric_that_has_changed_since_stay_until_the_user_wants_them_paid_again(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = study_project({})
    ratings = unpacked(OTHER_RUBRIC, project) / "ratings/ctrs.jsonl"
    kept = ratings.read_bytes()
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        for also in ((), ("--offline",)):
            outcome = project.run("study.yaml", "--take-over", *also)
            assert (outcome.code, server.calls, ratings.read_bytes()) == (2, 0, kept)
            assert "scores of different rubrics are not pooled; rate again with --redo ratings.ctrs" in outcome.err
        outcome = project.run("study.yaml", "--redo", "ratings.ctrs")
        assert (outcome.code, server.calls) == (0, 8), outcome.err
        assert "ratings.ctrs will be done again: --redo" in outcome.err


def mark(fingerprint: str, code: str = "c1", version: str = "0.1.0") -> StageMark:
    return StageMark(fingerprint, "output", 1, code, version)


def test_a_version_that_reads_the_study_in_another_way_pays_nothing_unless_the_study_was_changed_too() -> None:
    before, now = mark("f1"), mark("f2", "c2", "0.3.0")
    upgraded = due(before, now, "output", Asked(talks=True, same_study=True))
    assert (upgraded.what, upgraded.why.partition(" (")[0]) == ("replay", "was made by other code")
    assert due(before, now, "output", Asked(trains=True, same_study=True)).what == "keep"
    assert due(before, now, "output", Asked(talks=True)).what == "work"


def test_a_study_says_the_same_when_only_what_nobody_wrote_has_changed() -> None:
    written = {"arms": {"a": {"therapist": "m"}}, "seed": 1}
    before = {"arms": {"a": {"therapist": "m", "old": 1}}, "seed": 1}
    assert says_the_same(before, written, {"arms": {"a": {"therapist": "m", "old": 2, "new": 3}}, "seed": 1})
    assert not says_the_same(before, written, {"arms": {"a": {"therapist": "other", "old": 1}}, "seed": 1})
    assert not says_the_same(before, written, {"arms": {"a": {"therapist": "m"}}, "seed": 1})
    assert not says_the_same(before, {**written, "extra": {}}, {**before, "extra": {}})
    assert not says_the_same(None, written, before)
