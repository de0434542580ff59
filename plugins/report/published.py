"""Published means beside ours: `levels` of the study's `compare_with`, with how far the two agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cbtrun.plugin import GroupSummary, Interval, Session, describe, level_of, view_of
from cbtrun.plugins.report.behind import scored
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import caveats, titles_by_outcome
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import interval, number, with_interval

ASSUMED_SCALE = "on an assumed scale"
OTHER_SCALE = "on another scale"
NO_ERROR_OF_MEAN = "the source gives no SD and n, and no SE"
PUBLISHED, IN_A_WORD = 2, 6
"""Columns of the table that rest on no session of ours."""


@dataclass(frozen=True)
class Beside:
    """Which of our sessions a published value stands beside."""

    outcome: str
    factor: str
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other factor -> the levels that are kept."""
    source: str = ""
    other_scale: bool = False
    """Whether the source's points are said not to be ours."""

    def group(self, level: str) -> str:
        """`cbt`, or `cbt (family: llama)`."""
        kept = "; ".join(f"{name.replace('_', ' ')}: {', '.join(levels)}" for name, levels in self.where.items())
        return f"{level} ({kept})" if kept else level


@dataclass(frozen=True)
class PublishedMean:
    """A mean that somebody reported for one of our groups."""

    beside: Beside
    level: str
    mean: float
    sd: float | None = None
    n: int | None = None
    se: float | None = None

    @property
    def error(self) -> tuple[float, int | None] | None:
        """Standard error, and its degrees of freedom where known; none where the source tells neither SE nor SD and n."""
        if self.se is not None:
            return self.se, self.n - 1 if self.n is not None and self.n > 1 else None
        if self.sd is None or self.n is None or self.n < 2:
            return None
        return self.sd / math.sqrt(self.n), self.n - 1


def beside_of(entry: Mapping[str, Any]) -> Beside:
    """What one entry of `compare_with` is about."""
    where = {name: (kept,) if isinstance(kept, str) else tuple(kept) for name, kept in entry.get("where", {}).items()}
    other = entry.get("scale") == "other"
    return Beside(entry["outcome"], entry["factor"], where, entry["source"], other)


def published_means(study: Mapping[str, Any]) -> list[PublishedMean]:
    """The `levels` of every entry of `compare_with`, in the study's order."""
    return [
        PublishedMean(beside_of(entry), level, told["mean"], told.get("sd"), told.get("n"), told.get("se"))
        for entry in view_of(study).compare_with.values()
        for level, told in entry.get("levels", {}).items()
    ]


def published_table(given: ReportInput) -> Table | None:
    """Ours beside theirs: both means, the difference with its interval where it can be had, and a word."""
    rows = tuple(_row(given, one) for one in published_means(given.study) if _is_rated(given, one.beside.outcome))
    columns = ("Outcome", "Group", "Published", "Ours [95 % CI]", "n", "Difference [95 % CI]", "In a word")
    notes = (
        "Difference: ours minus published, Welch interval from means and SDs (or SE); where the source gives neither SD and n nor SE, "
        "it cannot be told whether ours differs",
        "“Agrees” says that the interval holds 0: a wide one agrees with much",
        *caveats(given),
    )
    return Table("published", "Beside published means", columns, rows, 2, 4, notes, below=IN_A_WORD) if rows else None


def our_sessions(given: ReportInput, beside: Beside, level: str) -> list[Session]:
    """Our sessions at a level, as far as `where` keeps them."""
    return [
        one
        for one in given.sessions
        if level_of(one, beside.factor) == level
        and all(level_of(one, name) in kept for name, kept in beside.where.items())
    ]


def our_group(given: ReportInput, beside: Beside, level: str, *, on_scale: bool = True) -> GroupSummary:
    """Mean, SD and interval of our sessions at a level. on_scale: the interval is cut at the ends of the scale."""
    name, short = beside.outcome.split(".", 1)
    rated = given.rated[name]
    found = our_sessions(given, beside, level)
    ends = rated.ends.get(short, (None, None)) if on_scale else (None, None)
    return describe(level, rated.values.get(short, {}), rated.reasons.get(short, {}), found, ends)


def difference(ours: GroupSummary, theirs: PublishedMean) -> tuple[float | None, Interval | None]:
    """Ours minus theirs in points, with a Welch interval; ours counts personas, as the interval of our mean does.

    ours: with an interval that is not cut at the scale's ends, since its width is our error. No interval where theirs is not known.
    """
    from scipy.special import stdtrit

    if ours.mean is None:
        return None, None
    estimate = ours.mean - theirs.mean
    if ours.interval is None or theirs.error is None:
        return estimate, None
    df = ours.personas - 1
    error = (ours.interval.high - ours.interval.low) / 2 / float(stdtrit(df, 0.975))
    error_theirs, df_theirs = theirs.error
    parts = error**2, error_theirs**2
    df_both = sum(parts) ** 2 / (parts[0] ** 2 / df + (parts[1] ** 2 / df_theirs if df_theirs else 0.0))
    half = float(stdtrit(df_both, 0.975)) * math.sqrt(sum(parts))
    return estimate, Interval(low=estimate - half, high=estimate + half, method="Welch from summaries")


def scale_words(given: ReportInput, beside: Beside) -> str:
    """Why the source's points are not to be held against ours; nothing where they are."""
    rated = given.results.ratings.get(beside.outcome.split(".", 1)[0])
    if rated is not None and rated.rubric.assumed_scale:
        return ASSUMED_SCALE
    return OTHER_SCALE if beside.other_scale else ""


def _row(given: ReportInput, one: PublishedMean) -> Row:
    ours = our_group(given, one.beside, one.level)
    estimate, span = difference(our_group(given, one.beside, one.level, on_scale=False), one)
    told = [f"SD {number(one.sd)}"] if one.sd is not None else []
    told += [f"SE {number(one.se)}"] if one.se is not None else []
    told += [f"n = {one.n}"] if one.n is not None else ["n not reported"]
    cells = (
        titles_by_outcome(given).get(one.beside.outcome, one.beside.outcome),
        one.beside.group(one.level),
        f"{number(one.mean)} ({', '.join(told)})",
        with_interval(ours.mean, ours.interval),
        str(ours.n),
        f"{number(estimate)} {interval(span)}".strip(),
        _in_a_word(one, ours, span, scale_words(given, one.beside)),
    )
    levels = {one.beside.factor: one.level, **one.beside.where}
    words = dict.fromkeys((PUBLISHED, IN_A_WORD))
    return Row(cells, sessions=scored(given, one.beside.outcome, levels), apart=words, detail=one.beside.source)


def _in_a_word(theirs: PublishedMean, ours: GroupSummary, span: Interval | None, scale: str) -> str:
    if ours.mean is None:
        return "we have none"
    if scale:
        return f"{scale}: not comparable"
    if theirs.error is None:
        return f"cannot be told: {NO_ERROR_OF_MEAN}"
    if span is None:
        return "cannot be told"
    return "differs" if span.low > 0 or span.high < 0 else "agrees"


def _is_rated(given: ReportInput, outcome: str) -> bool:
    return outcome.split(".", 1)[0] in given.rated
