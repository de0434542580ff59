"""Rating sheets for people: a stratified, blinded sample of sessions, and its key, kept apart."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.digests import derive_seed, digest
from cbtrun.errors import SpecError, StageError
from cbtrun.ratings.unblinding import masked
from cbtrun.records import Record, Session
from cbtrun.run_folder import write_atomically

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Item, Rubric
    from cbtrun.study.rating_sets import RatedRun

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

    id: str
    """Digest of what was drawn, in every file of the sheet."""
    drawn: tuple[Drawn, ...]
    by: tuple[str, ...]
    """Factors, labels or `arm` that the draw is even over."""


def draw_sheet(sessions: Sequence[Session], count: int, by: Sequence[str], seed: int) -> Sheet:
    """Sessions drawn in turn from each stratum at random, then mixed; the same seed draws the same.

    by: what to be even over; empty takes arms, else the first factor. Raises StageError for a name that no session has.
    """
    names = tuple(by) or _usual_strata(sessions)
    known = {"arm", *(name for session in sessions for name in (*session.factors, *session.labels))}
    if unknown := [name for name in names if name not in known]:
        raise StageError(f"--by {unknown[0]}: no session has it; known: {', '.join(sorted(known))}")
    generator = random.Random(derive_seed(seed, "sheet", sorted(session.id for session in sessions)))
    strata: dict[str, list[Session]] = {}
    for session in sorted(sessions, key=lambda one: one.id):
        strata.setdefault(_stratum(session, names), []).append(session)
    for stratum in sorted(strata):
        generator.shuffle(strata[stratum])
    chosen = _in_turn(strata, min(count, len(sessions)))
    generator.shuffle(chosen)
    id = digest([[session.id, session.draw] for _, session in chosen])[:8]
    width = max(2, len(str(len(chosen))))
    drawn = [
        Drawn(code=f"S{at:0{width}}", session=session, stratum=stratum)
        for at, (stratum, session) in enumerate(chosen, start=1)
    ]
    return Sheet(id, tuple(drawn), names)


def _usual_strata(sessions: Sequence[Session]) -> tuple[str, ...]:
    if any(session.arm for session in sessions):
        return ("arm",)
    return tuple(sorted({name for session in sessions for name in session.factors})[:1])


def _stratum(session: Session, names: Sequence[str]) -> str:
    levels = {**session.labels, **session.factors, "arm": session.arm or ""}
    return ", ".join(f"{name} {levels.get(name, '')}".strip() for name in names) or "all"


def _in_turn(strata: Mapping[str, Sequence[Session]], count: int) -> list[tuple[str, Session]]:
    """One session of each stratum after the other, until there are enough."""
    chosen: list[tuple[str, Session]] = []
    depth = 0
    while len(chosen) < count:
        here = [(name, strata[name][depth]) for name in sorted(strata) if depth < len(strata[name])]
        chosen += here[: count - len(chosen)]
        depth += 1
    return chosen


def write_sheet(sheet: Sheet, run: RatedRun, folder: Path) -> Iterator[str]:
    """Write sheet.html and sheet.csv into the folder and the key beside the run; gives lines that say so."""
    if folder.resolve() == run.folder.resolve():
        raise StageError(f"{folder}: the sheets need a folder of their own, apart from the key")
    write_atomically(folder / "sheet.html", form_page(sheet, run.rubric))
    write_atomically(folder / "sheet.csv", _empty_table(sheet, run.rubric))
    write_atomically(run.folder / KEY, _key(sheet, run))
    strata: dict[str, int] = {}
    for drawn in sheet.drawn:
        strata[drawn.stratum] = strata.get(drawn.stratum, 0) + 1
    told = ", ".join(f"{count} of {stratum}" for stratum, count in sorted(strata.items()))
    yield f"drew {len(sheet.drawn)} sessions: {told}"
    yield f"for the raters: {folder / 'sheet.html'} (form for the browser, works offline), {folder / 'sheet.csv'}"
    yield f"for you alone:  {run.folder / KEY}"
    if run.study.get("contains") == "real-people":
        yield "The sheets hold words of real people: give them only to those who may read them."
    yield f"then: cbtrun agree {run.folder} ratings-NAME.csv ..."


def read_key(path: Path) -> dict[str, str]:
    """Code -> session id; empty when there is no such file. Raises SpecError for a file that is no key."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not {"code", "session"} <= set(reader.fieldnames or ()):
            raise SpecError.at(path, "not the key of a sheet: it has no columns 'code' and 'session'", line=1)
        return {row["code"]: row["session"] for row in reader}


def form_page(sheet: Sheet, rubric: Rubric) -> str:
    """The form: one page that needs nothing else, keeps what is entered, and saves it as CSV."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cbtrun.humans", "sheet_files"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _text("form.js")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    return environment.get_template("form.html.j2").render(
        sheet=sheet,
        rubric=rubric,
        sessions=[(drawn.code, _turns(drawn.session)) for drawn in sheet.drawn],
        choices=_choices,
        style=_text("form.css"),
        script=script,
        policy=policy,
    )


def _turns(session: Session) -> list[tuple[int, str, str]]:
    """Number, speaker and words, words that name a model masked."""
    return [(at, turn.speaker, masked(turn.text)) for at, turn in enumerate(session.turns, start=1)]


def _choices(item: Item) -> list[tuple[str, str, str]]:
    """(value, label, meaning) of an item that is chosen from a few; empty for counts and words."""
    if item.type == "yes_no":
        return [("1", "yes", item.anchors.get(1, "")), ("0", "no", item.anchors.get(0, ""))]
    if item.type == "category":
        return [(one.name, one.name, one.means) for one in item.categories]
    low, high = item.bounds
    if item.type != "scale" or high is None or high - low > 20:
        return []
    return [(str(at), str(at), item.anchors.get(at, "")) for at in range(int(low), int(high) + 1)]


def _empty_table(sheet: Sheet, rubric: Rubric) -> str:
    rows = [[sheet.id, drawn.code, "", item.id, "", ""] for drawn in sheet.drawn for item in rubric.items]
    return _csv(COLUMNS, rows)


def _key(sheet: Sheet, run: RatedRun) -> str:
    rows = [[sheet.id, one.code, one.session.id, one.session.arm or "", one.stratum] for one in sheet.drawn]
    return _csv(("sheet", "code", "session", "arm", "stratum"), rows)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def _text(name: str) -> str:
    return files("cbtrun.humans.sheet_files").joinpath(name).read_text(encoding="utf-8")
