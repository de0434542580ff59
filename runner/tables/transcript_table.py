"""Reads a file, a folder or a pattern of files as rows that know their line, by the reader of each file's ending."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.tables.file_set import files_of, is_pattern, session_names, told_by_name
from cbtrun.tables.readers import csv_rows, json_rows, parquet_rows, spoken_lines, subtitles
from cbtrun.tables.row import AS_FOUND, Reader, Row, Table, Writing
from cbtrun.tables.text_file import MOST_ROWS

READERS: dict[str, Reader] = {
    ".csv": csv_rows.rows,
    ".tsv": csv_rows.rows,
    ".tab": csv_rows.rows,
    ".json": json_rows.rows,
    ".jsonl": json_rows.lines,
    ".ndjson": json_rows.lines,
    ".parquet": parquet_rows.rows,
    ".txt": spoken_lines.rows,
    ".srt": subtitles.rows,
    ".vtt": subtitles.rows,
}
"""Ending of a file -> its reader. All but Parquet may be packed by gzip (`.jsonl.gz`)."""
TALKS = (".txt", ".srt", ".vtt")
"""Endings of files that are one session each."""
FILE = "file"
"""Column with the session's name, where each file is one session."""


def read_table(path: Path, writing: Writing = AS_FOUND) -> Table:
    """The rows of a file, or of all files of a folder or pattern, each with the column `file` then.

    Raises SpecError with file and line when something cannot be read.
    """
    if path.is_dir() or is_pattern(path):
        files = files_of(path)
        names = session_names(path, files)
        each: Iterator[Row] = (row for one in files for row in _of_session(one, names[one], writing))
    elif ending(path) in TALKS:
        each = _of_session(path, path.name.partition(".")[0], writing)
    else:
        each = _reader(path)(path, writing)
    rows = tuple(islice(each, MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        raise SpecError.at(path, f"more than {MOST_ROWS:,} rows; split it")
    if not rows:
        raise SpecError.at(path, "holds no rows")
    return Table(tuple(dict.fromkeys(column for row in rows for column in row.cells)), rows)


def ending(path: Path) -> str:
    """The ending that tells a file's format: `.jsonl` for t.jsonl.gz."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def _of_session(path: Path, name: str, writing: Writing) -> Iterator[Row]:
    """A file's rows with its name, and what the name tells."""
    told = told_by_name(Path(name).name, writing.file_name, path)
    for row in _reader(path)(path, writing):
        yield Row(row.line, {FILE: name, **told, **row.cells}, str(path))


def _reader(path: Path) -> Reader:
    reader = READERS.get(ending(path))
    if reader is None:
        what = f"unknown kind of file '{path.suffix}'; known: {', '.join(sorted(READERS))}"
        raise SpecError.at(path, f"{what}. A pattern names some files of a folder: `path: sessions/*.txt`")
    return reader


def told(cell: object, quote: str = "'") -> str:
    """A cell as messages show it: a short one in quotes. A longer one may be what somebody said, which goes into no log."""
    text = str(cell)
    return (
        f"{quote}{text}{quote}" if len(text) <= 24 and len(text.split()) <= 2 else f"a text of {len(text):,} characters"
    )
