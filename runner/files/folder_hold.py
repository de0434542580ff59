"""How one process holds a run folder: by a lock on the folder itself, so that no file in it can be swapped away under it.

The lock file beside the journal says who it is, and is locked too: some disks lock files and no folders. Where a folder was
moved, replaced or taken away under a run, its path leads elsewhere, and the run must stop before it pays more. On a disk
that several machines write, a lock may hold for one machine only: there it is held by a lease (lease.py).
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cbtrun.errors import StageError, StopRun
from cbtrun.files.disks import disk_of
from cbtrun.files.lease import SILENT_SECONDS, Lease, held, newest
from cbtrun.files.plain_files import open_plain

NAME = "running.pid"
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
TRIES, PAUSE_SECONDS = 8, 0.05
"""`cbtrun status` holds a lock for a moment, to see whether one can be had."""


@dataclass(frozen=True)
class Holder:
    """Who has a run folder."""

    pid: int
    """0 where it is not told."""
    host: str = ""
    """The machine, where the folder is held by a lease; else it is this one."""
    silent_seconds: float = 0.0
    """How old its last sign of life is, by this machine's clock."""

    @property
    def words(self) -> str:
        """`process 12`, and of a lease ` on node7`."""
        return f"process {self.pid or 'unknown'}{f' on {self.host}' if self.host else ''}"

    @property
    def is_silent(self) -> bool:
        """Whether it seems to be at work no more: who runs the study again takes the folder over once that is sure."""
        return self.silent_seconds >= SILENT_SECONDS


class Hold:
    """A run folder that this process holds, until it is released."""

    def __init__(self, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
        """tell: hears of a wait for a silent holder. Raises StageError when another cbtrun holds the folder, or no lock can be had."""
        self._folder = folder
        self._of_folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._of_file, self._folder_locked = -1, False
        self._lease: Lease | None = None
        try:
            if disk_of(folder).shared:
                self._take_lease(tell)
            else:
                self._lock()
            self.check()
        except BaseException:
            self.release()
            raise

    def _lock(self) -> None:
        self._folder_locked = _locked(self._of_folder, self._folder, is_folder=True)
        self._of_file = open_plain(self._folder / NAME, os.O_RDWR | os.O_CREAT)
        _locked(self._of_file, self._folder)
        os.ftruncate(self._of_file, 0)
        os.write(self._of_file, f"{os.getpid()}\n".encode())

    def _take_lease(self, tell: Callable[[str], None]) -> None:
        # An earlier version locks and knows no lease. Beside a lease a lock says nothing: it may be of a machine that is lost.
        if newest(self._folder) is None and (pid := _locked_by(self._folder)) is not None:
            raise held(self._folder, f"process {pid or 'unknown'}")
        self._lease = Lease(self._folder, tell)

    def check(self) -> None:
        """Raises StopRun when the path leads to another folder by now, or another process has taken the folder over."""
        same = _is_at(self._of_folder, self._folder)
        if same and self._lease is not None:
            self._lease.check()
            return
        if same and (self._folder_locked or _is_at(self._of_file, self._folder / NAME)):
            return
        what = f"its {NAME} was replaced or taken away" if same else "it was moved, replaced or taken away"
        raise StopRun(
            f"{self._folder}: {what} while this run was at work, so that a second one could pay for the same calls. The run "
            "stopped; what it was answered is in the journal of its folder, wherever that is now"
        )

    def check_lease(self) -> None:
        """Look now whether another process has taken the folder over. Raises StopRun when one has."""
        if self._lease is not None:
            self._lease.check(at_once=True)

    def release(self) -> None:
        """Let others have the folder."""
        if self._lease is not None:
            self._lease.release()
        for opened in (self._of_file, self._of_folder):
            with suppress(OSError):
                os.close(opened)


def holder_of(folder: Path) -> Holder | None:
    """Who holds a folder, or held it when last heard of; none where nobody does."""
    if folder.is_dir() and disk_of(folder).shared:
        seen = newest(folder)
        if seen is not None:
            gone = seen.free or seen.driver.is_gone()
            return None if gone else Holder(seen.driver.pid, seen.driver.host, seen.silent_seconds)
    pid = _locked_by(folder)
    return None if pid is None else Holder(pid)


def _locked_by(folder: Path) -> int | None:
    """Process id of whoever has locked a folder, 0 where it is not told, none where nobody has."""
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
                raise held(folder, f"process {_pid_in(folder / NAME)}") from None
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
