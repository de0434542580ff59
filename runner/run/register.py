"""The register: a few lines outside every run folder, so that deleting one does not make a registration the first.

Two files that are only added to: `registrations.jsonl` beside the run folders, and one in the user's own state folder
(`$XDG_STATE_HOME/cbtrun`, else `~/.local/state/cbtrun`). They hold when a study was registered and with what, when it
first ran, what its first personas and corpora were, and where its registration was published. They are this machine's
own claim, as every clock and file on it is: what nobody can alter lies outside.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from cbtrun.contract.records import Json, Record
from cbtrun.errors import StageError
from cbtrun.files.plain_files import open_plain

FILE = "registrations.jsonl"
MOST_BYTES = 50_000_000
"""Of a register; a longer one was not written by us."""


class RegisterLine(Record):
    """One line of a register."""

    event: Literal["registered", "run", "made", "published"]
    at: str
    """Date and time with the offset from UTC, ISO 8601."""
    study: str
    file: str
    """The study's file, absolute."""
    registration: Json | None = None
    """What was registered, whole."""
    under: str = ""
    """Digest of the registration under which something was made, or which was published."""
    of: str = ""
    """Stage whose output was made under it for the first time: `personas.eval`."""
    digest: str = ""
    """SHA-256 of that output."""
    where: str = ""
    """Where a registration was published, in the words of who said so."""

    @property
    def when(self) -> float:
        """Seconds since 1970."""
        return datetime.fromisoformat(self.at).timestamp()


def now() -> str:
    """The time as a register notes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def registers(runs: Path | None) -> list[Path]:
    """The files of the register. runs: the folder of run folders; none where no run is concerned."""
    base = os.environ.get("XDG_STATE_HOME") or (os.environ.get("HOME") and f"{os.environ['HOME']}/.local/state")
    own = [Path(base) / "cbtrun" / FILE] if base and Path(base).is_absolute() else []
    return [*([runs / FILE] if runs else []), *own]


def note(entry: RegisterLine, runs: Path | None) -> None:
    """Add a line to every file of the register that has not got it. One that may not be written is left as it is."""
    line = json.dumps(entry.model_dump(mode="json", exclude_defaults=True), sort_keys=True, ensure_ascii=False)
    for path in registers(runs):
        mode = 0o666 if runs is not None and path.parent == runs else 0o600  # a folder of runs may be shared
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(open_plain(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, mode), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                there = file.read(MOST_BYTES)
                if _told(entry) not in {_told(one) for one in _entries(there.splitlines())}:
                    gap = b"" if not there or there.endswith(b"\n") else b"\n"  # of a line that a kill left half
                    file.write(gap + line.encode("utf-8", "replace") + b"\n")
        except (OSError, StageError):
            continue  # no home, a full disk, a folder that is only read: the other file has it


def _told(entry: RegisterLine) -> tuple[object, ...]:
    """What a line tells: of what happens again and again, a first run or a first set of personas, the first time counts."""
    what = (entry.event, entry.study, entry.file, entry.under, entry.of)
    return what if entry.event in ("run", "made") else (*what, entry.where, (entry.registration or {}).get("digest"))


def entries_of(file: str, study: str, runs: Path | None) -> list[RegisterLine]:
    """All that the register has of a study, the earliest first: of its file, or of its name beside the same run folders."""
    found: list[RegisterLine] = []
    for path in registers(runs):
        beside = runs is not None and path == runs / FILE
        for entry in _read(path):
            if entry.file == file or (beside and entry.study == study):
                found.append(entry)
    found.sort(key=lambda entry: entry.when)
    return list({_told(entry): entry for entry in reversed(found)}.values())[::-1]  # both files have most lines


def _read(path: Path) -> list[RegisterLine]:
    if not path.exists():
        return []
    try:
        with os.fdopen(open_plain(path, os.O_RDONLY, shared=True), "rb") as file:
            return _entries(file.read(MOST_BYTES).splitlines())
    except (OSError, StageError):
        return []


def _entries(lines: Iterable[bytes]) -> list[RegisterLine]:
    """The lines that can be read: one that cannot, of another version or half written, says nothing."""
    found = []
    for line in lines:
        try:
            entry = RegisterLine.model_validate(json.loads(line))
            found += [entry] if entry.when else []
        except (ValidationError, ValueError, RecursionError, OverflowError):
            continue
    return found
