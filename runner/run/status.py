"""How far a run is, read from its journal while it may still be written."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from cbtrun.errors import StageError
from cbtrun.files.disks import disk_of
from cbtrun.files.folder_hold import Holder
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.batch_book import BATCH
from cbtrun.journal.columns import LAST_MOMENT, WORKED, cast_of, sum_of
from cbtrun.journal.journal import moved_in, retries_in
from cbtrun.journal.pending import pending_batches, pending_words
from cbtrun.journal.served import drifts, served_in
from cbtrun.journal.tables import connect_to_read, has_column
from cbtrun.journal.trouble import told
from cbtrun.run.progress_line import duration, stage_line, to_come_line
from cbtrun.run.run_list import stages_of
from cbtrun.run.running import InProgress, in_progress
from cbtrun.run.study_lock import lock_of


def status_lines(folder: RunFolder) -> Iterator[str]:
    """Lines that say which stages are done, what the calls came to, and whether a process is at work."""
    if not folder.journal.exists():
        raise StageError(f"{folder.path}: no run folder of cbtrun (there is no {folder.journal.name} in it)")
    lock = lock_of(folder)
    holder = folder.held_by()
    at_work = holder is not None and not holder.is_silent
    yield f"{lock.get('study', folder.path.name)}: {_state(holder)}; last started {lock.get('started', 'never')}"
    yield from _where_lines(lock.get("where") or {})
    if (disk := disk_of(folder.path)).shared:
        yield f"  folder on {disk.words}: journal without WAL, held by a lease"
    if at_work:
        yield from _now_lines(in_progress(folder.progress, time.time()))
    with closing(connect_to_read(folder.journal)) as connection, told(folder.journal):
        if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'stages'").fetchone()[0]:
            yield from _stage_lines(folder, working=at_work)
            yield from _journal_lines(connection)


def _state(holder: Holder | None) -> str:
    if holder is None:
        return "not running"
    if holder.is_silent:
        return f"not running: {holder.words} held it and was not heard of for {duration(holder.silent_seconds)}"
    heard = f", last heard of {duration(holder.silent_seconds)} ago" if holder.host else ""
    return f"running ({holder.words}{heard})"


def _where_lines(where: Mapping[str, Any]) -> Iterator[str]:
    """Where it runs, or ran last, where that is not this machine alone."""
    machines = where.get("machines")
    if isinstance(machines, list):
        gpus = sum(one.get("gpus", 0) for one in machines if isinstance(one, dict) and isinstance(one.get("gpus"), int))
        there = ", ".join(f"{one.get('host')}" for one in machines[:8] if isinstance(one, dict))
        yield f"  on {where.get('on')}: {len(machines)} machine{'s' * (len(machines) != 1)} ({there}), {gpus} GPUs"


def _now_lines(told: InProgress) -> Iterator[str]:
    """A line for each stage in progress, and the stages to come."""
    for note in told.notes:
        yield f"  now: {stage_line(note, told.seconds[note.stage], told.left.get(note.stage))}"
    if line := to_come_line(told.to_come):
        yield f"  {line}"


def _stage_lines(folder: RunFolder, *, working: bool) -> Iterator[str]:
    """The stages that are done, in the order of the study, and those that are not, where no process says so itself."""
    done, to_do = stages_of(folder)
    for stage, units in done.items():
        yield f"  {stage:<28} done, {units:,} record{'s' * (units != 1)}"
    if to_do and not working:
        yield f"  to do: {', '.join(to_do)}; the same command goes on"


def _journal_lines(connection: sqlite3.Connection) -> Iterator[str]:
    sums = ", ".join(map(sum_of, ("tokens_in", "tokens_out", "usd")))
    query = (
        f"""SELECT {cast_of("stage")}, {cast_of("model")}, count(*), {sums} FROM calls GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    for stage, model, calls, tokens_in, tokens_out, usd in connection.execute(query):
        cost = f", ${usd:,.2f}" if usd else ""  # nobody knows the price of a model without `prices`
        yield f"  {stage:<28} {model}: {calls:,} call{'s' * (calls != 1)}, {tokens_in:,} tokens in, {tokens_out:,} out{cost}"
    if has_column(connection, "calls", "bought"):
        yield from _bought_lines(connection)
    for batch, left in pending_batches(connection):
        yield f"  {batch.stage:<28} {pending_words(batch, left, time.time())}"
    for stage, arms in retries_in(connection).items():
        counted = ", ".join(f"{arm or 'no arm'} {count:,}" for arm, count in arms.items())
        yield f"  {stage:<28} retries: {counted}"
    for stage, arms in moved_in(connection).items():
        counted = ", ".join(f"{arm or 'no arm'} {count:,}" for arm, count in arms.items())
        yield f"  {stage:<28} calls moved to another engine or server: {counted}"
    for drift in drifts(served_in(connection)):
        yield f"  warning: {drift.sentence}"
    # The first format noted what failed for good alone, and not how long runs lasted.
    for_good = "kind = 'refused'" if has_column(connection, "faults", "kind") else "true"
    refused = connection.execute(f"SELECT count(*) FROM faults WHERE {for_good}").fetchone()[0]
    if refused:
        yield f"  {refused:,} calls failed for good; the last: {_last_refusal(connection, for_good)}"
    if not has_column(connection, "runs", "last"):
        return
    seconds, since = connection.execute(f"SELECT {WORKED}, max(CAST(last AS REAL)) FROM runs").fetchone()
    if since is not None:
        ago = max(0.0, time.time() - min(max(since, 0.0), LAST_MOMENT))
        yield f"  at work for {duration(min(seconds, LAST_MOMENT))} in all; last reply {duration(ago)} ago"


def _bought_lines(connection: sqlite3.Connection) -> Iterator[str]:
    """How many calls came in batches, and how much of what was sent servers had in their caches; nothing where neither."""
    named = ", ".join(map(cast_of, ("stage", "model")))
    sums = f"total({cast_of('bought')} = '{BATCH}'), {sum_of('cached')}, {sum_of('tokens_in')}"
    for stage, model, batched, cached, sent in connection.execute(
        f"SELECT {named}, {sums} FROM calls GROUP BY 1, 2 ORDER BY 1, 2"
    ):
        parts = [f"{batched:,.0f} calls in batches"] if batched else []
        parts += [f"{cached / sent:.0%} of the tokens in from caches"] if cached and sent else []
        if parts:
            yield f"  {stage:<28} {model}: {', '.join(parts)}"


def _last_refusal(connection: sqlite3.Connection, for_good: str) -> str:
    query = f"SELECT {cast_of('error')} FROM faults WHERE {for_good} ORDER BY rowid DESC LIMIT 1"
    return str(connection.execute(query).fetchone()[0])
