"""How far scores would repeat: variance components where sessions were rated several times, else a plain word."""

from __future__ import annotations

from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import caveats, titles_by_outcome
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import number

LOW_RELIABILITY = 0.7
"""Below it a group difference is blurred enough to say so (Nunnally 1978, for early research)."""


def reliability_table(given: ReportInput) -> Table | None:
    """Variance components in squared points and reliability, one row an outcome; none where ratings do not repeat."""
    found = {one.outcome: one for one in reversed(given.results.comparisons) if one.variance}
    if not found:
        return None
    parts = sorted({part for one in found.values() for part in one.variance} - {"reliability"})
    titles = titles_by_outcome(given)
    rows = tuple(
        Row(
            (
                titles.get(outcome, outcome),
                str(one.n),
                *(number(one.variance.get(part), 2) for part in parts),
                number(one.variance.get("reliability"), 2),
            )
        )
        for outcome, one in reversed(found.items())
    )
    columns = ("Outcome", "n", *(f"{part} variance" for part in parts), "Reliability")
    notes = (
        "Variance in squared points; reliability is the share of variance that is not the raters’",
        *caveats(given),
    )
    return Table("reliability", "Where scores vary", columns, rows, 1, None, notes)


def low_reliability(given: ReportInput) -> list[str]:
    """Outcomes whose scores would not repeat well."""
    titles = titles_by_outcome(given)
    worst: dict[str, float] = {}
    for one in given.results.comparisons:
        if (found := one.variance.get("reliability")) is not None and found < LOW_RELIABILITY:
            worst[titles.get(one.outcome, one.outcome)] = min(found, worst.get(one.outcome, 1.0))
    return [
        f"Scores on {name} would repeat poorly (reliability {number(value, 2)}): differences are blurred, and look smaller than they are."
        for name, value in sorted(worst.items())
    ]
