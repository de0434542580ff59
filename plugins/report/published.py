"""Published values beside ours: `compare_with` of the study, with how far the two agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import caveats, outcomes, titles_by_outcome
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import interval, number
from cbtrun.records import Interval
from cbtrun.results import GroupSummary

ON_ASSUMED_SCALE = "on an assumed scale: not comparable"


@dataclass(frozen=True)
class Published:
    """A mean that somebody reported for one of our groups."""

    outcome: str
    grouping: str
    """Factor or `arm`; `all` for every session."""
    level: str
    mean: float
    sd: float | None = None
    n: int | None = None
    source: str = ""


def published_values(study: Mapping[str, Any]) -> list[Published]:
    """The entries of `compare_with`, in the study's order."""
    fields = Published.__dataclass_fields__
    return [
        Published(
            **{"grouping": one.get("factor", "all"), "level": "all"}
            | {name: value for name, value in one.items() if name in fields}
        )
        for one in (study.get("compare_with") or {}).values()
        if "mean" in one
    ]


def published_table(given: ReportInput) -> Table | None:
    """Ours beside theirs: both means, the difference with its interval where it can be had, and a word."""
    rows = tuple(_rows(given))
    columns = ("Outcome", "Group", "Published", "Ours [95 % CI]", "Difference [95 % CI]", "In a word")
    notes = (
        "Difference: ours minus published, Welch interval from means, SDs and n; without them none",
        "“Agrees” says that the interval holds 0: a wide one agrees with much",
        *caveats(given),
    )
    return Table("published", "Beside published values", columns, rows, 2, None, notes) if rows else None


def difference(ours: GroupSummary, theirs: Published) -> tuple[float | None, Interval | None]:
    """Ours minus theirs in points, with a Welch interval where both have a mean, an SD and n of 2 or more."""
    from scipy.special import stdtrit

    if ours.mean is None:
        return None, None
    estimate = ours.mean - theirs.mean
    if ours.sd is None or theirs.sd is None or theirs.n is None or theirs.n < 2:
        return estimate, None
    parts = ours.sd**2 / ours.n, theirs.sd**2 / theirs.n
    if sum(parts) == 0:
        return estimate, None
    df = sum(parts) ** 2 / (parts[0] ** 2 / (ours.n - 1) + parts[1] ** 2 / (theirs.n - 1))
    half = float(stdtrit(df, 0.975)) * math.sqrt(sum(parts))
    return estimate, Interval(low=estimate - half, high=estimate + half, method="Welch from summaries")


def _rows(given: ReportInput) -> Iterator[Row]:
    titles = titles_by_outcome(given)
    summaries = {one.outcome: one for one in outcomes(given)}
    for one in published_values(given.study):
        groups = summaries[one.outcome].groups.get(one.grouping, ()) if one.outcome in summaries else ()
        ours = next((group for group in groups if group.level == one.level), None)
        if ours is None:
            continue
        estimate, span = difference(ours, one)
        told = [f"SD {number(one.sd)}"] if one.sd is not None else []
        told += [f"n = {one.n}"] if one.n is not None else ["n not reported"]
        cells = (
            titles.get(one.outcome, one.outcome),
            one.level,
            f"{number(one.mean)} ({', '.join(told)})",
            f"{number(ours.mean)} {interval(ours.interval)} n = {ours.n}",
            f"{number(estimate)} {interval(span)}".strip(),
            ON_ASSUMED_SCALE if is_assumed(given, one.outcome) else _in_a_word(span),
        )
        yield Row(cells, detail=one.source)


def is_assumed(given: ReportInput, outcome: str) -> bool:
    """Whether an outcome's rubric is on an assumed scale, so that its means are not to be held against published ones."""
    rated = given.results.ratings.get(outcome.split(".", 1)[0])
    return rated is not None and rated.rubric.assumed_scale


def _in_a_word(span: Interval | None) -> str:
    if span is None:
        return "cannot be told"
    return "differs" if span.low > 0 or span.high < 0 else "agrees"
