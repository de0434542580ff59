"""Published differences beside ours: raw points, and d as a range where the source gives no single SD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.published import is_assumed
from cbtrun.plugins.report.result_tables import caveats, titles_by_outcome
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import effect, interval, number


@dataclass(frozen=True)
class PublishedContrast:
    """A difference of means that somebody reported."""

    outcome: str
    factor: str
    levels: tuple[str, str]
    difference: float
    """First level minus second, in the source's points."""
    sds: tuple[float, ...] = ()
    """SDs that the source states or allows, lowest to highest; d is a range over them."""
    source: str = ""

    @property
    def d(self) -> tuple[float, float] | None:
        """Lowest and highest d that the stated SDs allow, by size; none without an SD."""
        sizes = sorted((self.difference / sd for sd in self.sds if sd > 0), key=abs)
        return (sizes[0], sizes[-1]) if sizes else None


def published_contrasts(study: Mapping[str, Any]) -> list[PublishedContrast]:
    """The entries of `compare_with` that give a `difference`, in the study's order."""
    return [
        PublishedContrast(
            outcome=one["outcome"],
            factor=one.get("factor", "arm"),
            levels=(one["levels"][0], one["levels"][1]),
            difference=one["difference"],
            sds=tuple(one.get("sds") or ()),
            source=one.get("source", ""),
        )
        for one in (study.get("compare_with") or {}).values()
        if "difference" in one
    ]


def published_contrasts_table(given: ReportInput) -> Table | None:
    """Raw difference and d, theirs and ours; on an assumed scale this is all that may be compared."""
    rows = tuple(_rows(given))
    columns = (
        "Outcome",
        "Contrast",
        "Published difference",
        "Ours [95 % CI]",
        "n",
        "Published d",
        "Our effect size [95 % CI]",
    )
    notes = (
        "Differences are raw points, each on its own scale; a published d is a range over the SDs that its source states or allows",
        *caveats(given),
    )
    return Table("published-contrasts", "Beside published differences", columns, rows, 2, None, notes) if rows else None


def _rows(given: ReportInput) -> Iterator[Row]:
    titles = titles_by_outcome(given)
    for one in published_contrasts(given.study):
        ours = next(
            (
                found
                for found in given.results.comparisons
                if (found.outcome, found.factor, found.levels) == (one.outcome, one.factor, one.levels)
            ),
            None,
        )
        if ours is None:
            continue
        scale = " (on an assumed scale)" if is_assumed(given, one.outcome) else ""
        range_of_d = "–" if one.d is None else f"{number(one.d[0], 2)} to {number(one.d[1], 2)}"
        cells = (
            f"{titles.get(one.outcome, one.outcome)}{scale}",
            f"{one.levels[0]} − {one.levels[1]}",
            number(one.difference, 2),
            f"{number(ours.estimate, 2)} {interval(ours.interval, 2)}".strip(),
            str(ours.n),
            range_of_d if one.sds else "no SD stated",
            effect(ours.effects[0]) if ours.effects else "–",
        )
        yield Row(cells, detail=one.source)
