"""What one rater entered: a line a change, on the disk before the page calls it saved, in one file for each rater.

A change sets one place (`score/S03/agenda`) to a value; the last one counts, and what was there before stays in the file. Changes
come from a browser: each is checked against what the page asks, and a file, a line and a request have an end.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.errors import SpecError, StageError
from cbtrun.files.plain_files import open_plain
from cbtrun.people.human_ratings import ScoreError, item_score

if TYPE_CHECKING:
    from cbtrun.humans.task import Task

FOLDER = "rated"
"""Of the run folder: what people entered."""
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
"""The code of a rater: the name of a file and a part of an address, so letters, digits, - and _ alone."""
MOST_CHANGES, LONGEST_TEXT, LONGEST_LINE, LARGEST_FILE = 200, 4_000, 512 * 1024, 64 * 2**20
MOST_QUOTES, MOST_BREAKS, MOST_SECONDS = 20, 1_000, 10_000_000
CHOICES = ("", "a", "b", "same")

Value = Any
"""A text, a number, a list of quotes or a list of breaks: what `checked_change` lets through."""


class ChangeError(ValueError):
    """A change that the page cannot have made."""


@dataclass
class Entries:
    """What a rater's file says."""

    values: dict[str, Value] = field(default_factory=dict)
    """Place -> value, the last one."""
    times: dict[str, str] = field(default_factory=dict)
    """Place -> when it was last set, in UTC."""
    headers: list[dict[str, Any]] = field(default_factory=list)
    """What the rater was shown, each time that it changed: order, sides, consent text."""


def checked_change(task: Task, change: object) -> tuple[str, Value]:
    """The place and value of a change. Raises ChangeError for anything that this rater's page does not ask."""
    if not isinstance(change, Mapping) or set(change) != {"place", "value"} or not isinstance(change["place"], str):
        raise ChangeError("a change has a place and a value")
    place, value = change["place"], change["value"]
    kind, *where = place.split("/")
    check = _CHECKS.get(kind)
    if check is None or len(place) > 200:
        raise ChangeError(f"no such place: {place[:60]}")
    check(task, where, value)
    return place, value


def _score(task: Task, where: Sequence[str], value: Value) -> None:
    _in_session(task, where)
    try:
        item_score(task.rubric.item(where[1]), _text(value))
    except ScoreError as error:
        raise ChangeError(f"{'/'.join(where)}: {error}") from None


def _comment(task: Task, where: Sequence[str], value: Value) -> None:
    _in_session(task, where)
    _text(value)


def _quotes(task: Task, where: Sequence[str], value: Value) -> None:
    turns = _in_session(task, where)
    if not isinstance(value, list) or len(value) > MOST_QUOTES:
        raise ChangeError(f"quotes are a list of {MOST_QUOTES} at most")
    for quote in value:
        if not isinstance(quote, Mapping) or set(quote) != {"turn", "text"} or type(quote["turn"]) is not int:
            raise ChangeError("a quote has a turn and a text")
        text = _text(quote["text"])
        if not text or not 1 <= quote["turn"] <= len(turns) or text not in turns[quote["turn"] - 1][1]:
            raise ChangeError(f"turn {quote['turn']} does not say so")


def _choice(task: Task, where: Sequence[str], value: Value) -> None:
    _of_pair(task, where)
    if value not in CHOICES:
        raise ChangeError("a choice is a, b or same")


def _why(task: Task, where: Sequence[str], value: Value) -> None:
    _of_pair(task, where)
    _text(value)


def _seconds(task: Task, where: Sequence[str], value: Value) -> None:
    if len(where) != 1 or where[0] not in task.screens:
        raise ChangeError("no such screen")
    _duration(value)


def _breaks(_: Task, where: Sequence[str], value: Value) -> None:
    if where or not isinstance(value, list) or len(value) > MOST_BREAKS:
        raise ChangeError(f"breaks are a list of {MOST_BREAKS} at most")
    for one in value:
        if not isinstance(one, list) or len(one) != 2 or len(_text(one[0])) > 40:
            raise ChangeError("a break has a start and seconds")
        _duration(one[1])


def _said_once(_: Task, where: Sequence[str], value: Value) -> None:
    if where or len(_text(value)) > 80:
        raise ChangeError("a short text")


def _screen(task: Task, where: Sequence[str], value: Value) -> None:
    if where or value not in task.screens:
        raise ChangeError("no such screen")


_CHECKS: Mapping[str, Callable[[Any, Sequence[str], Value], None]] = {
    "score": _score,
    "comment": _comment,
    "quotes": _quotes,
    "choice": _choice,
    "why": _why,
    "seconds": _seconds,
    "breaks": _breaks,
    "consent": _said_once,
    "feedback": _said_once,
    "screen": _screen,
}


def _in_session(task: Task, where: Sequence[str]) -> Sequence[tuple[str, str]]:
    """The turns of the session that a place names, with an item of the rubric behind it."""
    if len(where) != 2 or where[0] not in task.talks or all(item.id != where[1] for item in task.rubric.items):
        raise ChangeError(f"no such session or item: {'/'.join(where)[:60]}")
    return task.talks[where[0]]


def _of_pair(task: Task, where: Sequence[str]) -> None:
    if len(where) != 1 or all(pair.code != where[0] for pair in task.pairs):
        raise ChangeError("no such pair")


def _text(value: Value) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ChangeError(f"a text of {LONGEST_TEXT} characters at most is expected")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ChangeError("half a character") from None
    return value


def _duration(value: Value) -> None:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= MOST_SECONDS:
        raise ChangeError("seconds are a number")


def entries_file(run_folder: Path, sheet: str, rater: str) -> Path:
    """Where a rater's changes on one drawn sheet are. Raises StageError for what is no code."""
    if not CODE.fullmatch(rater):
        raise StageError(
            f"'{rater}' is no code of a rater: letters, digits, - and _, 40 at most, beginning with a letter or digit"
        )
    return run_folder / FOLDER / sheet / f"{rater}.jsonl"


def read_entries(path: Path) -> Entries:
    """What a file of changes says; nothing where there is none. A last line that a kill cut off was never called saved.

    Raises SpecError for a whole line that is none of ours.
    """
    found = Entries()
    if not path.exists():
        return found
    for number, line in enumerate(_whole_lines(path), start=1):
        try:
            told = json.loads(line)
            place, value, at = (told[key] for key in ("place", "value", "at")) if "place" in told else ("", told, "")
        except (ValueError, TypeError, KeyError, RecursionError):
            raise SpecError.at(path, "no change of a rating page", line=number) from None
        if not isinstance(place, str) or not isinstance(at, str) or not isinstance(told, dict):
            raise SpecError.at(path, "no change of a rating page", line=number)
        if place:
            found.values[place] = value
            found.times[place] = at
        else:
            found.headers.append(told)
    return found


def _whole_lines(path: Path) -> Iterator[bytes]:
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise SpecError.at(path, f"larger than {LARGEST_FILE // 2**20} MiB")
    return iter(content.split(b"\n")[:-1])


def append_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Add lines to a rater's file and wait until they are on the disk. Raises StageError when the file is full.

    What a kill left of a line without an end is cut off first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = open_plain(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = os.fstat(opened).st_size
        end = _end_of_lines(opened, size)
        text = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
        if end + len(text) > LARGEST_FILE:
            raise StageError(f"{path}: is full ({LARGEST_FILE // 2**20} MiB)")
        if end != size:
            os.ftruncate(opened, end)
        written = 0
        while written < len(text):
            written += os.pwrite(opened, text[written:], end + written)
        os.fsync(opened)
    finally:
        os.close(opened)
    if not size:
        _sync_folder(path.parent)


def _end_of_lines(opened: int, size: int) -> int:
    """Where the last whole line ends."""
    tail = os.pread(opened, min(size, LONGEST_LINE), max(0, size - LONGEST_LINE))
    return size - len(tail) + tail.rfind(b"\n") + 1


def _sync_folder(folder: Path) -> None:
    """A new file is there after a power cut only when its folder is on the disk, too."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def now() -> str:
    """The time as it is kept, in UTC to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
