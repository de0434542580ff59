"""Journals between people: `cbtrun journal export`, `import`, `check` and `compact`.

An export is packed JSON lines: a head, what the replies rest on (recorded.py), one line for each call sorted by stage, role,
model and key, one for each batch that waits at a vendor and each of its draws, and a foot with their count and digest. Same calls, same bytes. It holds replies and what they were counted as:
no key of a server, no header, no request, no weight.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cbtrun.contract.stage_kinds import STAGES
from cbtrun.errors import StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.columns import odd_values
from cbtrun.journal.exported_file import EMPTY, FIELDS, FORMAT, NAMES, Beside, Waiting, exported, foot_of
from cbtrun.journal.outcome_files import KeptFile, check_room, files_of, put_back
from cbtrun.journal.packed_lines import write_packed
from cbtrun.journal.pending_lines import Pending, add_batch, add_draw, leave_answered, pending_lines
from cbtrun.journal.recorded import (
    MODEL_COLUMNS,
    OUTCOME_COLUMNS,
    SIZE_COLUMNS,
    KeptModel,
    KeptOutcome,
    KeptSize,
    models_in,
    outcomes_in,
    sizes_in,
)
from cbtrun.journal.salvage import salvage_rows
from cbtrun.journal.tables import columns_there, connect, connect_to_read, faults_in_file
from cbtrun.journal.trouble import told

ORDER = "stage, role, model, key"
"""Replies of one kind beside each other: they pack to three quarters."""


@dataclass(frozen=True)
class Exported:
    """What an export came to."""

    calls: int
    models: int = 0
    """Models whose identity it holds, so that their calls are found where they cannot be opened."""
    adapters: int = 0
    """Tunings whose outcome it holds."""
    batches: int = 0
    """Batches that wait, or whose answers are not all among the calls yet."""
    draws: int = 0
    """Draws of those."""
    unreadable: int = 0
    """Calls of a damaged journal that are there, with bytes that are no text."""
    gaps: int = 0
    """Stretches of a damaged journal that cannot be read."""


@dataclass(frozen=True)
class Imported:
    """What an import came to."""

    added: int
    known: int
    """Calls that the journal had already."""
    models: int = 0
    adapters: int = 0
    draws: int = 0
    """Draws that wait in batches."""


def export_journal(folder: RunFolder, target: Path, *, overwrite: bool = False) -> Exported:
    """Write the journal's calls to a file; of a damaged journal those that can be read.

    Raises StageError when there is no journal, nothing in it can be read, or the file is there and not to be replaced.
    """
    if target.exists() and not overwrite:
        raise StageError(f"{target}: is there already; name another file, or replace it with --overwrite")
    try:
        with closing(_reading(folder)) as connection, told(folder.journal):
            columns = ", ".join(columns_there(connection, FIELDS))
            rows = connection.execute(f"SELECT {columns} FROM calls ORDER BY {ORDER}")
            beside = [*models_in(connection), *_outcomes(folder, connection), *sizes_in(connection)]
            return _write_export(target, rows, beside, pending_lines(connection))
    except StageError as error:
        if not isinstance(error.__cause__, sqlite3.Error):
            raise
    saved, unreadable, gaps = salvage_rows(folder.journal, FIELDS)
    if not saved:
        raise StageError(f"{folder.journal}: damaged, and nothing in it can be read; no file was written")
    return replace(_write_export(target, saved), unreadable=unreadable, gaps=gaps)


def _outcomes(folder: RunFolder, connection: sqlite3.Connection) -> Iterator[KeptOutcome | KeptFile]:
    """The outcomes whose records lie in the run folder as they were noted, each with its files."""
    for outcome in outcomes_in(connection):
        block, _, name = outcome.stage.partition(".")
        files = list(files_of(folder, outcome, STAGES[block].output.format(name=name))) if block in STAGES else []
        if files:
            yield outcome
            yield from files


def _write_export(
    target: Path, rows: Iterable[Sequence[object]], beside: Sequence[Beside] = (), pending: Iterable[Pending] = ()
) -> Exported:
    counted, tables = hashlib.sha256(), Counter[str]()

    def entries() -> Iterator[tuple[str, dict[str, object]]]:
        for one in beside:
            yield "beside", {NAMES[type(one)]: asdict(one)}
        for row in rows:
            call = dict(zip(FIELDS, row, strict=True))
            yield "calls", {name: call[name] for name in FIELDS if name not in EMPTY or call[name]}
        yield from pending

    def lines() -> Iterator[bytes]:
        yield _line({"cbtrun_journal": FORMAT})
        for table, entry in entries():
            line = _line(entry)
            counted.update(line)
            tables[table] += 1
            yield line
        yield _line(foot_of(tables, counted.hexdigest()))

    write_packed(target, lines())
    models = {one.name for one in beside if isinstance(one, KeptModel)}
    outcomes = sum(isinstance(one, KeptOutcome) for one in beside)
    return Exported(tables["calls"], len(models), outcomes, tables["batches"], tables["draws"])


def import_journal(folder: RunFolder, source: Path) -> Imported:
    """Add an export's calls to the journal of a run folder, made if need be: all of them or none.

    Raises StageError for a file that is no whole export, or a call that the journal has with another reply.
    """
    with folder.locked():
        connection = connect(folder.journal)
        try:
            with told(folder.journal), connection:
                return _add_all(connection, folder, source)
        finally:
            connection.close()


def check_journal(folder: RunFolder) -> list[str]:
    """What is wrong with a journal; empty when it is sound."""
    with closing(_reading(folder)) as connection, told(folder.journal):
        found = faults_in_file(connection, thorough=True)
        if not found:
            odd = connection.execute("SELECT count(*) FROM calls WHERE length(key) <> 64").fetchone()[0]
            found += [f"{odd:,} calls have a key of another length"] if odd else []
            there = {name: name == "usd" for name in FIELDS if name in columns_there(connection, FIELDS)}
            wrong = connection.execute(odd_values("calls", there)).fetchone()[0]
            found += [f"{wrong:,} calls hold a value of another kind than its column's"] if wrong else []
            broken = _calls_that_are_no_text(connection)
            found += [f"{broken:,} calls hold bytes that are no text (UTF-8)"] if broken else []
        return found


def _calls_that_are_no_text(connection: sqlite3.Connection) -> int:
    connection.text_factory = bytes
    count = 0
    for row in connection.execute(f"SELECT {', '.join(columns_there(connection, FIELDS))} FROM calls"):
        try:
            b"".join(one for one in row if isinstance(one, bytes)).decode()
        except UnicodeDecodeError:
            count += 1
    return count


def compact_journal(folder: RunFolder) -> tuple[int, int]:
    """Take the free pages out of a journal's file. Returns its bytes before and after."""
    if not folder.journal.exists():
        raise _missing(folder)
    with folder.locked():
        before = _size(folder)
        with closing(connect(folder.journal)) as connection, told(folder.journal):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return before, _size(folder)


def _add_all(connection: sqlite3.Connection, folder: RunFolder, source: Path) -> Imported:
    """Within one transaction; files are written last, and stand for nothing until it is committed."""
    added = known = draws = 0
    names, outcomes, files = set(), 0, list[KeptFile]()
    for number, entry in exported(source):
        if isinstance(entry, KeptModel):
            names.add(entry.name)
            connection.execute(_insert("models", MODEL_COLUMNS), entry.row())
        elif isinstance(entry, KeptOutcome):
            outcomes += 1
            connection.execute(_insert("outcomes", OUTCOME_COLUMNS), entry.row())
        elif isinstance(entry, KeptSize):
            connection.execute(_insert("sizes", SIZE_COLUMNS), entry.row())
        elif isinstance(entry, KeptFile):
            files.append(entry)
        elif isinstance(entry, Waiting) and entry.table == "batches":
            add_batch(connection, entry.row)
        elif isinstance(entry, Waiting):
            draws += add_draw(connection, entry.row, f"{source}:{number}")
        elif _add(connection, entry, f"{source}:{number}"):
            added += 1
        else:
            known += 1
    check_room(folder, files)
    put_back(folder, files)
    return Imported(added, known, len(names), outcomes, draws - leave_answered(connection))


def _insert(table: str, columns: Sequence[str]) -> str:
    """SQL: a row, unless the journal has its like."""
    return f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _add(connection: sqlite3.Connection, row: Sequence[Any], place: str) -> bool:
    """Whether a call is new. Raises StageError where the journal has another reply to it."""
    kept = connection.execute("SELECT text, finish FROM calls WHERE key = ?", (row[0],)).fetchone()
    if kept is None:
        connection.execute(_insert("calls", FIELDS), row)
    elif kept != (row[5], row[8]):
        raise StageError(f"{place}: the journal has another reply to this call; nothing was imported")
    return kept is None


def _line(entry: Any) -> bytes:
    return (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _reading(folder: RunFolder) -> sqlite3.Connection:
    if not folder.journal.exists():
        raise _missing(folder)
    return connect_to_read(folder.journal)


def _missing(folder: RunFolder) -> StageError:
    return StageError(f"{folder.path}: no run folder of cbtrun (there is no {folder.journal.name} in it)")


def _size(folder: RunFolder) -> int:
    wal = folder.journal.with_name(folder.journal.name + "-wal")
    return folder.journal.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
