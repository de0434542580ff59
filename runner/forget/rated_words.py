"""Words of one person in what raters marked and wrote: taken out of the files of `cbtrun rate`. Scores stay."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator
from pathlib import Path

from cbtrun.files.csv_cells import bare_cell
from cbtrun.files.plain_files import write_parts
from cbtrun.files.record_list import bounded_lines

FOLDER = "rated"
WORDED = ("quotes", "comment", "why")
"""Kinds of entries that may hold words of a session."""


def remove_rated_words(run_folder: Path, sessions: Collection[str]) -> Iterator[str]:
    """Take out quotes and comments on these sessions, and the tables that were made of them; gives the files' names.

    A file whose keys are gone cannot say whose words it holds: all of its quotes and comments go.
    """
    folder = run_folder / FOLDER
    if not folder.is_dir():
        return
    theirs, known = _codes(run_folder, sessions)
    for path in sorted(folder.glob("*/*.jsonl")):
        lines = list(bounded_lines(path))
        kept = [line for line in lines if not _is_worded(line, path.parent.name, theirs, known)]
        if len(kept) < len(lines):
            write_parts(path, (line.rstrip(b"\n") + b"\n" for line in kept))
            yield path.relative_to(run_folder).as_posix()
    for path in sorted(folder.glob("*.csv")):
        path.unlink()
        yield path.relative_to(run_folder).as_posix()


def _codes(run_folder: Path, sessions: Collection[str]) -> tuple[set[tuple[str, str]], set[str]]:
    """(sheet, code) of the sessions and pairs that are theirs, and the sheets whose key is there."""
    theirs: set[tuple[str, str]] = set()
    known: set[str] = set()
    for path in sorted(run_folder.glob("sheet-key*.csv")):
        for row in _rows(path):
            known.add(row.get("sheet", ""))
            if row.get("session") in sessions:
                theirs.add((row.get("sheet", ""), row.get("code", "")))
    for row in _rows(run_folder / "preference-key.csv"):
        if row.get("session_a") in sessions or row.get("session_b") in sessions:
            theirs |= {(sheet, row.get("code", "")) for sheet in known}
    return theirs, known


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.is_file():
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                yield {name: bare_cell(cell) for name, cell in row.items() if name and isinstance(cell, str)}


def _is_worded(line: bytes, sheet: str, theirs: Collection[tuple[str, str]], known: Collection[str]) -> bool:
    try:
        place = json.loads(line)["place"]
        kind, code = place.split("/")[:2]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    return kind in WORDED and ((sheet, code) in theirs or sheet not in known)
