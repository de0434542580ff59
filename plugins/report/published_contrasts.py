"""Published differences beside ours: in points on one scale, by effect size where scales differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cbtrun.plugin import Comparison, Interval, difference_of_estimates, error_from_p, view_of
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
CANNOT = "cannot be told"
NO_ERROR = f"{CANNOT}: the source gives no p, no SE, and no SDs with n"
BOUND = f"{CANNOT}: the source’s error is known within bounds alone, and ours lies between"


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
    errors: tuple[float, float] | None = None
    """Lowest and highest standard error of the difference that the source allows; none where it tells nothing of it."""
    df: int | None = None
    """Degrees of freedom of such an error, from the smaller n; none where it follows from p, or n is not told."""
    analysis: str = ""
    """The analysis of ours that it stands beside; empty where the study names none."""

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
    analysis: str = ""
    """The analysis that it is from."""


def published_contrasts(study: Mapping[str, Any]) -> list[PublishedContrast]:
    """The `contrast` of every entry of `compare_with` that has one, in the study's order."""
    view = view_of(study)
    return [
        _contrast(entry, entry.get("analysis") or (name if name in view.analyses else ""))
        for name, entry in view.compare_with.items()
        if "contrast" in entry
    ]


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
        "“Agrees” says that the 95 % interval of ours minus theirs holds 0, or does for some of their range: a wide one agrees with "
        "much. It holds the errors of both: theirs is the source’s SE, or |difference| / z(p), or from its SDs and n",
        *caveats(given),
    )
    return (
        Table("published-contrasts", "Beside published differences", columns, rows, 2, 4, notes, below=IN_A_WORD)
        if rows
        else None
    )


def ours_beside(given: ReportInput, one: PublishedContrast) -> Ours | None:
    """Our comparison of the same levels in the same sessions, in the published direction; none where there is none."""
    found = chosen(given, one)
    if isinstance(found, str) or found.estimate is None:
        return None
    sign = 1 if found.levels == one.levels else -1
    spread = _spread(given, one)
    span = _scaled(found.interval, sign)
    ours = Ours(sign * found.estimate, span, found.n, sessions=behind_comparison(given, found), analysis=found.analysis)
    if not spread:
        return ours
    return replace(ours, d=ours.estimate / spread, d_interval=_scaled(span, 1 / spread))


def chosen(given: ReportInput, one: PublishedContrast) -> Comparison | str:
    """The comparison of the analysis that the study names, or why there is none.

    Where none is named: of the only analysis that makes it, else of the report's headline. Never the first of several.
    """
    same = [each for each in given.results.comparisons if _is_same(each, one) and each.estimate is not None]
    fitting = [each for each in same if _is_at_level(each)]
    named = one.analysis or (given.options.headline if len({each.analysis for each in fitting}) > 1 else "")
    of_named = [each for each in fitting if not named or each.analysis == named]
    names = dict.fromkeys(each.analysis for each in of_named or (() if one.analysis else fitting))
    if len(names) > 1:
        return f"{CANNOT}: {' and '.join(names)} compare these; name one by `analysis:`"
    if of_named:
        return of_named[0]
    if any(each.analysis == one.analysis for each in same) or (same and not fitting):
        return f"{CANNOT}: our analysis of these gives a 90 % interval, of equivalence"
    return f"{one.analysis} does not compare these" if one.analysis and same else NOT_ANALYSED


def agreement(one: PublishedContrast, ours: Ours | None, *, same_scale: bool) -> str:
    """Whether ours agrees with a published difference: in points on one scale, else in d, else in direction alone."""
    if ours is None:
        return NOT_ANALYSED
    if same_scale:
        return _against(one, ours.estimate, ours.interval, (1.0,), "")
    if one.sds and ours.d is not None:
        return _against(one, ours.d, ours.d_interval, (max(one.sds), min(one.sds)), " in d")
    if ours.interval is not None and ours.interval.low < 0 < ours.interval.high:
        return "ours may have either direction; sizes cannot be compared"
    same = ours.estimate * one.difference > 0
    return f"{'same' if same else 'another'} direction; sizes cannot be compared"


def _contrast(entry: Mapping[str, Any], analysis: str) -> PublishedContrast:
    told = entry["contrast"]
    of_levels = [one.get("sd") for level, one in entry.get("levels", {}).items() if level in told["levels"]]
    p, (errors, df) = told.get("p", ""), _errors(entry)
    return PublishedContrast(
        beside=beside_of(entry),
        levels=(told["levels"][0], told["levels"][1]),
        difference=told["difference"],
        p=p if isinstance(p, str) else probability(p),
        sds=tuple(told.get("sds") or [sd for sd in of_levels if sd]),
        errors=errors,
        df=df,
        analysis=analysis,
    )


def _errors(entry: Mapping[str, Any]) -> tuple[tuple[float, float] | None, int | None]:
    """Lowest and highest standard error of the difference, by `se`, by an exact p, by SDs with n, by a bound on p; and its
    degrees of freedom. With a bound alone the lowest is 0: p says no more.
    """
    told, p = entry["contrast"], entry["contrast"].get("p")
    sizes = _sizes(entry)
    df = min(sizes) - 1 if sizes else None
    if "se" in told:
        return (told["se"], told["se"]), df
    if not isinstance(p, str | None) and (exact := error_from_p(told["difference"], p)) is not None:
        return (exact, exact), None
    by_sds = _errors_by_sds(entry, sizes)
    bound = error_from_p(told["difference"], float(p.lstrip("< "))) if isinstance(p, str) else None
    if bound is None or (by_sds is not None and by_sds[1] <= bound):
        return by_sds, df
    if by_sds is not None and by_sds[0] <= bound:
        return (by_sds[0], bound), None
    return (0.0, bound), None  # SDs that p contradicts, as those of pairs do: they do not tell the error


def _sizes(entry: Mapping[str, Any]) -> list[int]:
    """Sessions behind the two means, of `contrast` or else of the entry's levels; empty where one is not told."""
    told, levels = entry["contrast"], entry.get("levels", {})
    sizes = told.get("n") or [levels.get(level, {}).get("n") for level in told["levels"]]
    return list(sizes) if all(size is not None and size > 1 for size in sizes) else []


def _errors_by_sds(entry: Mapping[str, Any], sizes: list[int]) -> tuple[float, float] | None:
    """As of independent groups: each SD of `contrast` for both, else those of the entry's levels."""
    told, levels = entry["contrast"], entry.get("levels", {})
    if not sizes:
        return None
    if sds := told.get("sds"):
        share = sum(1 / size for size in sizes) ** 0.5
        return min(sds) * share, max(sds) * share
    stated = [levels.get(level, {}).get("sd") for level in told["levels"]]
    if not all(stated):
        return None
    error = sum(sd**2 / size for sd, size in zip(stated, sizes, strict=True)) ** 0.5
    return error, error


def _is_same(ours: Comparison, one: PublishedContrast) -> bool:
    about = (ours.outcome, ours.factor, dict(ours.where)) == (
        one.beside.outcome,
        one.beside.factor,
        dict(one.beside.where),
    )
    return about and len(ours.levels) == 2 and set(ours.levels) == set(one.levels)


def _is_at_level(ours: Comparison) -> bool:
    """Whether its interval is one of 95 %, as the table says: an equivalence's is not."""
    return ours.margin is None and (ours.interval is None or abs(ours.interval.level - 0.95) < 1e-9)


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


def _against(one: PublishedContrast, ours: float, span: Interval | None, divisors: tuple[float, ...], how: str) -> str:
    """`agrees`, or in what ours differs, in units of the divisors. ours, span: in such a unit too."""
    if one.errors is None:
        return NO_ERROR
    if span is None:
        return CANNOT
    if any(_holds(one, ours, span, divisor, one.errors[0]) for divisor in divisors):
        return f"agrees{how}"
    published = sorted(one.difference / divisor for divisor in divisors)
    if published[0] <= ours <= published[-1]:
        return f"agrees{how}"
    if any(_holds(one, ours, span, divisor, one.errors[1]) for divisor in divisors):
        return BOUND
    if span.low * one.difference < 0 and span.high * one.difference < 0:
        return f"differs{how}: the other direction"
    above = ours > published[-1]
    return f"differs{how}: ours is {'larger' if above == (one.difference > 0) else 'smaller'}"


def _holds(one: PublishedContrast, ours: float, span: Interval, divisor: float, error: float) -> bool:
    """Whether the interval of ours minus theirs holds 0. error: theirs, in the source's points."""
    gap = difference_of_estimates(ours, span, one.difference / divisor, error / divisor, one.df)
    return gap.low <= 0 <= gap.high


def _rows(given: ReportInput) -> Iterator[Row]:
    titles = titles_by_outcome(given)
    for one in published_contrasts(given.study):
        beside = one.beside
        if beside.outcome.split(".", 1)[0] not in given.rated:
            continue
        scale, found, ours = scale_words(given, beside), chosen(given, one), ours_beside(given, one)
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
            found if isinstance(found, str) else agreement(one, ours, same_scale=not scale),
        )
        shown = ours.sessions if ours else None
        yield Row(
            cells,
            sessions=shown,
            apart=dict.fromkeys(NOT_OURS),
            detail=f"{beside.source}; ours: {ours.analysis}" if ours else beside.source,
        )
