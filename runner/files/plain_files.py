"""The door of a run folder: plain files and folders alone, so that nothing in one from a stranger leads out of it.

A run folder comes by tar or git, and is read and written at names that everybody knows. A link at such a name would lead
a read to the user's own files and a write over them; a pipe or a device would be waited on for ever.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from cbtrun.errors import StageError

JOURNAL = ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "journal.sqlite-journal")
FILES = frozenset(
    {
        *(
            "running.pid",
            "running.json",
            "run.log",
            "study.lock.yaml",
            "registration.json",
            "promise.json",
            "failures.jsonl",
            "traceback.txt",
        ),
        *(
            "sessions.jsonl",
            "results.json",
            "report.html",
            "report.files",
            "sheet-key.csv",
            "preference-key.csv",
            "forgotten.jsonl",
            *JOURNAL,
        ),
    }
)
FOLDERS = frozenset(
    {
        *("personas", "corpus", "adapters", "ratings", "scores", "analysis", "tables", "figures", "report_transcripts"),
        *("sheets", "agreement", "exports", "rated"),
    }
)
IN_PLACE = frozenset({"running.pid", "run.log", "speed.jsonl", *JOURNAL})
"""Written where they are, not replaced by a new file: a second name of one would be written along with it."""
PART = re.compile(r"\.[0-9a-f]{16}\.part$")
KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def refuse_strange_files(folder: Path) -> None:
    """Look through a run folder that need not be there. Its own path may lead through links: that one the user gave.

    Raises StageError that names the first thing in it that is no plain file or folder.
    """
    for path, found in _everything(folder):
        inside = path.relative_to(folder)
        if what := strange(found, inside):
            raise StageError(
                f"{folder}: {inside.as_posix()!r} is {what}; a run folder holds plain files and folders of its own alone, "
                "as anything else leads reads and writes elsewhere. Nothing was read or written. Look at it, and take it away"
            )


def strange(found: os.stat_result, inside: Path) -> str:
    """What a thing in a run folder is that has no place there; empty for what may stand at this path."""
    for is_kind, words in KINDS:
        if is_kind(found.st_mode):
            return words
    top = inside.name if len(inside.parts) == 1 else ""
    if stat.S_ISDIR(found.st_mode):
        return "a folder where a file belongs" if top in FILES else ""
    if top in FOLDERS:
        return "a file where a folder belongs"
    if found.st_nlink > 1 and inside.name in IN_PLACE:
        return f"a hard link (the file has {found.st_nlink} names)"
    return ""


def _everything(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a folder, in order; what a run that is at work takes away meanwhile is left out."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            try:
                told = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield Path(entry.path), told
            if stat.S_ISDIR(told.st_mode):
                waiting.append(Path(entry.path))


def inside(folder: Path, name: str) -> Path:
    """A path of a run folder that one of its files names. Raises StageError for one that leads out of it."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\x00" in name:
        raise StageError(f"{folder}: a file of it names {name!r}, which is not inside the run folder")
    return folder / name


def open_plain(path: Path, flags: int, mode: int = 0o666, *, shared: bool = False) -> int:
    """A descriptor of a plain file with one name, to be read or written where it is; never that of what a link leads to.

    shared: it may have further names, since it is only read. Raises StageError for anything else, and never waits.
    """
    try:
        opened = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if path.is_symlink():
            raise StageError(f"{path}: is a symbolic link; it is not followed") from None
        raise error
    found = os.fstat(opened)
    if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and not shared):
        os.close(opened)
        raise StageError(f"{path}: is no plain file with a single name; it is neither read nor written")
    return opened


def write_parts(path: Path, parts: Iterable[bytes], *, sync: bool = True) -> None:
    """Write a whole file or nothing. The name it is made under is new, so that nothing can lie in wait there.

    sync: wait until it is on the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name[:200]}.{secrets.token_hex(8)}.part")
    opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(opened, "wb") as file:
            for content in parts:
                file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path) -> None:
    """Remove what a kill left half written in a run folder that this process holds."""
    for path, found in _everything(folder):
        if stat.S_ISREG(found.st_mode) and PART.search(path.name):
            path.unlink(missing_ok=True)
