"""Rating sheets for people: a stratified, blinded sample of sessions, and its key, kept apart."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.contract.records import Record, Session
from cbtrun.errors import StageError
from cbtrun.files.csv_cells import csv_text
from cbtrun.files.run_folder import write_atomically
from cbtrun.humans.preference_pairs import PAIRS_KEY, write_pairs
from cbtrun.humans.rating_page import rating_page
from cbtrun.humans.task import Settings, Task, task_of
from cbtrun.people.draws import Design, Unit, chances, drawn_units, generator, stratum, units_of, usual_strata
from cbtrun.people.sheet_key import Key, read_key

if TYPE_CHECKING:
    from cbtrun.humans.rated_run import RatedRun

KEY = "sheet-key.csv"
COLUMNS = ("sheet", "session", "rater", "item", "score", "comment")


class Drawn(Record):
    """One session on the sheet."""

    code: str
    """What people see instead of its id."""
    session: Session
    stratum: str
    """The level it was drawn for."""
    unit: str = ""
    """What was drawn: the persona of a pair, else the session."""
    chance: str = ""
    """Of its being drawn; empty where nobody knows it (a sheet of an earlier version)."""
    units: int | None = None
    """Units in its stratum."""


@dataclass(frozen=True)
class Sheet:
    """A drawn sample."""

    secret: str
    """What the draw, its codes and its orders come from: new for each draw, and in the key alone.

    Nothing that raters see may follow from the study, whose file and seed they may know. Empty for a sheet of an earlier
    version, which did follow from it."""
    drawn: tuple[Drawn, ...]
    """In the order of their codes."""
    design: Design = field(default_factory=Design)

    @property
    def id(self) -> str:
        """In every file of the sheet; tells one draw from another."""
        return hashlib.sha256(f"{self.secret} id".encode()).hexdigest()[:8]

    def for_rater(self, rater: int | str) -> tuple[Drawn, ...]:
        """The sessions in the order of one rater, by number from 1 or by code: an order of their own each."""
        ordered = list(self.drawn)
        generator(self.secret, f"order of rater {rater}").shuffle(ordered)
        return tuple(ordered)


def draw_sheet(
    sessions: Sequence[Session],
    count: int,
    by: Sequence[str],
    secret: str,
    kept: Key | None = None,
    design: Design | None = None,
) -> Sheet:
    """Units drawn in turn from each stratum at random, then mixed; the same secret draws the same.

    count: units, which are sessions or, of pairs, personas. by: what to be even over; empty takes arms, else the first
    factor. kept: the key of a sheet to go on with, whose codes stay; more are drawn behind them where `count` is larger.
    Raises StageError for a name that no session has, and for a kept session that is not there.
    """
    design = replace(design or Design(), by=tuple(by))
    units = units_of(sessions, design, secret)
    there = {session.id: session for session in sessions}
    before = kept.drawn if kept else ()
    if gone := [one.session for one in before if one.session not in there]:
        raise StageError(f"{KEY}: the run has no session '{gone[0]}' any more; --new draws another sheet")
    by_session = {session.id: unit for unit in units for session in unit.sessions}
    earlier = list(dict.fromkeys(by_session[one.session].name for one in before if one.session in by_session))
    count = len(units) if design.kind == "all" else count
    new = drawn_units(units, count, earlier, secret)
    known = (
        chances(units, {*earlier, *(unit.name for unit in new)}) if not before or (kept and kept.has_chances) else {}
    )
    names = design.by or (() if design.kind in ("pairs", "all") else usual_strata(sessions))
    placed = [(one.code, there[one.session]) for one in before]
    fresh = [session for unit in new for session in unit.sessions]
    if design.kind == "pairs":  # the two of a pair do not stand side by side
        generator(secret, f"mix behind {len(placed)}").shuffle(fresh)
    width = max(2, len(str(len(placed) + len(fresh))))
    placed += [(f"S{at:0{width}}", session) for at, session in enumerate(fresh, start=len(placed) + 1)]
    drawn = tuple(_drawn(code, session, by_session.get(session.id), known, names) for code, session in placed)
    return Sheet(secret, drawn, replace(design, by=tuple(names)))


def _drawn(
    code: str, session: Session, unit: Unit | None, known: Mapping[str, tuple[Fraction, int]], names: Sequence[str]
) -> Drawn:
    """One session on the sheet. names: what the strata are levels of."""
    if unit is None or not known:
        return Drawn(code=code, session=session, stratum=stratum(session, names), unit=session.id)
    chance, units = known[unit.stratum]
    told = f"{float(chance * unit.share):.12g}"  # no fraction: spreadsheets take 3/10 for a date
    return Drawn(code=code, session=session, stratum=unit.stratum, unit=unit.name, chance=told, units=units)


def make_sheet(run: RatedRun, count: int, by: Sequence[str], *, new: bool, design: Design | None = None) -> Sheet:
    """The sheet of a run: that of its key file, where there is one and no new one is asked for. An old key is kept.

    design: as the key has it, else sessions one by one, if None. Raises StageError for another one than the key's.
    """
    path = run.folder / KEY
    key = read_key(path)
    if new and key.codes:
        path.rename(path.with_name(f"sheet-key-{secrets.token_hex(4)}.csv"))
        (run.folder / PAIRS_KEY).unlink(missing_ok=True)
        key = Key({})
    if key.design:
        was = Design(key.design, key.by, key.arms)
        wanted = replace(design or replace(was, by=()), by=tuple(by) or was.by)
        if wanted != was:
            raise StageError(
                f"{path}: its sheet was drawn as {_in_words(was)}, not {_in_words(wanted)}; --new draws another"
            )
        by, design = was.by, was
    secret = key.secret if key.codes else secrets.token_hex(16)
    silent = {session.id for session in run.sessions if not session.turns}  # forgotten: there is nothing to rate
    kept = replace(key, drawn=tuple(one for one in key.drawn if one.session not in silent))
    return draw_sheet([one for one in run.sessions if one.id not in silent], count, by, secret, kept, design)


def _in_words(design: Design) -> str:
    parts = [design.kind, f"by {', '.join(design.by)}" if design.by else "", " and ".join(design.arms)]
    return ", ".join(filter(None, parts))


def write_sheet(
    sheet: Sheet, run: RatedRun, folder: Path, raters: Sequence[int | str] = (1,), settings: Settings | None = None
) -> Iterator[str]:
    """Write a page and a table for each rater into the folder, and the keys beside the run; gives lines that say so.

    raters: numbers, whose pages ask for a code, or codes. settings: without them, what every page has.
    """
    settings = settings or Settings()
    if folder.resolve() == run.folder.resolve():
        raise StageError(f"{folder}: the sheets need a folder of their own, apart from the key")
    keep_keys(sheet, run, settings)
    for rater in raters:
        name = "sheet" if tuple(raters) == (1,) else f"sheet-{rater}"
        task = task_of(sheet, run.rubric, rater, settings)
        write_atomically(folder / f"{name}.html", rating_page(task))
        write_atomically(folder / f"{name}.csv", _empty_table(task))
    yield from _told(sheet)
    name = "sheet" if tuple(raters) == (1,) else "sheet-N" if 1 in raters else "sheet-CODE"
    yield f"for the raters: {folder / name}.html (page for the browser, works offline), {folder / name}.csv"
    yield f"for you alone:  {run.folder / KEY}{f', {run.folder / PAIRS_KEY}' if settings.pairs else ''}"
    if not sheet.secret:
        yield (
            "This sheet was drawn from the study's seed by an earlier version: who has the study's file can work out the "
            "key. --new draws another."
        )
    if settings.real_people:
        yield "Names are masked where they were found; read the sheets before you give them away (--mask WORD takes more)."
        yield "The sheets hold words of real people: give them only to those who may read them."
    yield f"then: cbtrun agree {run.folder} ratings-NAME.csv ..."
    yield f"or, to correct an analysis by them: people: {{NAME: {{file: [ratings-NAME.csv], key: {run.folder / KEY}}}}} in the study"


def _told(sheet: Sheet) -> Iterator[str]:
    """What was drawn, and with which chances."""
    strata: dict[str, list[Drawn]] = {}
    for drawn in sheet.drawn:
        strata.setdefault(drawn.stratum, []).append(drawn)
    told = (
        ": " + ", ".join(f"{len(here)} of {name}" for name, here in sorted(strata.items()))
        if {*strata} != {"all"}
        else ""
    )
    pairs = len({one.unit for one in sheet.drawn})
    if sheet.design.kind == "pairs":
        yield f"drew {pairs} personas, each with a session of every arm ({len(sheet.drawn)} sessions){told}"
    elif sheet.design.kind == "all":
        yield f"took all {len(sheet.drawn)} sessions"
    else:
        yield f"drew {len(sheet.drawn)} sessions{told}"
    shares = {name: (len({one.unit for one in here}), here[0]) for name, here in sorted(strata.items())}
    if all(one.units for _, one in shares.values()):
        parts = [
            f"{count} of {one.units}{'' if name == 'all' else f' in {name}'}" for name, (count, one) in shares.items()
        ]
        words = "; ".join(parts)
        what = "personas" if sheet.design.kind == "pairs" else "sessions"
        yield f"the key has the chance of each draw ({what}): {words}"


def keep_keys(sheet: Sheet, run: RatedRun, settings: Settings) -> None:
    """Write the keys beside the run, before any page is given out: what is rated without its key would be lost work."""
    write_atomically(run.folder / KEY, _key(sheet))
    if settings.pairs:
        write_pairs(run.folder, settings.pairs)


def _empty_table(task: Task) -> str:
    items = task.rubric.items
    return csv_text(COLUMNS, [[task.sheet, code, task.rater, item.id, "", ""] for code in task.order for item in items])


def _key(sheet: Sheet) -> str:
    """The key; who draws and how stands in each row, since a table has no head of its own."""
    columns = (
        "sheet",
        "code",
        "session",
        "arm",
        "stratum",
        "unit",
        "chance",
        "units",
        "design",
        "by",
        "arms",
        "secret",
    )
    drawn_by = (sheet.design.kind, ";".join(sheet.design.by), ";".join(sheet.design.arms), sheet.secret)
    rows = [
        [
            *(sheet.id, one.code, one.session.id, one.session.arm or "", one.stratum, one.unit, one.chance),
            *(str(one.units or ""), *(drawn_by if one.chance else ("", "", "", sheet.secret))),
        ]
        for one in sheet.drawn
    ]
    return csv_text(columns, rows)
