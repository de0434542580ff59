"""How far a run is, read from its journal while it may still be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from cbtrun.errors import StageError
from cbtrun.run_folder import RunFolder
from cbtrun.run_lock import lock_of


def status_lines(folder: RunFolder) -> Iterator[str]:
    """Lines that say which stages are done, what the calls came to, and whether a process is at work."""
    if not folder.journal.exists():
        raise StageError(f"{folder.path}: no run folder of cbtrun (there is no {folder.journal.name} in it)")
    lock = lock_of(folder)
    pid = folder.held_by()
    state = f"running (process {pid})" if pid else "not running"
    yield f"{lock.get('study', folder.path.name)}: {state}; last started {lock.get('started', 'never')}"
    connection = sqlite3.connect(f"file:{folder.journal}?mode=ro", uri=True)
    for stage, units in connection.execute("SELECT stage, units FROM stages"):
        yield f"  {stage:<28} done, {units:,} records"
    query = """SELECT stage, model, count(*), sum(tokens_in), sum(tokens_out), coalesce(sum(usd), 0)
               FROM calls GROUP BY stage, model ORDER BY stage, model"""
    for stage, model, calls, tokens_in, tokens_out, usd in connection.execute(query):
        yield f"  {stage:<28} {model}: {calls:,} calls, {tokens_in:,} tokens in, {tokens_out:,} out, ${usd:,.2f}"
    faults = connection.execute("SELECT count(*) FROM faults").fetchone()[0]
    if faults:
        yield f"  {faults:,} failed tries are in the journal"
    connection.close()
