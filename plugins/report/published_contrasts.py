"""Published differences beside ours: in points on one scale, by effect size where scales differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cbtrun.plugin import Comparison, Interval, view_of
from cbtrun.plugins.report.behind import Levels, behind_comparison
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.published import Beside, beside_of, our_group, scale_words
from cbtrun.plugins.report.result_tables import caveats, titles_by_outcome
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import number, probability, with_interval

IN_A_WORD = 7
NOT_OURS = (2, 5, IN_A_WORD)
"""Columns of the table that rest on no session of ours."""
NOT_ANALYSED = "no analysis of ours compares these"


@dataclass(frozen=True)
class PublishedContrast:
    """A difference of means that somebody reported."""

    beside: Beside
    levels: tuple[str, str]
    difference: float
    """First level minus second, in the source's points."""
    p: str = ""
    """The source's p value, as one reads it; empty where there is none."""
    sds: tuple[float, ...] = ()
    """SDs that the source states or allows; d is a range over them."""

    @property
    def d(self) -> tuple[float, float] | None:
        """Lowest and highest d that the stated SDs allow, by size; none without an SD."""
        sizes = sorted((self.difference / sd for sd in self.sds if sd > 0), key=abs)
        return (sizes[0], sizes[-1]) if sizes else None


@dataclass(frozen=True)
class Ours:
    """What we found for a published contrast, turned the same way."""

    estimate: float
    interval: Interval | None
    n: int
    d: float | None = None
    """Estimate in SDs of our sessions (root mean square over the two levels)."""
    d_interval: Interval | None = None
    """The estimate's interval in the same SDs."""
    sessions: Levels | None = None
    """Filter of the list of sessions that shows the ones behind it."""


def published_contrasts(study: Mapping[str, Any]) -> list[PublishedContrast]:
    """The `contrast` of every entry of `compare_with` that has one, in the study's order."""
    return [_contrast(entry) for entry in view_of(study).compare_with.values() if "contrast" in entry]


def published_contrasts_table(given: ReportInput) -> Table | None:
    """Raw difference and d, theirs and ours, and whether they agree."""
    rows = tuple(_rows(given))
    columns = (
        "Outcome",
        "Contrast",
        "Published difference",
        "Ours [95 % CI]",
        "n",
        "Published d",
        "Our d [95 % CI]",
        "In a word",
    )
    notes = (
        "Differences are raw points, each on its own scale",
        "Published d: the difference over every SD that the source states or allows, lowest to highest; "
        "ours: over the root mean square of our two levels’ SDs, its interval that of the difference over the same SD",
        "“Agrees” says that our interval holds the published value, or some of its range: a wide one agrees with much",
        *caveats(given),
    )
    return (
        Table("published-contrasts", "Beside published differences", columns, rows, 2, 4, notes, below=IN_A_WORD)
        if rows
        else None
    )


def ours_beside(given: ReportInput, one: PublishedContrast) -> Ours | None:
    """Our comparison of the same levels in the same sessions, in the published direction; none where there is none."""
    found = next((each for each in given.results.comparisons if _is_same(each, one)), None)
    if found is None or found.estimate is None:
        return None
    sign = 1 if found.levels == one.levels else -1
    spread = _spread(given, one)
    span = _scaled(found.interval, sign)
    ours = Ours(sign * found.estimate, span, found.n, sessions=behind_comparison(given, found))
    if not spread:
        return ours
    return replace(ours, d=ours.estimate / spread, d_interval=_scaled(span, 1 / spread))


def agreement(one: PublishedContrast, ours: Ours | None, *, same_scale: bool) -> str:
    """Whether ours agrees with a published difference: in points on one scale, else in d, else in direction alone."""
    if ours is None:
        return NOT_ANALYSED
    if same_scale:
        return _against(ours.interval, (one.difference, one.difference), "")
    if one.d is not None and ours.d_interval is not None:
        return _against(ours.d_interval, one.d, " in d")
    same = ours.estimate * one.difference > 0
    return f"{'same' if same else 'another'} direction; sizes cannot be compared"


def _contrast(entry: Mapping[str, Any]) -> PublishedContrast:
    told = entry["contrast"]
    of_levels = [one.get("sd") for level, one in entry.get("levels", {}).items() if level in told["levels"]]
    p = told.get("p", "")
    return PublishedContrast(
        beside=beside_of(entry),
        levels=(told["levels"][0], told["levels"][1]),
        difference=told["difference"],
        p=p if isinstance(p, str) else probability(p),
        sds=tuple(told.get("sds") or [sd for sd in of_levels if sd]),
    )


def _is_same(ours: Comparison, one: PublishedContrast) -> bool:
    about = (ours.outcome, ours.factor, dict(ours.where)) == (
        one.beside.outcome,
        one.beside.factor,
        dict(one.beside.where),
    )
    return about and len(ours.levels) == 2 and set(ours.levels) == set(one.levels)


def _spread(given: ReportInput, one: PublishedContrast) -> float | None:
    """Root mean square of our two levels' SDs over sessions, in points; none where a level has fewer than two."""
    sds = [our_group(given, one.beside, level).sd for level in one.levels]
    known = [sd for sd in sds if sd is not None]
    return (sum(sd**2 for sd in known) / 2) ** 0.5 if len(known) == 2 else None


def _scaled(span: Interval | None, factor: float) -> Interval | None:
    if span is None:
        return None
    low, high = sorted((span.low * factor, span.high * factor))
    return span.model_copy(update={"low": low, "high": high})


def _against(span: Interval | None, published: tuple[float, float], how: str) -> str:
    """`agrees`, or in what ours differs. published: ends of a range, the smaller size first."""
    if span is None:
        return "cannot be told"
    low, high = sorted(published)
    if span.low <= high and span.high >= low:
        return f"agrees{how}"
    above = span.low > high
    if span.low * published[0] < 0 and span.high * published[0] < 0:
        return f"differs{how}: the other direction"
    return f"differs{how}: ours is {'larger' if above == (published[0] > 0) else 'smaller'}"


def _rows(given: ReportInput) -> Iterator[Row]:
    titles = titles_by_outcome(given)
    for one in published_contrasts(given.study):
        beside = one.beside
        if beside.outcome.split(".", 1)[0] not in given.rated:
            continue
        scale, ours = scale_words(given, beside), ours_beside(given, one)
        title = titles.get(beside.outcome, beside.outcome)
        p = f" (p {one.p})" if one.p else ""
        cells = (
            f"{title} ({scale})" if scale else title,
            beside.group(" − ".join(one.levels)),
            f"{number(one.difference, 2)}{p}",
            with_interval(ours.estimate, ours.interval, 2) if ours else "–",
            str(ours.n) if ours else "–",
            f"{number(one.d[0], 2)} to {number(one.d[1], 2)}" if one.d else "no SD stated",
            with_interval(ours.d, ours.d_interval, 2) if ours else "–",
            agreement(one, ours, same_scale=not scale),
        )
        shown = ours.sessions if ours else None
        yield Row(cells, sessions=shown, apart=dict.fromkeys(NOT_OURS), detail=beside.source)
