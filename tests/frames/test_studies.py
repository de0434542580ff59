"""`cbtrun.load_study` and `cbtrun.run` go the way of the command line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import chdir
from pathlib import Path

import pytest

import cbtrun
from cbtrun.event_loop import run_to_end
from cbtrun.testing.projects import StudyProject
from tests.helpers.gaps_study import GAPS, PLUGIN
from tests.helpers.two_controls import two_controls

Make = Callable[[Mapping[str, str]], StudyProject]


def test_a_study_says_what_it_is(study_project: Make) -> None:
    project = study_project({"study.yaml": two_controls("two")})
    study = cbtrun.load_study(project.folder / "study.yaml", overrides={"sessions.max_turns": 12})
    assert (study.name, study.seed, study.data["sessions"]["max_turns"]) == ("two", 3, 12)
    assert study.stages == ("personas.eval", "sessions", "ratings.ctrs", "analysis.main", "report")
    assert repr(study).startswith("<CheckedStudy 'two' of ")


def test_a_study_that_ships_goes_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cbtrun.load_study("transcripts").name == "transcripts"
    assert "the study that ships with cbtrun" in capsys.readouterr().err


def test_problems_are_those_of_validate_with_file_line_and_what_is_allowed(study_project: Make) -> None:
    text = two_controls("two").replace("dialogue", "dialog").replace("rubric: ctrs", "rubric: ctr")
    project = study_project({"study.yaml": text})
    with chdir(project.folder), pytest.raises(cbtrun.SpecError) as told:
        cbtrun.load_study("study.yaml")
    first, second = told.value.problems
    assert (first.place, first.path) == (cbtrun.Place("study.yaml", 14, 19), "sessions/using")
    assert "known: dialogue, import" in first.what
    assert second.place.line == 15
    assert [
        line for line in project.run("validate", "study.yaml").err.splitlines() if line.startswith("study.yaml:")
    ] == [
        str(first),
        str(second),
    ]


def test_python_beside_a_study_runs_with_leave_alone_and_the_argument_is_named(study_project: Make) -> None:
    project = study_project({"study.yaml": GAPS, "flaky.py": PLUGIN})
    with pytest.raises(cbtrun.PluginError, match="wants to run Python of its own") as told:
        cbtrun.load_study(project.folder / "study.yaml")
    assert told.value.__notes__ == ["--allow-local-plugins is allow_local_plugins=True in Python"]


def test_a_run_goes_on_where_the_command_line_left_off(study_project: Make, capsys: pytest.CaptureFixture[str]) -> None:
    project = study_project({"study.yaml": two_controls("two")})
    assert project.run("study.yaml", "-q").code == 0
    with chdir(project.folder):
        run = cbtrun.run("study.yaml")
        study = cbtrun.load_study("study.yaml")
        loaded = cbtrun.run(study, quiet=True, frames="polars")
        assert (run.ended or {})["calls"]["made"] == 0
        assert run.to_do == loaded.to_do == ()
        assert list(loaded.sessions["session"]) == list(run.sessions["session"])
        said = capsys.readouterr()
        assert "up to date" in said.err
        assert said.out == ""
        project.write("study.yaml", two_controls("two", turns=6))
        with pytest.raises(cbtrun.SpecError, match="was changed since load_study read it"):
            cbtrun.run(study)


def test_a_run_may_be_called_where_an_event_loop_is_at_work(study_project: Make) -> None:
    project = study_project({"study.yaml": two_controls("two")})

    async def cell() -> tuple[str, int]:
        with chdir(project.folder):
            run = cbtrun.run("study.yaml", quiet=True)
            return run.state, len(run.turns)

    assert asyncio.run(cell()) == ("finished", 16)


def test_ctrl_c_in_a_running_loop_cancels_the_work_and_waits_for_it() -> None:
    import _thread

    begun, seen = threading.Event(), []

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    async def cell() -> None:
        threading.Thread(target=lambda: (begun.wait(), _thread.interrupt_main())).start()
        run_to_end(work())

    loop = asyncio.new_event_loop()  # a notebook's: Ctrl-C raises in it, where asyncio.run has a handler of its own
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(cell())
    finally:
        loop.close()
    assert seen == ["ended"]


def test_what_an_event_loop_runs_beside_itself_gives_its_value_and_its_error() -> None:
    async def work(fails: bool) -> int:
        await asyncio.sleep(0)
        if fails:
            raise ValueError("as it is")
        return 7

    async def cell() -> int:
        with pytest.raises(ValueError, match="as it is"):
            run_to_end(work(fails=True))
        return run_to_end(work(fails=False))

    assert asyncio.run(cell()) == 7


def test_an_interrupted_run_says_what_is_kept(study_project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cbtrun.pipeline.StagesAtWork.results", interrupt)
    project = study_project({"study.yaml": two_controls("two")})
    with chdir(project.folder), pytest.raises(KeyboardInterrupt, match=r"Kept in runs/two: .*The same command goes on"):
        cbtrun.run("study.yaml", quiet=True)
    run = cbtrun.load_run(project.folder / "runs/two")
    assert run.state == "not finished"
    assert len(run.scores) > 0
    with pytest.raises(cbtrun.StageError, match=r"results was not made yet \(to do: results, report\)"):
        _ = run.comparisons


def test_a_library_is_asked_for_before_the_work(study_project: Make, tmp_path: Path) -> None:
    project = study_project({"study.yaml": two_controls("two")})
    with chdir(project.folder), pytest.raises(cbtrun.PluginError, match="no library 'arrow'; allowed: pandas, polars"):
        cbtrun.run("study.yaml", frames="arrow")  # type: ignore[call-overload]
    assert not (tmp_path / "runs").exists()
