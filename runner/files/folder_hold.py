"""How one process holds a run folder: by a lock on the folder itself, so that no file in it can be swapped away under it.

The lock file beside the journal says who it is, and is locked too: a network disk may lock files and no folders. Where a
folder was moved, replaced or taken away under a run, its path leads elsewhere, and the run must stop before it pays more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from cbtrun.errors import StageError, StopRun
from cbtrun.files.plain_files import open_plain

NAME = "running.pid"
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
TRIES, PAUSE_SECONDS = 8, 0.05
"""`cbtrun status` holds a lock for a moment, to see whether one can be had."""


class Hold:
    """A run folder that this process holds, until it is released."""

    def __init__(self, folder: Path) -> None:
        """Raises StageError when another cbtrun holds the folder, or when the disk knows no locks."""
        self._folder = folder
        self._of_folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._of_file = -1
        try:
            self._folder_locked = _locked(self._of_folder, folder, is_folder=True)
            self._of_file = open_plain(folder / NAME, os.O_RDWR | os.O_CREAT)
            _locked(self._of_file, folder)
            os.ftruncate(self._of_file, 0)
            os.write(self._of_file, f"{os.getpid()}\n".encode())
            self.check()
        except BaseException:
            self.release()
            raise

    def check(self) -> None:
        """Raises StopRun when the path leads to another folder by now, or to another lock file where that alone is held."""
        same = _is_at(self._of_folder, self._folder)
        if same and (self._folder_locked or _is_at(self._of_file, self._folder / NAME)):
            return
        what = f"its {NAME} was replaced or taken away" if same else "it was moved, replaced or taken away"
        raise StopRun(
            f"{self._folder}: {what} while this run was at work, so that a second one could pay for the same calls. The run "
            "stopped; what it was answered is in the journal of its folder, wherever that is now"
        )

    def release(self) -> None:
        """Let others have the folder."""
        for opened in (self._of_file, self._of_folder):
            with suppress(OSError):
                os.close(opened)


def holder_of(folder: Path) -> int | None:
    """Process id of whoever holds a folder, 0 where it is not told, none where nobody does."""
    pid = folder / NAME
    for path, opening in ((pid, os.O_RDONLY), (folder, os.O_RDONLY | os.O_DIRECTORY)):
        if not path.exists():
            continue
        opened = open_plain(path, opening) if path == pid else os.open(path, opening | os.O_CLOEXEC)
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(pid)
        except OSError:  # no locks there: nobody can tell
            continue
        finally:
            os.close(opened)
    return None


def _locked(opened: int, folder: Path, *, is_folder: bool = False) -> bool:
    """Whether a file or folder could be locked; a folder need not be. Raises StageError when another process has it."""
    for left in reversed(range(TRIES)):
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if not left:
                raise StageError(
                    f"{folder}: another cbtrun (process {_pid_in(folder / NAME)}) is running in this folder; wait for it, "
                    "or give the study another name (--set study=NAME)"
                ) from None
            time.sleep(PAUSE_SECONDS)
        except OSError as error:
            if is_folder:  # a network disk's way to lock wants a file that is open for writing
                return False
            if error.errno in NO_LOCKS:
                raise no_locks(folder, error) from None
            raise
    return False


def no_locks(folder: Path, error: OSError) -> StageError:
    """What to tell of a disk without locks."""
    return StageError(
        f"{folder}: the disk knows no locks ({error.strerror}), so that two runs could pay for the same calls and break the "
        "journal. Put the runs on a local disk (--runs FOLDER), or mount this one with locks"
    )


def _is_at(opened: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), path.stat(follow_symlinks=path.name != NAME))
    except OSError:
        return False


def _pid_in(path: Path) -> int:
    """The process id that a lock file holds; 0 for anything else."""
    try:
        opened = open_plain(path, os.O_RDONLY)
    except (OSError, StageError):
        return 0
    try:
        found = os.read(opened, 20).strip()
    finally:
        os.close(opened)
    return int(found) if found.isdigit() else 0
