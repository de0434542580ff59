"""Nothing that happens to files lets two runs pay for the same calls: what is held is the folder, and a copy is told."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from cbtrun.errors import StageError, StopRun
from cbtrun.files.folder_hold import NAME
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.trouble import trouble


def taken_away(folder: Path) -> None:
    (folder / NAME).unlink()


def replaced(folder: Path) -> None:
    other = folder / "x"
    other.write_text("1\n")
    other.replace(folder / NAME)


@pytest.mark.parametrize("change", [lambda _: None, taken_away, replaced])
def test_a_folder_stays_held_whatever_becomes_of_its_lock_file(tmp_path: Path, change: object) -> None:
    with RunFolder(tmp_path).locked():
        change(tmp_path)  # type: ignore[operator]
        with (
            pytest.raises(StageError, match=r"another cbtrun .* is running in this folder"),
            RunFolder(tmp_path).locked(),
        ):
            pass
        assert RunFolder(tmp_path).held_by() is not None
    assert RunFolder(tmp_path).held_by() is None
    with RunFolder(tmp_path).locked():
        pass


@pytest.mark.parametrize("change", ["moved", "removed", "swapped"])
def test_a_folder_that_is_moved_or_swapped_under_a_run_stops_it(tmp_path: Path, change: str) -> None:
    folder = RunFolder(tmp_path / "r")
    with folder.locked():
        folder.check_hold()
        if change == "removed":
            shutil.rmtree(folder.path)
        else:
            folder.path.rename(tmp_path / "moved")
        if change == "swapped":
            shutil.copytree(tmp_path / "moved", folder.path)
        with pytest.raises(StopRun, match="it was moved, replaced or taken away while this run was at work") as stopped:
            folder.check_hold()
        assert (stopped.value.exit_code, folder.is_held()) == (4, False)


def test_where_folders_cannot_be_locked_the_lock_file_must_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def files_alone(opened: int, how: int) -> None:
        if Path(f"/proc/self/fd/{opened}").is_dir():
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(opened, how)

    monkeypatch.setattr("fcntl.flock", files_alone)
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.check_hold()
        with pytest.raises(StageError, match="another cbtrun"), RunFolder(tmp_path).locked():
            pass
        replaced(tmp_path)
        with pytest.raises(StopRun, match=r"its running\.pid was replaced or taken away"):
            folder.check_hold()


def test_a_disk_without_locks_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with (
        pytest.raises(
            StageError, match=r"knows no locks \(No locks available\).*Put the runs on a local disk \(--runs"
        ),
        RunFolder(tmp_path).locked(),
    ):
        pass
    assert RunFolder(tmp_path).held_by() is None


def test_a_journal_on_a_disk_without_locks_is_told_the_same_way(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_LOCK
    found = trouble(tmp_path / "journal.sqlite", error)
    assert (found.exit_code, "the disk knows no locks" in str(found)) == (2, True)


def test_status_that_looks_for_a_moment_does_not_keep_a_run_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(opened, fcntl.LOCK_SH)
    monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(opened, fcntl.LOCK_UN))
    with RunFolder(tmp_path).locked():
        pass
    os.close(opened)
