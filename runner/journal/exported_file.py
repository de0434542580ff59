"""A journal's export, read as plain calls within bounds: it may come from anybody.

Gzip packs a thousand to one, so that a few kilobytes could fill a disk; a count below zero would lift a limit of the study
that imports it; half a character ends a run when it is sent. All of it is looked at before a row is used.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.errors import StageError
from cbtrun.journal.batch_book import BATCH_COLUMNS, STATES
from cbtrun.journal.columns import LAST_MOMENT
from cbtrun.journal.outcome_files import MOST_BYTES as LONGEST_FILE
from cbtrun.journal.outcome_files import KeptFile, may_be_kept
from cbtrun.journal.packed_lines import unpacked_lines
from cbtrun.journal.recorded import KeptModel, KeptOutcome, KeptSize, is_shallow

FORMAT = 3
FIELDS = [
    *("key", "stage", "model", "role", "attempt", "text", "tokens_in", "tokens_out", "finish", "usd", "seconds"),
    *("served", "thinking", "fingerprint", "asked", "arm", "at", "cached", "written", "thought", "bought"),
]
EMPTY = {
    "thinking": "",
    "fingerprint": "",
    "asked": "",
    "arm": "",
    "at": 0,
    "cached": 0,
    "written": 0,
    "thought": 0,
    "bought": "",
}
"""Written only where there is something: exports of earlier versions have none."""
DRAW_FIELDS = ["draw", "of", "status", "body"]
"""A draw that waits: its key, its batch, and what came for it so far. Whose words it holds is not told."""
TABLES = {"key": ("calls", FIELDS), "batch": ("batches", [*BATCH_COLUMNS]), "draw": ("draws", DRAW_FIELDS)}
"""First field of a line -> the table that it belongs to, and its fields."""
MOST_COUNT, MOST_USD, MOST_SECONDS = 10**12, 1e9, 1e9
LONGEST_NAME = 1_000
_KEY = re.compile(r"[0-9A-Za-z]{64}")


@dataclass(frozen=True)
class Waiting:
    """A batch that waits at a vendor, or a draw of one: its values in the order of the table's fields."""

    table: str
    row: list[Any]


Beside = KeptModel | KeptOutcome | KeptFile | KeptSize
Exported = Beside | Waiting | list[Any]
"""What a line holds; a list is a call, its values in the order of `FIELDS`."""
NAMES = {KeptModel: "model", KeptOutcome: "outcome", KeptFile: "file", KeptSize: "size"}
"""How a line that holds no call begins."""


def exported(source: Path) -> Iterator[tuple[int, Exported]]:
    """(line, what it holds) of an export. Raises StageError, at the latest after the last line, for a bad file."""
    try:
        yield from _entries(unpacked_lines(source), source)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, RecursionError) as error:
        what = str(error)[:200] or type(error).__name__
        raise StageError(f"{source}: cannot be read as a packed export ({what}); nothing was imported") from None


def _entries(lines: Iterator[bytes], source: Path) -> Iterator[tuple[int, Exported]]:
    if _parsed(next(lines, b"")) not in [{"cbtrun_journal": known} for known in range(1, FORMAT + 1)]:
        raise StageError(f"{source}: not an export of a journal that this version reads (format 1 to {FORMAT})")
    counted, tables = hashlib.sha256(), Counter[str]()
    for number, line in enumerate(lines, start=2):
        entry = _parsed(line)
        if isinstance(entry, dict) and "sha256" in entry:
            if entry != foot_of(tables, counted.hexdigest()):
                raise StageError(f"{source}: changed since it was written; nothing was imported")
            return
        counted.update(line)
        beside = _beside_calls(entry, source, number)
        if beside is not None:
            yield number, beside
            continue
        table, row = _row(entry, source, number)
        tables[table] += 1
        yield number, row if table == "calls" else Waiting(table, row)
    raise StageError(f"{source}: cut off; nothing was imported")


def _beside_calls(entry: Any, source: Path, number: int) -> Beside | None:
    """What a line holds that is no call; none for one that may be."""
    if not isinstance(entry, dict) or len(entry) != 1:
        return None
    ((what, told),) = entry.items()
    kinds: Mapping[str, tuple[Any, Mapping[str, Any]]] = {
        "model": (KeptModel, _OF_MODELS),
        "outcome": (KeptOutcome, _OF_OUTCOMES),
        "file": (KeptFile, _OF_FILES),
        "size": (KeptSize, {"prompt": _FITS["key"], "tokens": _COUNT}),
    }
    if what not in kinds:
        return None
    kind, fitting = kinds[what]
    if not isinstance(told, dict) or {*told} != {*fitting}:
        raise StageError(f"{source}:{number}: expected a {what} with {', '.join(fitting)}; nothing was imported")
    for name, (words, fits) in fitting.items():
        if not fits(told[name]):
            raise StageError(f"{source}:{number}: '{name}' must be {words}; nothing was imported")
    found: Beside = kind(**told)
    return found


def _parsed(line: bytes) -> Any:
    return json.loads(line, parse_constant=_refused) if line.strip() else None


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON's")


def _row(entry: Any, source: Path, number: int) -> tuple[str, list[Any]]:
    """The table of a line, and its values in the order of the table's fields."""
    first = next(iter(entry), "") if isinstance(entry, dict) else ""
    table, fields = TABLES.get(first, TABLES["key"])
    empty = EMPTY if table == "calls" else {}
    if not isinstance(entry, dict) or list(entry) != [name for name in fields if name not in empty or name in entry]:
        raise StageError(f"{source}:{number}: expected a call with {', '.join(FIELDS)}; nothing was imported")
    entry = {**empty, **entry}
    for name in fields:
        kind, fits = _FITS.get(name, _NAME)
        if not fits(entry[name]):
            raise StageError(f"{source}:{number}: '{name}' must be {kind}; nothing was imported")
    return table, [entry[name] for name in fields]


def foot_of(tables: Mapping[str, int], digest: str) -> dict[str, Any]:
    """The last line: how many calls there are, batches and draws where there are any, and SHA-256 over all between."""
    pending = {name: tables.get(name, 0) for name in ("batches", "draws")} if tables.get("batches") else {}
    return {"calls": tables.get("calls", 0), **pending, "sha256": digest}


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNT


def _amount(value: object, most: float) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most and math.isfinite(value)
    )


def _text(value: object) -> bool:
    """Whether it is a text that a file can hold: no half of a character."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


_COUNT = (f"a whole number from 0 to {MOST_COUNT:,}", _whole)
_WORDS = ("a text", _text)
_NAME = (f"a text of at most {LONGEST_NAME:,} characters", lambda value: _text(value) and len(value) <= LONGEST_NAME)
_KEYED = ("64 letters and digits", lambda value: isinstance(value, str) and _KEY.fullmatch(value) is not None)
_MOMENT = (f"a moment from 0 to {LAST_MOMENT:,.0f}", lambda value: _amount(value, LAST_MOMENT))
_FITS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("key", "draw"), _KEYED),
    "state": (f"one of {', '.join(STATES)}", lambda value: value in STATES),
    "usd": (f"nothing, or a number from 0 to {MOST_USD:,.0f}", lambda value: value is None or _amount(value, MOST_USD)),
    **dict.fromkeys(("at", "made", "sent", "ended"), _MOMENT),
    "seconds": (f"a number from 0 to {MOST_SECONDS:,.0f}", lambda value: _amount(value, MOST_SECONDS)),
    **dict.fromkeys(("attempt", "tokens_in", "tokens_out", "cached", "written", "thought"), _COUNT),
    **dict.fromkeys(("size", "done", "status"), _COUNT),
    **dict.fromkeys(("text", "thinking", "body"), _WORDS),
}


def _mapping(value: object) -> bool:
    return isinstance(value, dict) and is_shallow(value) and _text(json.dumps(value, ensure_ascii=False))


_MAPPING = ("a mapping of plain values", _mapping)
_OF_MODELS: Mapping[str, Any] = {
    "name": _NAME,
    "block": _MAPPING,
    "identity": _MAPPING,
    "code": _NAME,
    "plugin": _NAME,
    "version": _NAME,
    "at": _MOMENT,
}
_OF_OUTCOMES: Mapping[str, Any] = {"stage": _NAME, "said": _MAPPING, "output": _NAME, "units": _COUNT}
_OF_FILES: Mapping[str, Any] = {
    "path": ("a small file of an adapter", lambda value: isinstance(value, str) and may_be_kept(value)),
    "text": (
        f"a text of at most {LONGEST_FILE:,} bytes",
        lambda value: _text(value) and len(value.encode()) <= LONGEST_FILE,
    ),
}
