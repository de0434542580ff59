"""How many sessions people can rate in the time that they have.

Minutes of a session are measured ones where the user says them; else its words at the speed of silent reading, and a while
for each item. Source: Brysbaert 2019, "How many words do we read per minute?", Journal of Memory and Language 109: 238 words
of English non-fiction. The while for an item is an assumption, and is told as one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from cbtrun.errors import StageError
from cbtrun.humans.sheet import KEY
from cbtrun.people.draws import Design, units_of
from cbtrun.people.sheet_key import read_key

if TYPE_CHECKING:
    from cbtrun.contract.records import Session
    from cbtrun.humans.rated_run import RatedRun

WORDS_A_MINUTE = 238
SECONDS_AN_ITEM = 20
USUAL = 20
"""Sessions that are drawn where nothing says how many."""


@dataclass(frozen=True)
class Amount:
    """What the user says of how many to draw: one of the first three, or nothing."""

    sessions: int | None = None
    pairs: int | None = None
    minutes: float | None = None
    minutes_each: float | None = None
    """Of a session, measured."""


@dataclass(frozen=True)
class WantedUnits:
    """How many units to draw, and how that came about."""

    units: int
    lines: tuple[str, ...] = ()


def wanted_units(
    run: RatedRun, amount: Amount, by: Sequence[str], design: Design | None, *, new: bool = False
) -> WantedUnits:
    """How many units (sessions, or personas of pairs) to draw.

    design: as the key that is there says, else sessions one by one, if None. Raises StageError where several amounts are
    given, or the time does for no unit.
    """
    if amount == Amount() and not new and read_key(run.folder / KEY).codes:
        return WantedUnits(0)  # the sheet that is there, as it is
    given = [one for one in (amount.sessions, amount.pairs, amount.minutes) if one is not None]
    if len(given) > 1:
        raise StageError("say one of --sessions, --pairs and --minutes")
    design = design or _of_key(run, new=new) or Design()
    if amount.pairs is not None:
        return WantedUnits(amount.pairs)
    units = units_of([one for one in run.sessions if one.turns], replace(design, by=tuple(by) or design.by), "")
    sessions = max((len(unit.sessions) for unit in units), default=1)
    if amount.minutes is None:
        count = USUAL if amount.sessions is None else amount.sessions
        if count < sessions:
            raise StageError(f"--sessions {count}: a pair is {sessions} sessions")
        return WantedUnits(count // sessions)
    items = len(run.rubric.items)
    minutes = fmean(
        sum(amount.minutes_each or minutes_of(session, items) for session in unit.sessions) for unit in units
    )
    fitting = min(int(amount.minutes / minutes), len(units))
    what = "personas" if design.kind == "pairs" else "sessions"
    if fitting < 1:
        raise StageError(f"--minutes {amount.minutes:g}: one of the {what} takes {minutes:.0f} minutes")
    how = _how(run, amount, items)
    told = f"{amount.minutes:g} minutes of each rater do for {fitting} of {len(units)} {what} ({fitting * sessions} sessions)"
    return WantedUnits(fitting, (f"{told}: {minutes / sessions:.1f} minutes a session, {how}",))


def measured_minutes(files: Sequence[Path]) -> float:
    """Mean minutes of a rater on a session, from what rating pages measured: column `seconds`, the same in a session's rows.

    Raises StageError where a file has none.
    """
    from cbtrun.tables.transcript_table import read_table

    seconds: dict[tuple[str, str, str], float] = {}
    for file in files:
        table = read_table(file)
        if not {"session", "seconds"} <= {*table.columns}:
            raise StageError(f"{file}: no columns 'session' and 'seconds'; it has: {', '.join(table.columns)}")
        for row in table.rows:
            who = (str(file), str(row.cells.get("rater")), str(row.cells["session"]))
            try:
                said = float(row.cells["seconds"] or 0)
            except ValueError:
                raise StageError(f"{file}:{row.line}: '{row.cells['seconds']}' are no seconds") from None
            seconds[who] = max(said, seconds.get(who, 0.0))
    spent = [one for one in seconds.values() if 0 < one < math.inf]
    if not spent:
        raise StageError("--timed: nobody's seconds are above 0")
    return fmean(spent) / 60


def minutes_of(session: Session, items: int) -> float:
    """Minutes that rating a session takes, by its words and the rubric's items."""
    words = sum(len(turn.text.split()) for turn in session.turns)
    return words / WORDS_A_MINUTE + items * SECONDS_AN_ITEM / 60


def _how(run: RatedRun, amount: Amount, items: int) -> str:
    if amount.minutes_each is not None:
        return "as measured"
    words = fmean(sum(len(turn.text.split()) for turn in one.turns) for one in run.sessions if one.turns)
    return (
        f"told from {words:.0f} words at {WORDS_A_MINUTE} a minute (Brysbaert 2019) and {items} items at "
        f"{SECONDS_AN_ITEM} seconds (assumed); --timed and --minutes-each say what was measured"
    )


def _of_key(run: RatedRun, *, new: bool) -> Design | None:
    key = read_key(run.folder / KEY)
    return Design(key.design, key.by, key.arms) if key.design and not new else None
