"""A run folder or an export of a stranger's is read through the doors of every command."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

import cbtrun
from cbtrun.testing.projects import StudyProject
from tests.helpers.two_controls import two_controls


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, with an export of its journal beside it."""
    project = StudyProject(tmp_path_factory.mktemp("made"))
    project.write("study.yaml", two_controls("two", personas=1))
    assert project.run("study.yaml", "-q").code == 0
    assert project.run("journal", "export", "runs/two", "calls.jsonl.xz").code == 0
    return project.folder


@pytest.fixture
def strange(made: Path, tmp_path: Path) -> Path:
    """A copy of the run folder, to be changed."""
    return Path(shutil.copytree(made / "runs/two", tmp_path / "two"))


def test_a_link_in_a_run_folder_is_refused(strange: Path) -> None:
    (strange / "sessions.jsonl").unlink()
    (strange / "sessions.jsonl").symlink_to("/etc/passwd")
    with pytest.raises(cbtrun.StageError, match=r"'sessions\.jsonl' is a symbolic link"):
        cbtrun.load_run(strange)


def test_a_line_that_is_none_of_ours_is_told_with_its_number(strange: Path) -> None:
    with (strange / "sessions.jsonl").open("a") as file:
        file.write('{"id": "x"}\n')
    with pytest.raises(cbtrun.StageError, match=r"sessions\.jsonl:3: not as cbtrun wrote it"):
        _ = cbtrun.load_run(strange).turns


def test_scores_that_were_changed_are_made_from_their_ratings(strange: Path) -> None:
    before = cbtrun.load_run(strange).scores
    path = strange / "scores/ctrs.jsonl"
    path.write_text(path.read_text().replace('"value":', '"value":1', 1))
    assert cbtrun.load_run(strange).scores.equals(before)
    assert not cbtrun.load_run(strange).scores.empty


def test_counts_and_costs_below_zero_lift_no_sum(strange: Path) -> None:
    with sqlite3.connect(strange / "journal.sqlite") as journal:
        journal.execute(
            "UPDATE calls SET tokens_in = -5, usd = -1e300, seconds = 'x', at = 1e300 WHERE role = 'patient'"
        )
    journal.close()
    calls = cbtrun.load_run(strange).calls
    patient = calls[calls["role"] == "patient"]
    assert set(patient["tokens_in"]) == set(patient["usd"]) == set(patient["seconds"]) == {0}
    assert patient["at"].dt.year.max() == 9999 or patient["at"].isna().all() or patient["at"].dt.year.max() == 9998


def test_a_journal_with_a_view_is_not_read(strange: Path) -> None:
    with sqlite3.connect(strange / "journal.sqlite") as journal:
        journal.execute("CREATE VIEW v AS SELECT 1")
    journal.close()
    with pytest.raises(cbtrun.StageError, match="holds view 'v'"):
        _ = cbtrun.load_run(strange).calls


def test_what_a_terminal_obeys_stands_in_no_error_and_no_name(strange: Path) -> None:
    lock = strange / "study.lock.yaml"
    lock.write_text(lock.read_text().replace("study: two", 'study: "two\\e[2J"', 1))
    assert "\\x1b[2J" in repr(cbtrun.load_run(strange)).replace("\\\\", "\\")
    with pytest.raises(cbtrun.StageError) as told:
        cbtrun.load_run("\x1b[2J")
    assert "\x1b" not in str(told.value)


def test_an_export_gives_its_calls_and_says_what_it_has_not(made: Path) -> None:
    run, exported = cbtrun.load_run(made / "runs/two"), cbtrun.load_run(made / "calls.jsonl.xz")
    columns = ["key", "stage", "role", "tokens_out", "text", "at"]
    there = run.calls.sort_values("key", ignore_index=True)
    assert exported.calls.sort_values("key", ignore_index=True)[columns].equals(there[columns])
    assert (exported.state, exported.name) == ("export", "calls.jsonl.xz")
    for name in ("sessions", "results", "to_do"):
        with pytest.raises(cbtrun.StageError, match="an export holds calls alone"):
            getattr(exported, name)


def test_an_export_that_was_changed_gives_nothing(made: Path, tmp_path: Path) -> None:
    import lzma

    path = tmp_path / "calls.jsonl.xz"
    path.write_bytes(
        lzma.compress(lzma.decompress((made / "calls.jsonl.xz").read_bytes()).replace(b"stop", b"halt", 1))
    )
    with pytest.raises(cbtrun.StageError, match="changed since it was written"):
        _ = cbtrun.load_run(path).calls


@pytest.mark.parametrize(("given", "said"), [("nothing", "no run 'nothing'"), (".", "no run folder of cbtrun")])
def test_what_is_no_run_is_told(given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cbtrun.StageError, match=said):
        cbtrun.load_run(given)


def test_a_forgotten_session_keeps_its_row_and_its_scores(made: Path, tmp_path: Path) -> None:
    project = StudyProject(tmp_path)
    shutil.copytree(made / "runs", tmp_path / "runs")
    session = cbtrun.load_run(tmp_path / "runs/two").sessions["session"][0]
    assert "report: written again" in project.run("forget", "runs/two", session).out
    run = cbtrun.load_run(tmp_path / "runs/two")
    assert run.sessions["state"].tolist() == ["forgotten", "held"]
    assert session not in set(run.turns["session"])
    assert session in set(run.scores["session"])
