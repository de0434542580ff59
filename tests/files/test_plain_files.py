"""A run folder from a stranger: nothing in it leads a read or a write out of it."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.errors import StageError
from cbtrun.files.folder_hold import Holder
from cbtrun.files.plain_files import inside, open_plain, write_parts
from cbtrun.files.run_folder import RunFolder, write_atomically
from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS

Make = Callable[[dict[str, str]], StudyProject]
COMMANDS = {
    "run": ["study.yaml"],
    "plan": ["plan", "study.yaml"],
    "doctor": ["doctor", "study.yaml"],
    "report": ["report", "runs/s"],
    "status": ["status", "runs/s"],
    "view": ["view", "runs/s"],
    "sheet": ["sheet", "runs/s"],
    "agree": ["agree", "runs/s", "people.csv"],
    "compare": ["compare", "runs/s", "runs/s"],
    "export": ["export", "runs/s", "tiny"],
    "journal export": ["journal", "export", "runs/s", "out.gz"],
    "journal import": ["journal", "import", "runs/s", "out.gz"],
    "journal check": ["journal", "check", "runs/s"],
    "journal compact": ["journal", "compact", "runs/s"],
}
NAMES = [
    *("running.pid", "running.json", "report.html", "results.json", "study.lock.yaml", "registration.json"),
    *("sessions.jsonl", "report.files", "sheet-key.csv", "journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"),
    *(
        "tables",
        "tables/groups.csv",
        "figures/x.svg",
        "sheets",
        "sheets/sheet.html",
        "agreement",
        "personas/eval.jsonl",
    ),
    *(
        "ratings/ctrs.jsonl",
        "adapters",
        "adapters/tiny/adapters.jsonl",
        "exports",
        "a/deep/part/of/it",
        "report.html.part",
    ),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, and a file of the user's that a link may lead to."""
    project = StudyProject(tmp_path_factory.mktemp("finished"))
    files = {"study.yaml": STUDY, "t.csv": TRANSCRIPTS, "people.csv": "x\n", "precious": "mine", "out.gz": "x"}
    for name, text in files.items():
        project.write(name, text)
    assert project.run().code == 0
    return project.folder


@pytest.fixture
def ran(finished: Path, tmp_path: Path) -> StudyProject:
    """A copy of it."""
    return StudyProject(Path(shutil.copytree(finished, tmp_path / "copy")))


def link(project: StudyProject, name: str) -> None:
    path = project.folder / "runs/s" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path.rename(path.with_name("moved"))
    path.unlink(missing_ok=True)
    path.symlink_to(project.folder / "precious")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_goes_on_in_a_run_folder_that_holds_a_link(ran: StudyProject, command: str) -> None:
    link(ran, "tables/groups.csv")
    done = ran.run(*COMMANDS[command])
    assert (done.code, "'tables/groups.csv' is a symbolic link" in done.err + done.out) == (2, True), done
    assert ran.read("precious") == "mine"


@pytest.mark.parametrize("name", NAMES)
def test_a_link_anywhere_in_a_run_folder_is_refused_by_name(tmp_path: Path, name: str) -> None:
    ran = StudyProject(tmp_path)
    link(ran, name)
    with pytest.raises(StageError, match=f"'{name}' is a symbolic link; a run folder holds plain files"):
        RunFolder(ran.folder / "runs/s")


@pytest.mark.parametrize("name", ["running.pid", "journal.sqlite", "journal.sqlite-wal", "adapters/tiny/speed.jsonl"])
def test_a_second_name_of_a_file_that_is_written_in_place_is_refused(ran: StudyProject, name: str) -> None:
    path = ran.folder / "runs/s" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.hardlink_to(ran.folder / "precious")
    done = ran.run("status", "runs/s")
    assert (done.code, f"'{name}' is a hard link (the file has 2 names)" in done.err) == (2, True)
    assert ran.read("precious") == "mine"


@pytest.mark.parametrize("name", ["report.html", "tables/groups.csv", "tables/groups.md", "figures/means.svg"])
def test_a_file_that_is_written_anew_leaves_its_other_name_alone(ran: StudyProject, name: str) -> None:
    path = ran.folder / "runs/s" / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.hardlink_to(ran.folder / "precious")
    write_atomically(path, "new")
    assert ran.read("precious") == "mine"


@pytest.mark.parametrize("kind", ["a named pipe", "a socket"])
def test_what_would_be_waited_on_for_ever_is_refused(
    ran: StudyProject, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ran.folder / "runs/s")
    Path("results.json").unlink()
    if kind == "a named pipe":
        os.mkfifo("results.json")
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("results.json")
    assert f"'results.json' is {kind}" in ran.run("compare", "runs/s", "runs/s").err


@pytest.mark.parametrize(
    ("name", "words"), [("results.json", "a folder where a file belongs"), ("tables", "a file where")]
)
def test_a_thing_of_another_kind_at_a_known_name_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).mkdir() if "folder where" in words else (tmp_path / name).write_text("x")
    with pytest.raises(StageError, match=f"'{name}' is {words}"):
        RunFolder(tmp_path)


def test_the_path_of_a_run_folder_may_lead_through_links_of_the_users_own(ran: StudyProject) -> None:
    (ran.folder / "elsewhere").symlink_to(ran.folder / "runs")
    (ran.folder / "mine").symlink_to(ran.folder / "runs/s")
    for path in ("elsewhere/s", "mine", "mine/"):
        assert "symbolic" not in ran.run("status", path).err


@pytest.mark.parametrize("name", ["/etc", "../..", "a/../../b", "", "a\x00b"])
def test_a_path_that_a_file_of_the_run_names_stays_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(StageError, match="is not inside the run folder"):
        inside(tmp_path, name)


def test_an_adapter_outside_the_run_is_not_exported(ran: StudyProject, tmp_path: Path) -> None:
    lock = ran.folder / "runs/s/study.lock.yaml"
    text = lock.read_text().replace(
        "  models:", "  tune: {tiny: {using: sft, base: rater, corpus: c, seeds: [1]}}\n  models:"
    )
    lock.write_text(text)
    ran.write(
        "runs/s/adapters/tiny/adapters.jsonl",
        '{"name": "tiny", "base": "rater", "seed": 1, "folder": "../../..", "digest": "' + "0" * 64 + '"}\n',
    )
    done = ran.run("export", "runs/s", "tiny")
    assert (done.code, "Traceback" in done.err) == (2, False)
    assert not (ran.folder / "runs/s/exports").exists()


@pytest.mark.slow
def test_the_list_of_the_reports_files_leads_nowhere_else(study_project: Make) -> None:
    ran = study_project({"study.yaml": STUDY + "report: {using: html, figures: []}\n", "t.csv": TRANSCRIPTS})
    assert ran.run().code == 0
    ran.write("runs/s/report.files", "../../../../etc/passwd\n")
    done = ran.run()
    assert (done.code, "names '../../../../etc/passwd', which is not inside the run folder" in done.err) == (2, True)


def test_a_link_that_comes_after_the_folder_was_looked_through_is_not_followed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (tmp_path / "precious").write_text("mine")
    (folder.path / "running.pid").symlink_to(tmp_path / "precious")
    with pytest.raises(StageError, match="is a symbolic link; it is not followed"), folder.locked():
        pass
    assert (tmp_path / "precious").read_text() == "mine"
    with pytest.raises(StageError, match="no plain file"):
        open_plain(Path("/dev/null"), os.O_WRONLY)


def test_a_write_that_fails_leaves_the_old_file_and_no_part_of_the_new(tmp_path: Path) -> None:
    write_parts(tmp_path / "x", [b"old"])

    def broken() -> object:
        yield b"half"
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        write_parts(tmp_path / "x", broken())  # type: ignore[arg-type]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"old")]


def test_what_a_kill_left_half_written_is_removed_by_the_next_run(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/a.csv.0123456789abcdef.part").write_text("half")
    (tmp_path / "mine.part").write_text("not ours")
    with RunFolder(tmp_path).locked():
        assert sorted(path.name for path in tmp_path.rglob("*.part")) == ["mine.part"]


def test_a_lock_file_with_anything_in_it_names_no_process(tmp_path: Path) -> None:
    (tmp_path / "running.pid").write_text("¹ junk\n")
    with (tmp_path / "running.pid").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert RunFolder(tmp_path).held_by() == Holder(pid=0)


def test_files_keep_the_rights_that_the_users_umask_gives(tmp_path: Path) -> None:
    code = "import os,sys,pathlib; os.umask(0o027); from cbtrun.files.run_folder import write_atomically; write_atomically(pathlib.Path(sys.argv[1]), 'x')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=True)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
