"""What a package says beside what came out when it was derived again: file by file, and in a file value by value."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cbtrun.errors import StageError
from cbtrun.packaging.parts import RUN
from cbtrun.results.same_results import same_results

State = Literal["same", "rounding", "differs", "lacking"]
NOT_DERIVED = ("study.lock.yaml", "promise.json")
"""Of the machine and the hour: nothing tells whether they are true."""
NOT_DERIVED_FOLDERS = ("adapters", "agreement")
OF_TUNINGS = "adapters/"
"""What trainings wrote of themselves is in the journal's export; weights are not."""
MOST_PLACES = 5
"""Places of one file that are named."""
LONGEST, LONGEST_FAULT, DEEPEST = 80, 300, 50
BEFORE = 30
"""Signs of a line that are shown before those that differ."""


@dataclass(frozen=True)
class FileFound:
    """How a file of the package stands to the one that was derived."""

    name: str
    state: State
    places: tuple[str, ...] = ()
    """Where they differ, with both values."""


@dataclass(frozen=True)
class Compared:
    """All files."""

    files: tuple[FileFound, ...]
    not_derived: tuple[str, ...] = field(default=())
    """Files that nothing can be held against."""

    def of(self, *states: State) -> list[FileFound]:
        """Those in one of these states."""
        return [one for one in self.files if one.state in states]


def compared(package: Path, derived: Path) -> Compared:
    """Every file under `run/` of a package beside the derived one; and what is derived and not in the package."""
    here = {one.relative_to(package / RUN).as_posix() for one in (package / RUN).rglob("*") if one.is_file()}
    there = {*_names(derived)}
    made = {name for name in there if _is_derived(name)}
    told = sorted(one for one in here if _is_derived(one) or (one.startswith(OF_TUNINGS) and one in there))
    files = [_file(package / RUN / name, derived / name, name) for name in told]
    files += [FileFound(f"{RUN}/{name}", "lacking", ("derived, and not in the package",)) for name in sorted(made - here) if name in EXPECTED]  # fmt: skip
    return Compared(tuple(files), tuple(sorted(f"{RUN}/{one}" for one in here.difference(told))))


EXPECTED = ("results.json", "sessions.jsonl")
"""Files without which a package says too little."""


def _names(folder: Path) -> Iterator[str]:
    for one in folder.rglob("*"):
        if one.is_file():
            yield one.relative_to(folder).as_posix()


def _is_derived(name: str) -> bool:
    return name not in NOT_DERIVED and name.partition("/")[0] not in NOT_DERIVED_FOLDERS


def _file(told: Path, made: Path, name: str) -> FileFound:
    shown = f"{RUN}/{name}"
    if not made.is_file():
        return FileFound(shown, "lacking", ("in the package, and nothing derives it",))
    if told.read_bytes() == made.read_bytes():
        return FileFound(shown, "same")
    if name == "results.json":
        try:
            return _results(told, made, shown)
        except StageError as error:  # no results at all
            return FileFound(shown, "differs", (str(error).replace(str(told), shown)[:LONGEST_FAULT],))
    places = [*_places(told, made)]
    return FileFound(shown, "differs", tuple(places) or ("other bytes",))


def _results(told: Path, made: Path, shown: str) -> FileFound:
    found = same_results(told, made)
    if not found.telling:
        return FileFound(shown, "rounding", tuple(str(one) for one in found.differences[:MOST_PLACES]))
    return FileFound(shown, "differs", tuple(str(one) for one in found.telling))


def _places(told: Path, made: Path) -> Iterator[str]:
    """Where two files of lines differ: by line, and in a record or a row by its field."""
    if told.suffix not in (".jsonl", ".csv", ".md", ".tex", ".svg", ".html"):
        return
    one, other = (path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (told, made))
    if len(one) != len(other):
        yield f"{len(one):,} lines in the package, {len(other):,} derived"
    header = _cells(one[0]) if told.suffix == ".csv" and one else []
    for number, (left, right) in enumerate(zip(one, other, strict=False), start=1):
        if left != right:
            yield from (f"line {number}{place}" for place in _within(left, right, told.suffix, header))


def _within(left: str, right: str, ending: str, header: Sequence[str]) -> Iterator[str]:
    if ending == ".jsonl":
        try:
            first, second = json.loads(left), json.loads(right)
        except (ValueError, RecursionError):
            yield f": {_short(left)} in the package, {_short(right)} derived"
            return
        yield from (
            f", {path}: {_short(a)} in the package, {_short(b)} derived" for path, a, b in _fields(first, second, "")
        )
    elif ending == ".csv":
        cells = zip(_cells(left), _cells(right), strict=False)
        for at, (a, b) in enumerate(cells):
            if a != b:
                yield f", {header[at] if at < len(header) else at + 1}: {_short(a)} in the package, {_short(b)} derived"
    else:
        at = max(0, _apart_at(left, right) - BEFORE)
        begin = "... " if at else ""
        yield f": {begin}{_short(left[at:])} in the package, {begin}{_short(right[at:])} derived"


def _apart_at(left: str, right: str) -> int:
    """Where two lines part."""
    return next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _fields(one: Any, other: Any, path: str, deep: int = DEEPEST) -> Iterator[tuple[str, Any, Any]]:
    if deep and isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from _fields(one.get(key), other.get(key), f"{path}/{key}" if path else str(key), deep - 1)
    elif deep and isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _fields(a, b, f"{path}/{at}", deep - 1)
    elif not deep or one != other:
        yield path or "all of it", one, other


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line)), [])
    except csv.Error:  # a cell longer than any table has
        return [line]


def _short(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "nested deeper than can be shown"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
