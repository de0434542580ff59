"""Reads a file, a folder, a pattern of files or a zip of them as rows that know their line, by the reader of each format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePath

from cbtrun.errors import SpecError
from cbtrun.tables.archive import members_of
from cbtrun.tables.file_set import below_home, distinct_names, files_of, is_pattern, told_by_name
from cbtrun.tables.formats import opened
from cbtrun.tables.row import AS_FOUND, MOST_ROWS, Row, Table, Writing
from cbtrun.tables.source import Source, ending

FILE = "file"
"""Column with the session's name, where each file is one session."""
PACKED = ".zip"


def read_table(path: Path, writing: Writing = AS_FOUND) -> Table:
    """The rows of a file, or of all files of a folder, pattern or zip, each with the column `file` then.

    A zip of one table is that table. Raises SpecError with file and line when something cannot be read.
    """
    several = path.is_dir() or is_pattern(path)
    each = _of_files(_sources(path), path, writing) if several or ending(path) == PACKED else _of_file(path, writing)
    rows = tuple(islice(each, MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        raise SpecError.at(path, f"more than {MOST_ROWS:,} rows; split it")
    if not rows:
        raise SpecError.at(path, "holds no rows")
    return Table(tuple(dict.fromkeys(column for row in rows for column in row.cells)), rows)


def _of_file(source: Source, writing: Writing) -> Iterator[Row]:
    """A file's rows: as a session of its own name where its format has one in each file."""
    _, is_talk, rows = opened(source, writing)
    yield from _named(source, rows, source.name.partition(".")[0], writing) if is_talk else rows


def _sources(path: Path) -> Iterator[tuple[PurePath, Source]]:
    """Each file with its path below the folder or archive. A zip among the files of a folder gives its members."""
    if not (path.is_dir() or is_pattern(path)):
        yield from ((one.inside, one) for one in members_of(path))
        return
    for file in files_of(path):
        below = below_home(file, path)
        if ending(file) == PACKED:
            yield from ((below.with_suffix("") / one.inside, one) for one in members_of(file))
        else:
            yield below, file


def _of_files(sources: Iterable[tuple[PurePath, Source]], path: Path, writing: Writing) -> Iterator[Row]:
    """All rows. Names are known when all files are, and a member's content is let go once its rows are read."""
    read: list[tuple[PurePath, str, bool, list[Row]]] = []
    for below, source in sources:
        _, is_talk, rows = opened(source, writing)
        read.append((below, str(source), is_talk, list(rows)))
    if len(read) == 1 and ending(path) == PACKED and not read[0][2]:
        yield from (Row(row.line, row.cells) for row in read[0][3])
        return
    names = distinct_names([below for below, _, _, _ in read])
    for (_, file, _, held), name in zip(read, names, strict=True):
        yield from _named(file, held, name, writing)


def _named(file: object, rows: Iterable[Row], name: str, writing: Writing) -> Iterator[Row]:
    """A file's rows with its name, and what the name tells."""
    told = told_by_name(PurePath(name).name, writing.file_name, str(file))
    for row in rows:
        yield Row(row.line, {FILE: name, **told, **row.cells}, str(file))


def told(cell: object, quote: str = "'") -> str:
    """A cell as messages show it: a short one in quotes. A longer one may be what somebody said, which goes into no log."""
    text = str(cell)
    return (
        f"{quote}{text}{quote}" if len(text) <= 24 and len(text.split()) <= 2 else f"a text of {len(text):,} characters"
    )
