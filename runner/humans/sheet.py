"""Rating sheets for people: a stratified, blinded sample of sessions, and its key, kept apart."""

from __future__ import annotations

import csv
import hashlib
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.contract.records import Record, Session
from cbtrun.errors import SpecError, StageError
from cbtrun.files.csv_cells import bare_cell, csv_text
from cbtrun.files.run_folder import write_atomically
from cbtrun.humans.preference_pairs import PAIRS_KEY, write_pairs
from cbtrun.humans.rating_page import rating_page
from cbtrun.humans.task import Settings, Task, task_of

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


@dataclass(frozen=True)
class Sheet:
    """A drawn sample."""

    secret: str
    """What the draw, its codes and its orders come from: new for each draw, and in the key alone.

    Nothing that raters see may follow from the study, whose file and seed they may know. Empty for a sheet of an earlier
    version, which did follow from it."""
    drawn: tuple[Drawn, ...]
    """In the order of their codes."""

    @property
    def id(self) -> str:
        """In every file of the sheet; tells one draw from another."""
        return hashlib.sha256(f"{self.secret} id".encode()).hexdigest()[:8]

    def for_rater(self, rater: int | str) -> tuple[Drawn, ...]:
        """The sessions in the order of one rater, by number from 1 or by code: an order of their own each."""
        ordered = list(self.drawn)
        _generator(self.secret, f"order of rater {rater}").shuffle(ordered)
        return tuple(ordered)


@dataclass(frozen=True)
class Key:
    """What tells codes from sessions: the file that raters never see."""

    codes: Mapping[str, str]
    """Code -> session id, in the file's order."""
    secret: str = ""
    """Empty in a file of an earlier version, whose draw followed from the study's seed."""


def draw_sheet(
    sessions: Sequence[Session], count: int, by: Sequence[str], secret: str, kept: Mapping[str, str] | None = None
) -> Sheet:
    """Sessions drawn in turn from each stratum at random, then mixed; the same secret draws the same.

    by: what to be even over; empty takes arms, else the first factor. kept: code -> session id of a sheet to go on
    with, whose codes stay; more are drawn behind them where `count` is larger. Raises StageError for a name that no
    session has, and for a kept session that is not there.
    """
    names = tuple(by) or _usual_strata(sessions)
    known = {"arm", *(name for session in sessions for name in (*session.factors, *session.labels))}
    if unknown := [name for name in names if name not in known]:
        raise StageError(f"--by {unknown[0]}: no session has it; known: {', '.join(sorted(known))}")
    there = {session.id: session for session in sessions}
    if gone := [session for session in (kept or {}).values() if session not in there]:
        raise StageError(f"{KEY}: the run has no session '{gone[0]}' any more; --new draws another sheet")
    earlier = [
        Drawn(code=code, session=there[id_], stratum=_stratum(there[id_], names)) for code, id_ in (kept or {}).items()
    ]
    strata: dict[str, list[Session]] = {}
    for session in sorted(sessions, key=lambda one: one.id):
        if session.id not in {one.session.id for one in earlier}:
            strata.setdefault(_stratum(session, names), []).append(session)
    generator = _generator(secret, f"draw behind {len(earlier)}")
    for stratum in sorted(strata):
        generator.shuffle(strata[stratum])
    chosen = _in_turn(strata, min(count, len(sessions)) - len(earlier), generator)
    generator.shuffle(chosen)
    width = max(2, len(str(len(earlier) + len(chosen))))
    drawn = [
        Drawn(code=f"S{at:0{width}}", session=session, stratum=stratum)
        for at, (stratum, session) in enumerate(chosen, start=len(earlier) + 1)
    ]
    return Sheet(secret, (*earlier, *drawn))


def _generator(secret: str, what: str) -> random.Random:
    return random.Random(hashlib.sha256(f"{secret} {what}".encode()).digest())


def _usual_strata(sessions: Sequence[Session]) -> tuple[str, ...]:
    if any(session.arm for session in sessions):
        return ("arm",)
    return tuple(sorted({name for session in sessions for name in session.factors})[:1])


def _stratum(session: Session, names: Sequence[str]) -> str:
    levels = {**session.labels, **session.factors, "arm": session.arm or ""}
    return ", ".join(f"{name} {levels.get(name, '')}".strip() for name in names) or "all"


def _in_turn(
    strata: Mapping[str, Sequence[Session]], count: int, generator: random.Random
) -> list[tuple[str, Session]]:
    """One session of each stratum after the other, until there are enough; which stratum gives the last is drawn, too."""
    chosen: list[tuple[str, Session]] = []
    depth = 0
    while len(chosen) < count:
        here = [(name, strata[name][depth]) for name in sorted(strata) if depth < len(strata[name])]
        generator.shuffle(here)
        chosen += here[: count - len(chosen)]
        depth += 1
    return chosen


def make_sheet(run: RatedRun, count: int, by: Sequence[str], *, new: bool) -> Sheet:
    """The sheet of a run: that of its key file, where there is one and no new one is asked for. An old key is kept."""
    path = run.folder / KEY
    key = read_key(path)
    if new and key.codes:
        path.rename(path.with_name(f"sheet-key-{secrets.token_hex(4)}.csv"))
        (run.folder / PAIRS_KEY).unlink(missing_ok=True)
        key = Key({})
    secret = key.secret if key.codes else secrets.token_hex(16)
    silent = {session.id for session in run.sessions if not session.turns}  # forgotten: there is nothing to rate
    kept = {code: id_ for code, id_ in key.codes.items() if id_ not in silent}
    return draw_sheet([one for one in run.sessions if one.id not in silent], count, by, secret, kept)


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
    strata: dict[str, int] = {}
    for drawn in sheet.drawn:
        strata[drawn.stratum] = strata.get(drawn.stratum, 0) + 1
    told = ", ".join(f"{count} of {stratum}" for stratum, count in sorted(strata.items()))
    yield f"drew {len(sheet.drawn)} sessions: {told}"
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


def keep_keys(sheet: Sheet, run: RatedRun, settings: Settings) -> None:
    """Write the keys beside the run, before any page is given out: what is rated without its key would be lost work."""
    write_atomically(run.folder / KEY, _key(sheet))
    if settings.pairs:
        write_pairs(run.folder, settings.pairs)


def read_key(path: Path) -> Key:
    """The key of a sheet, of any version; without codes when there is no such file. Raises SpecError for no key."""
    if not path.exists():
        return Key({})
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"code", "session"} <= set(reader.fieldnames or ()):
                raise SpecError.at(path, "not the key of a sheet: it has no columns 'code' and 'session'", line=1)
            rows = [{name: bare_cell(cell or "") for name, cell in row.items() if name} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpecError.at(path, f"not the key of a sheet ({error})") from None
    return Key({row["code"]: row["session"] for row in rows}, next((row.get("secret", "") for row in rows), ""))


def _empty_table(task: Task) -> str:
    items = task.rubric.items
    return csv_text(COLUMNS, [[task.sheet, code, task.rater, item.id, "", ""] for code in task.order for item in items])


def _key(sheet: Sheet) -> str:
    rows = [
        [sheet.id, one.code, one.session.id, one.session.arm or "", one.stratum, sheet.secret] for one in sheet.drawn
    ]
    return csv_text(("sheet", "code", "session", "arm", "stratum", "secret"), rows)
