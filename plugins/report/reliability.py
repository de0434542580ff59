"""How far scores would repeat: agreement of raters and repeats, variance components, and plain words on both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cbtrun.plugin import Comparison, Reliability
from cbtrun.plugins.report.behind import behind_comparison, rated_sessions
from cbtrun.plugins.report.care import Care
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import caveats, titles_by_outcome
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import number, with_interval

LOW_RELIABILITY = 0.7
"""Below it a group difference is blurred enough to say so (Nunnally 1978, for early research)."""

MOST_NAMED = 2
"""Outcomes that a note names; of more it gives the count."""

COEFFICIENTS = {
    "icc_2_1": "ICC(2,1)",
    "icc_2_k": "ICC(2,k)",
    "icc_3_1": "ICC(3,1)",
    "alpha_ordinal": "Krippendorff’s α, ordinal",
    "alpha_interval": "Krippendorff’s α, interval",
    "kappa_quadratic": "κ, quadratic weights",
    "within_session_sd": "SD within a session, points",
}


def agreement_table(given: ReportInput) -> Table | None:
    """Agreement between raters, or repeats of one, on every outcome; none where nothing was rated twice."""
    found = [one for rated in given.results.ratings.values() for one in rated.reliability]
    names = list(dict.fromkeys(each.name for one in found for each in one.coefficients))
    if not names:
        return None
    titles = titles_by_outcome(given)
    rows = []
    for one in found:
        told = {each.name: with_interval(each.value, each.interval, 2) for each in one.coefficients}
        cells = (
            titles.get(one.outcome, one.outcome),
            one.between,
            str(one.sessions),
            *(told.get(name, "–") for name in names),
        )
        rows.append(Row(cells, sessions=rated_sessions(given, one.outcome, least=2)))
    columns = ("Outcome", "Between", "n", *(f"{COEFFICIENTS.get(name, name)} [95 % CI]" for name in names))
    said = dict.fromkeys(note.rstrip(".") for one in found for note in one.notes)
    return Table(
        "agreement", "Agreement", columns, tuple(rows), 2, 2, (*said, *_reasons(found, titles), *caveats(given))
    )


def _reasons(found: Sequence[Reliability], titles: Mapping[str, str]) -> list[str]:
    """Why coefficients, or their intervals, are missing: each reason once, with what it is about."""
    about: dict[str, dict[str, list[str]]] = {}
    for one in found:
        for each in one.coefficients:
            if each.value is None or each.interval is None:
                name = COEFFICIENTS.get(each.name, each.name)
                told = about.setdefault(
                    re.sub(r"^mean of \d+ pairs(; )?", "", each.note) or "no interval", {}
                ).setdefault(name, [])
                told.append(titles.get(one.outcome, one.outcome))
    return [
        f"{', '.join(f'{name} of {_listed(outcomes)}' for name, outcomes in by_name.items())}: {note}"
        for note, by_name in about.items()
    ]


def _listed(outcomes: Sequence[str]) -> str:
    different = list(dict.fromkeys(outcomes))
    return " and ".join(different) if len(different) <= MOST_NAMED else f"{len(different)} outcomes"


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
            ),
            sessions=behind_comparison(given, one),
        )
        for outcome, one in reversed(found.items())
    )
    columns = ("Outcome", "n", *(f"{part} variance" for part in parts), "Reliability")
    notes = (
        "Variance in squared points; reliability is the share of variance that is not the raters’",
        *caveats(given),
    )
    return Table("reliability", "Where scores vary", columns, rows, 1, 1, notes)


def low_reliability(given: ReportInput) -> list[Care]:
    """Outcomes whose scores would not repeat well, each by its comparison with the lowest reliability."""
    titles = titles_by_outcome(given)
    worst: dict[str, Comparison] = {}
    for one in given.results.comparisons:
        found = one.variance.get("reliability")
        if found is not None and found < LOW_RELIABILITY:
            before = worst.get(one.outcome)
            if before is None or found < before.variance["reliability"]:
                worst[one.outcome] = one
    told = sorted(((titles.get(outcome, outcome), one) for outcome, one in worst.items()), key=lambda one: one[0])
    return [
        Care(
            f"Scores on {name} would repeat poorly (reliability {number(one.variance['reliability'], 2)}): differences are "
            "blurred, and look smaller than they are.",
            behind_comparison(given, one),
        )
        for name, one in told
    ]
