"""The key of sheets: which session a code stands for, and with which chance it was drawn. Raters never see it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from cbtrun.errors import Place, Problem, SpecError
from cbtrun.files.csv_cells import bare_cell

LARGEST_BYTES = 64 * 2**20
"""Beyond the key of any sheet that people could rate."""
DESIGNS = ("sessions", "pairs", "all")
"""`sessions`: drawn one by one in each stratum; `pairs`: personas, each with a session of every arm; `all`: nothing is drawn."""


@dataclass(frozen=True)
class DrawnSession:
    """One session of a sheet."""

    code: str
    """What people see instead of its id."""
    session: str
    stratum: str = ""
    unit: str = ""
    """What was drawn: the persona of a pair, else the session."""
    chance: Fraction | None = None
    """Of its being on the sheet; none where the key does not say it."""
    units: int | None = None
    """How many units its stratum had when it was drawn; none where the key does not say it."""


@dataclass(frozen=True)
class Key:
    """What tells codes from sessions."""

    codes: Mapping[str, str]
    """Code -> session id, in the file's order."""
    secret: str = ""
    """Empty in a file of an earlier version, whose draw followed from the study's seed."""
    design: str = ""
    """One of DESIGNS; empty where the key does not say it."""
    by: tuple[str, ...] = ()
    """What the strata are levels of."""
    arms: tuple[str, ...] = ()
    """The arms that were drawn from; empty for all."""
    drawn: tuple[DrawnSession, ...] = field(default=())

    @property
    def has_chances(self) -> bool:
        """Whether every session's chance of being drawn is known."""
        return bool(self.drawn) and all(one.chance is not None for one in self.drawn)


def read_key(path: Path) -> Key:
    """The key of a sheet, of any version, or one of the user's own with the columns session and chance.

    Without codes when there is no such file. Raises SpecError, with lines, for what is no key.
    """
    if not path.exists():
        return Key({})
    if path.stat().st_size > LARGEST_BYTES:
        raise SpecError.at(path, f"larger than {LARGEST_BYTES // 2**20} MiB, which is no key of a sheet")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = set(reader.fieldnames or ())
            if "session" not in names or not {"code", "chance"} & names:
                raise SpecError.at(path, "not the key of a sheet: it has no columns 'code' and 'session'", line=1)
            rows = [{name: bare_cell(cell or "") for name, cell in row.items() if name} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpecError.at(path, f"not the key of a sheet ({error})") from None
    problems: list[Problem] = []
    drawn = tuple(_drawn(path, rows, problems))
    if problems:
        raise SpecError(problems)
    first = rows[0] if rows else {}
    by, arms = (tuple(filter(None, first.get(name, "").split(";"))) for name in ("by", "arms"))
    design = first.get("design", "") if first.get("design") in DESIGNS else ""
    return Key({one.code: one.session for one in drawn}, first.get("secret", ""), design, by, arms, drawn)


def _drawn(path: Path, rows: list[dict[str, str]], problems: list[Problem]) -> Iterator[DrawnSession]:
    for line, row in enumerate(rows, start=2):
        session, chance, units = row["session"], None, row.get("units", "")
        try:
            chance = _chance(row.get("chance", ""))
        except ValueError:
            what = f"'{row['chance']}' is no chance: expected a number above 0, at most 1, such as 0.3"
            problems.append(Problem(Place(str(path), line), "", what))
        yield DrawnSession(
            code=row.get("code") or session,
            session=session,
            stratum=row.get("stratum", ""),
            unit=row.get("unit") or session,
            chance=chance,
            units=int(units) if units.isdecimal() and len(units) < 10 else None,
        )


def _chance(said: str) -> Fraction | None:
    """`12/40` or `0.3`; none for an empty cell. Raises ValueError for what is no chance."""
    if not said.strip():
        return None
    if len(said) > 40 or not re.fullmatch(r"[0-9./ ]+", said):
        raise ValueError(said)
    try:
        chance = Fraction(said.strip())
    except ZeroDivisionError:
        raise ValueError(said) from None
    if not 0 < chance <= 1:
        raise ValueError(said)
    return chance
