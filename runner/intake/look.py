"""A file, a folder or a pattern, opened as a study would open it: the rows, and what must be said so that they are read."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.intake.encodings import guessed_encoding, refuse_two_encodings
from cbtrun.intake.first_bytes import refuse_strange_bytes, refuse_too_much
from cbtrun.intake.harmless import counted, harmless
from cbtrun.tables.file_set import files_of, is_pattern
from cbtrun.tables.formats import READERS, opened
from cbtrun.tables.row import Table, Writing
from cbtrun.tables.source import ending
from cbtrun.tables.transcript_table import PACKED, read_table

NOT_OURS = ("readme", "license", "licence", "changelog", "citation")
"""Names of files in a folder of data that hold no session."""
SEPARATORS = (";", ",", "\t", "|")


@dataclass(frozen=True)
class Looked:
    """What was found at a place."""

    path: Path
    """File, folder or pattern, as the study has to name it."""
    files: tuple[Path, ...]
    table: Table
    writing: Writing
    said: tuple[str, ...] = ()
    """What was found out or guessed on the way, in sentences."""
    left_out: tuple[str, ...] = ()
    """Files that the study will not read, and why."""

    @property
    def is_folder(self) -> bool:
        """Whether each file is a session."""
        return len(self.files) > 1 or self.path.is_dir()


def look(path: Path, writing: Writing) -> Looked:
    """The rows at a path. writing: what the user says of how it is written.

    Raises SpecError for what is not there, is of no known kind, or cannot be read.
    """
    if not (path.is_dir() or path.is_file() or is_pattern(path)):
        there = "is neither a file nor a folder" if path.exists() else "no such file or folder"
        raise SpecError.at(path, there)
    named, files, left_out = (path, [path], ()) if path.is_file() else _of_folder(path)
    empty = [file for file in files if len(files) > 1 and not file.stat().st_size]
    for file in files:
        if file not in empty:
            refuse_strange_bytes(file)
    refuse_too_much(path, files)
    table, writing, said = _read(named, files, writing)
    with_rows = {row.file for row in table.rows}
    blank = [file for file in files if len(files) > 1 and str(file) not in with_rows]
    if blank:
        left_out = (*left_out, f"{counted(len(blank), 'file')} with nothing said: {_names(blank)}")
    return Looked(named, tuple(files), table, writing, said, left_out)


def _names(files: Sequence[Path]) -> str:
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    return ", ".join(harmless(one.name, 40) for one in files[:3]) + more


def _of_folder(path: Path) -> tuple[Path, list[Path], tuple[str, ...]]:
    """The path that a study names for a folder or pattern, the files that it means, and those that it leaves out."""
    every = files_of(path)
    known = [one for one in every if ending(one) in (*READERS, PACKED) and not one.stem.casefold().startswith(NOT_OURS)]
    if not known:
        kinds = ", ".join(sorted({one.suffix or one.name for one in every})[:6])
        what = f"no file of a known kind in it ({harmless(kinds)}); known: {', '.join(sorted(READERS))}"
        raise SpecError.at(path, what)
    if len(known) == len(every) or is_pattern(path):
        return path, every, ()
    suffix = Counter(_suffix(one) for one in known).most_common(1)[0][0]
    kept = [one for one in known if _suffix(one) == suffix]
    depths = {len(one.relative_to(path).parts) for one in kept}
    if len(depths) > 1:
        what = f"holds files of other kinds at several depths; name one kind, e.g. '{path}/*{suffix}'"
        raise SpecError.at(path, what)
    pattern = Path(glob.escape(str(path)), *["*"] * (depths.pop() - 1), f"*{suffix}")
    means = files_of(pattern)
    others = [one for one in every if one not in {*means}]
    return pattern, means, (f"{counted(len(others), 'file')} of another kind: {_names(others)}",)


def _suffix(path: Path) -> str:
    return "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix


def _read(path: Path, files: Sequence[Path], writing: Writing) -> tuple[Table, Writing, tuple[str, ...]]:
    """The rows, with the encoding found where it is none of Unicode's."""
    try:
        return read_table(path, writing), writing, ()
    except SpecError as error:
        if writing.encoding or "not UTF-8" not in str(error):
            raise
        strange = Path(error.problems[0].place.file)
        if not strange.is_file():  # a member of a zip
            raise
    encoding = guessed_encoding(strange)
    if len(files) > 1:
        refuse_two_encodings(files)
    guess = (
        f"A GUESS: the encoding is {encoding}, by the letters that it makes; look at the words below. "
        "--encoding NAME says another"
    )
    said = replace(writing, encoding=encoding)
    return read_table(path, said), said, (guess,)


def separators(error: SpecError) -> tuple[str, ...]:
    """The separators that a table's columns may be parted by, where its reader could not tell; none for other errors."""
    return tuple(mark for mark in SEPARATORS if repr(mark) in str(error)) if "may be parted by" in str(error) else ()


def format_of(looked: Looked) -> str:
    """The formats of the files, as the list of formats calls them; a JSON document's by what is in the first."""
    kinds = list(dict.fromkeys(map(ending, looked.files)))
    if kinds == [".json"]:
        return opened(looked.files[0], looked.writing).name
    return ", ".join(dict.fromkeys("zip" if kind == PACKED else READERS[kind].name for kind in kinds if kind))
