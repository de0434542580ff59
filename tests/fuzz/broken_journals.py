"""Journals and their exports with something wrong in them: pages, rows, tables, lines, packing."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from random import Random

from tests.fuzz.mutations import broken_bytes, broken_document, document_text
from tests.fuzz.project import RUN, copied

ODD = (
    None,
    -1,
    2**63 - 1,
    1e308,
    float("inf"),
    "",
    "\x1b[2J",
    "x" * 5_000,
    b"\xff\xfe",
    b"\xed\xa0\x80",
    "a\x00b",
    0.5,
    "nan",
    "9" * 400,
)
COLUMNS = {
    "calls": [
        "key",
        "stage",
        "model",
        "role",
        "attempt",
        "text",
        "tokens_in",
        "tokens_out",
        "finish",
        "usd",
        "seconds",
        "served",
        "thinking",
        "cached",
        "bought",
    ],
    "batches": ["batch", "vendor", "server", "stage", "model", "state", "id", "size", "done", "usd", "made", "note"],
    "draws": ["key", "batch", "about", "status", "body"],
    "stages": ["stage", "fingerprint", "output", "units", "code", "version"],
    "runs": ["started", "last"],
    "faults": ["key", "stage", "model", "role", "error", "label", "kind"],
    "about": ["key", "id"],
}
COMMANDS = (("journal", "check", RUN), ("journal", "export", RUN, "x.gz"), ("journal", "compact", RUN), ("status", RUN))


def break_journal(folder: Path, chance: Random) -> list[tuple[str, ...]]:
    """Copy the sound run and break its journal: bytes of the file, or values of its rows."""
    copied(folder)
    path = folder / RUN / "journal.sqlite"
    if chance.random() < 0.5:
        path.write_bytes(broken_bytes(path.read_bytes(), chance))
        if chance.random() < 0.2:
            Path(f"{path}-wal").write_bytes(chance.randbytes(4_128))
    else:
        _change_rows(path, chance)
    commands = [one for one in COMMANDS if chance.random() < 0.7]
    if chance.random() < 0.3:
        commands.append(("study.yaml",))
    if chance.random() < 0.15:
        commands.append(("report", RUN))
    return [*commands, ("journal", "import", RUN, "journal.gz")]


def _change_rows(path: Path, chance: Random) -> None:
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO faults VALUES ('k', 'ratings.own', 'rater', 'r', 'no', '', 'refused')")
        for _ in range(chance.choice((1, 2))):
            table = chance.choice(list(COLUMNS))
            what = chance.choice(("value", "value", "value", "value", "drop", "column", "trigger", "version"))
            if what == "value":
                column = chance.choice(COLUMNS[table])
                limit = "WHERE rowid % 2" if table == "faults" and chance.random() < 0.3 else ""
                connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ? {limit}", (chance.choice(ODD),))
            elif what == "drop":
                connection.execute(f"DROP TABLE {table}")
            elif what == "column":
                connection.execute(f"ALTER TABLE {table} ADD COLUMN more TEXT")
            elif what == "trigger":
                connection.execute(f"CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM calls; END")
            else:
                connection.execute(f"PRAGMA user_version = {chance.choice((0, 1, 2, 3, 99, -1))}")


def break_export(folder: Path, chance: Random) -> list[tuple[str, ...]]:
    """Copy the sound run and break an export of its journal, its digest made to fit again where its lines are broken."""
    copied(folder)
    path = folder / "journal.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines()
    if chance.random() < 0.7:
        documents = [json.loads(line) for line in lines]
        at = chance.randrange(len(documents))
        documents[at] = broken_document(documents[at], chance)
        changed = [document_text(one).encode("utf-8", "surrogatepass") for one in documents]
        path.write_bytes(gzip.compress(b"\n".join(_signed(changed, at)) + b"\n", mtime=0))
    elif chance.random() < 0.5:
        path.write_bytes(gzip.compress(broken_bytes(b"\n".join(lines) + b"\n", chance), mtime=0))
    else:
        path.write_bytes(broken_bytes(path.read_bytes(), chance))
    into = chance.choice((RUN, "runs/other"))
    return [("journal", "import", into, "journal.gz"), ("journal", "check", into), ("status", into)]


def _signed(lines: list[bytes], broken: int) -> Iterable[bytes]:
    """The lines with a foot that fits them, unless the foot is what is broken."""
    if broken == len(lines) - 1:
        return lines
    counted = hashlib.sha256()
    for line in lines[1:-1]:
        counted.update(line + b"\n")
    return [*lines[:-1], json.dumps({"calls": len(lines) - 2, "sha256": counted.hexdigest()}).encode()]
