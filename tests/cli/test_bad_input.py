"""What is wrong with the input is said at once, with its place, and nothing is run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS

Make = Callable[[Mapping[str, str]], StudyProject]


def problems(study_project: Make, study: str = STUDY, transcripts: str = TRANSCRIPTS, **files: str) -> str:
    """What `cbtrun study.yaml` says about bad input; it must not have run anything."""
    outcome = study_project({"study.yaml": study, "t.csv": transcripts, **files}).run()
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    return outcome.err


def test_a_missing_study_is_named(study_project: Make) -> None:
    outcome = study_project({}).run("nothing.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith("nothing.yaml: ")


def test_a_column_that_the_file_does_not_have_is_reported_where_it_is_mapped(study_project: Make) -> None:
    err = problems(study_project, STUDY.replace("text: text", "text: words"))
    line = 1 + STUDY[: STUDY.index("columns:")].count("\n")
    assert err.startswith(f"study.yaml:{line}:")
    assert "sessions/columns/text: no column 'words' in the file; it has: session, speaker, text, quality" in err


def test_a_transcript_with_one_speaker_is_reported_with_its_line(study_project: Make) -> None:
    err = problems(study_project, transcripts=TRANSCRIPTS + "e,therapist,Hello there.,good\n")
    assert f"t.csv:{TRANSCRIPTS.count(chr(10)) + 1}: session 'e': the patient never speaks" in err


def test_a_level_that_no_session_has_is_reported(study_project: Make) -> None:
    err = problems(study_project, STUDY.replace("levels: [good, poor]", "levels: [good, bad]"))
    assert "analysis/main/levels/1: no session has level 'bad' of factor 'quality'; levels: good, poor" in err


def test_a_rubric_with_two_items_of_one_name_is_reported_with_its_line(study_project: Make) -> None:
    from cbtrun.plugins.everywhere.shipped_rubrics import rubric_folders

    text = (Path(rubric_folders()) / "ctrs.yaml").read_text(encoding="utf-8").replace("id: pacing", "id: agenda")
    err = problems(study_project, STUDY.replace("rubric: ctrs,", "rubric: ./own.yaml,"), **{"own.yaml": text})
    assert "own.yaml:" in err
    assert "agenda" in err


def test_every_problem_is_reported_at_once(study_project: Make) -> None:
    study = (
        STUDY.replace("lexical-rater", "lexical-rator")
        .replace("rubric: ctrs", "rubric: ctrss")
        .replace("main:", "ma in:")
    )
    err = problems(study_project, study)
    assert "did you mean 'lexical-rater'?" in err
    assert "did you mean 'ctrs'?" in err
    assert "ma in" in err
    assert err.rstrip().endswith("problems; nothing was run.")


def test_real_people_are_not_sent_to_a_remote_model_without_consent(study_project: Make) -> None:
    remote = STUDY.replace("contains: none\n", "").replace("{using: lexical-rater}", "{using: remote}")
    plugin = (
        "from cbtrun.hookspecs import hookimpl\n\n@hookimpl\ndef options_schema(stage):\n"
        "    return {'x-remote': True, 'type': 'object'} if stage == 'models' else None\n\n"
        "@hookimpl\ndef open_model(context):\n    raise AssertionError('must not be opened')\n"
    )
    project = study_project(
        {"study.yaml": remote + "plugins: [./remote.py]\n", "t.csv": TRANSCRIPTS, "remote.py": plugin}
    )
    outcome = project.run("study.yaml", "--allow-local-plugins")
    assert outcome.code == 2
    assert "ratings/ctrs: would send words of real people to the remote model 'rater'" in outcome.err
    assert "--consent-remote" in outcome.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 500 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def cbtrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cbtrun.cli.main", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_a_full_disk_stops_the_run_and_with_more_room_it_goes_on(study_project: Make, small_disk: Path) -> None:
    rows = TRANSCRIPTS.splitlines()
    text = "\n".join([rows[0], *(f"{number}{row}" for number in range(60) for row in rows[1:])]) + "\n"
    project = study_project({"study.yaml": STUDY, "t.csv": text})
    full = cbtrun(project.folder, "study.yaml", "--runs", str(small_disk))
    assert full.returncode == 4, full.stderr
    assert "Traceback" not in full.stderr
    assert "run the same command again" in full.stderr
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    assert cbtrun(project.folder, "study.yaml", "--runs", str(small_disk)).returncode == 0


def test_a_read_only_folder_is_refused_with_what_to_do(study_project: Make, small_disk: Path) -> None:
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    outcome = cbtrun(project.folder, "study.yaml", "--runs", str(small_disk))
    assert outcome.returncode == 2
    assert "may not be written" in outcome.stderr
    assert "--runs" in outcome.stderr


@pytest.mark.parametrize("place", ["afile", "afile/below", "broken"])
def test_runs_that_are_a_file_or_a_broken_link_are_told_before_any_work(study_project: Make, place: str) -> None:
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS, "afile": ""})
    (project.folder / "broken").symlink_to("/nonexistent/place")
    outcome = project.run("study.yaml", "--runs", place)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert f"'{place.split('/')[0]}' is " in outcome.err
    assert outcome.out == ""


def test_a_file_where_the_run_folder_would_stand_is_told(study_project: Make) -> None:
    outcome = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS, "runs/s": ""}).run()
    assert outcome.code == 2
    assert outcome.err.startswith("runs/s: is not a folder")


@pytest.mark.skipif(not Path("/usr/bin/setpriv").exists() or os.geteuid() != 0, reason="takes rights from root")
@pytest.mark.parametrize(
    ("shut", "said"), [("t.csv", "cannot be read: Permission denied"), ("in", "may not be looked into")]
)
def test_what_may_not_be_read_is_not_called_unwritable(study_project: Make, shut: str, said: str) -> None:
    study = STUDY.replace("path: t.csv", "path: in/t.csv") if shut == "in" else STUDY
    project = study_project({"study.yaml": study, "t.csv": TRANSCRIPTS, "in/t.csv": TRANSCRIPTS})
    (project.folder / shut).chmod(0)
    without = ["/usr/bin/setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    command = [*without, sys.executable, "-m", "cbtrun.cli.main", "validate", "study.yaml"]
    ended = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)
    (project.folder / shut).chmod(0o700)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "--runs" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["plan", "doctor", "run"])
def test_runs_on_a_file_is_told_by_every_command_that_takes_it(study_project: Make, command: str) -> None:
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS, "afile": ""})
    outcome = project.run(command, "study.yaml", "--runs", "afile")
    assert outcome.code == 2
    assert "'afile' is not a folder" in outcome.err
