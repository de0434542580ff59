"""How a run ends: in words, as JSON, in its log; interrupted, replaced, quiet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.cli import run_end
from cbtrun.contract.records import Failure
from cbtrun.errors import StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.run.options import Outcome
from cbtrun.run.run_log import RunLog
from cbtrun.testing.projects import StudyProject
from tests.helpers.two_controls import two_controls

Make = Callable[[Mapping[str, str]], StudyProject]
STUDY = two_controls("ends", report="{using: html, tables: [], figures: []}")


def test_a_run_ends_with_its_finding_gaps_notes_and_what_to_open_and_then_says_what_it_replaces(
    study_project: Make,
) -> None:
    project = study_project({"study.yaml": STUDY})
    done = project.run()
    assert done.code == 0, done.err
    told = dict(line.split(":", 1) for line in done.out.splitlines())
    assert list(told) == ["finding", "missing", "care", "results", "report", "open"]
    assert told["missing"].strip() == "none of 44 item scores"
    assert told["care"].strip().endswith('under "Read with care" in the report')
    log = project.read("runs/ends/run.log")
    for part in ("run of 'ends' by cbtrun", "sessions: begins", "ratings.ctrs: done (4 records, ", "finished: "):
        assert part in log

    again = project.run("study.yaml", "--set", "sessions.max_turns=3")
    assert again.err.startswith(
        "the results in runs/ends will be replaced: the study differs from the one that made them in sessions.max_turns; "
        "to keep them, stop this run and give it another name (--set study=NAME)\n"
    )
    assert "will be replaced" in project.read("runs/ends/run.log")

    quiet = project.run("study.yaml", "--set", "sessions.max_turns=3", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")

    asked = project.run("study.yaml", "--set", "sessions.max_turns=3", "--json", "-q")
    answer = json.loads(asked.out)
    assert (answer["exit_code"], answer["state"], answer["study"]) == (0, "done", "ends")
    assert set(answer["stages"].values()) == {"up to date"}
    assert answer["finding"].startswith("As this one rater sees it")
    assert answer["missing"] == {"scores_missing": 0, "scores_asked": 44, "sessions": 4}


def test_an_error_is_a_json_document_too_with_its_problems(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY.replace("max_turns: 4", "max_turn: 4")})
    said = project.run("study.yaml", "--json")
    answer = json.loads(said.out)
    assert (said.code, answer["exit_code"], answer["state"]) == (2, 2, "error")
    assert answer["problems"][0]["line"] == 14
    assert "max_turn" in answer["problems"][0]["what"]
    assert "max_turn" in said.err
    assert json.loads(project.run("status", "nothing", "--json").out)["exit_code"] == 2


def test_a_run_that_is_interrupted_says_what_is_kept_and_how_to_go_on(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = study_project({"study.yaml": STUDY})

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cbtrun.plugins.raters.rating.rate_all", interrupt)
    stopped = project.run()
    assert stopped.code == 130
    assert stopped.err.endswith(
        "Stopped. Kept in runs/ends: 2 of 6 stages (personas.eval, sessions) and 16 replies of models. The same command goes "
        "on from here.\n"
    )
    assert stopped.err.count("Stopped.") == 1
    assert project.read("runs/ends/run.log").endswith("interrupted\n")
    monkeypatch.undo()
    assert project.run().code == 0


def test_kinds_of_failures_are_capped_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = [Failure(stage="sessions", unit=f"s{at}", reason=f"reason {'x' * at}") for at in range(30)]
    outcome = Outcome(RunFolder(tmp_path), failures=[*kinds, kinds[0]])
    assert run_end.say_outcome(outcome) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == run_end.MOST_GROUPS + 2
    assert lines[0] == "failed: sessions: 2 sessions: reason "
    assert lines[-2] == "failed: 10 more of 10 other kinds"


def test_the_log_has_failures_in_full_and_no_order_to_a_terminal(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.failures([Failure(stage="sessions", unit="s1", reason="first\nsecond \x1b[2J" + "x" * 3000)])
    try:
        raise ZeroDivisionError("a fault of a plugin's")
    except ZeroDivisionError as error:
        log.ended(error)
    log.ended(StageError("one sentence"))
    text = (tmp_path / "run.log").read_text()
    assert "x" * 3000 in text
    assert "\x1b" not in text
    assert "\n    second" in text
    assert "Traceback (most recent call last)" in text
    assert "ended: one sentence\n" in text


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "run.log").symlink_to(tmp_path / "elsewhere")
    RunLog(tmp_path).say("a line")
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_an_export_of_a_journal_replaces_no_file_unasked(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY, "out.gz": "mine"})
    assert project.run("study.yaml", "--set", "ratings=~", "--set", "analysis=~", "--set", "report=~").code == 0
    refused = project.run("journal", "export", "ends", "out.gz")
    assert (refused.code, project.read("out.gz")) == (2, "mine")
    assert "--overwrite" in refused.err
    assert project.run("journal", "export", "ends", "out.gz", "--overwrite").code == 0
