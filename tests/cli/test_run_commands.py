"""`cbtrun report --format`, `compare` and `view` on a real run, as people call them."""

from __future__ import annotations

import http.client
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cbtrun.contract.digests import file_digest
from cbtrun.testing.projects import CommandOutcome, StudyProject
from tests.helpers.places import ROOT

STUDY = f"""
extends: {ROOT}/specs/transcripts.yaml
study: demo
analysis: {{quality: {{items: false}}}}
report: {{figures: [], tables: [csv]}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    """A finished run of the imported transcripts."""
    made = StudyProject(tmp_path_factory.mktemp("project"))
    made.write("study.yaml", STUDY)
    assert made.run().code == 0
    return made


def contents(folder: Path) -> dict[str, str]:
    """File -> digest of everything in a run folder but the process lock and the journal's working files."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: file_digest(path)
        for name, path in found.items()
        if not name.startswith("journal.sqlite-") and name != "running.pid"
    }


def cbtrun(project: StudyProject, *arguments: str) -> CommandOutcome:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "cbtrun.cli.main", *arguments]
    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, timeout=120, check=False)
    return CommandOutcome(done.returncode, done.stdout, done.stderr)


# report --format -----------------------------------------------------------------------------------------------


def test_wanted_formats_alone_are_written_and_nothing_else_is_touched(project: StudyProject) -> None:
    run = project.folder / "runs" / "demo"
    before = contents(run)
    done = project.run("report", "runs/demo", "--format", "latex", "--format", "png")
    assert done.code == 0, done.err
    after = contents(run)
    added = after.keys() - before.keys()
    assert {path.rsplit(".", 1)[1] for path in added} == {"tex", "png"}
    assert {name: after[name] for name in before} == before
    assert "wrote runs/demo/tables/comparisons.tex" in done.out
    assert r"\toprule" in (run / "tables" / "comparisons.tex").read_text()
    assert (run / "figures" / "contrasts.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_is_made_again_byte_by_byte(project: StudyProject) -> None:
    run = project.folder / "runs" / "demo"
    before = contents(run)
    (run / "report.html").unlink()
    assert project.run("report", "runs/demo", "--format", "html").code == 0
    assert contents(run) == before
    assert "Nothing to do" in project.run().out


def test_an_unknown_format_is_refused(project: StudyProject) -> None:
    done = cbtrun(project, "report", "runs/demo", "--format", "docx")
    assert done.code == 2
    assert "'docx' is not one of 'html', 'csv', 'md', 'latex', 'svg', 'pdf', 'png'" in done.err


# compare -------------------------------------------------------------------------------------------------------


def test_a_run_compared_with_itself_has_no_difference(project: StudyProject) -> None:
    done = cbtrun(project, "compare", "runs/demo", "runs/demo")
    assert done.code == 0, done.err
    assert "Results: the same, number by number\n\nStudy: the same\n\nEnvironment: the same\n" in done.out


def test_differences_and_tests_on_what_both_share_are_told(project: StudyProject) -> None:
    other = project.run("study.yaml", "--set", "study=other", "--set", "analysis.quality.tests=[welch]")
    assert other.code == 0, other.err
    done = project.run("compare", "runs/demo", "runs/other")
    assert done.code == 0, done.err
    assert "  study: A demo, B other\n" in done.out
    assert "  analysis.quality.tests: A welch, mann-whitney, B welch\n" in done.out
    assert "The same in both: ctrs.total, mi_quality high" in done.out


def test_what_is_no_run_is_refused(project: StudyProject) -> None:
    (project.folder / "empty").mkdir(exist_ok=True)
    done = project.run("compare", "runs/demo", "empty")
    assert (done.code, done.err) == (
        2,
        "empty: there is no results.json; give the folder of a finished run, like runs/quickstart\n",
    )


# view ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def viewer(project: StudyProject) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`cbtrun view` in a process of its own, and its port."""
    shutil.copytree(project.folder / "runs" / "demo", project.folder / "runs" / "again", dirs_exist_ok=True)
    command = [sys.executable, "-u", "-m", "cbtrun.cli.main", "view", "runs/demo", "runs/again"]
    process = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    yield process, int(line.split("127.0.0.1:")[1].split("/")[0])
    process.kill()
    process.communicate(timeout=10)


def answer_of(port: int, path: str, host: str = "", method: str = "GET") -> tuple[int, str]:
    """Status and text of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_runs_are_shown_to_this_machine_and_can_only_be_read(
    project: StudyProject, viewer: tuple[subprocess.Popen[str], int]
) -> None:
    process, port = viewer
    before = contents(project.folder / "runs")
    status, index = answer_of(port, "/")
    assert (status, index.count("/report.html")) == (200, 2)
    assert "<title>" in answer_of(port, "/1/report.html")[1]
    assert "The same, number by number" in answer_of(port, "/compare?first=1&second=2")[1]
    assert answer_of(port, "/", host="evil.example")[0] == 403
    assert answer_of(port, "/1/%2e%2e/%2e%2e/study.yaml")[0] == 404
    assert answer_of(port, "/1/journal.sqlite")[0] == 404
    assert answer_of(port, "/1/report.html", method="PUT")[0] == 501
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert contents(project.folder / "runs") == before
