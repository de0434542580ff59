"""Whether the ratings can be trusted: diagnostics in plain words, rater severity, limits of agreement, human norms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cbtrun.plugins.report.behind import Levels, rated_sessions, scored, unscored
from cbtrun.plugins.report.care import Care
from cbtrun.plugins.report.inputs import Norm, ReportInput, main_grouping
from cbtrun.plugins.report.result_tables import MISSING_COLUMN, caveats, outcome_title, titles_by_outcome
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import interval, number
from cbtrun.ratings.norms import norms_of

if TYPE_CHECKING:
    from cbtrun.results.records import Results

NAMES = {
    "ceiling": "Ceiling",
    "floor": "Floor",
    "halo": "Halo",
    "length": "Length",
    "evidence_position": "Where quotes stand",
    "order": "Order",
    "drift": "Drift",
    "self_preference": "Self-preference",
    "unscored": "Unscored",
    "absent": "Absent",
    "unblinding": "Unblinding",
    "norm": "Human norm",
}
CONVENTIONS = "A warning says where to look, by conventions of ours; none says nothing about validity"


def rating_tables(given: ReportInput) -> tuple[Table, ...]:
    """Those of the tables here that the study has something for."""
    found = (
        norms_table(given),
        severity_table(given),
        limits_table(given),
        diagnostics_table(given),
        filled_table(given),
    )
    return tuple(table for table in found if table is not None)


def rating_warnings(given: ReportInput) -> list[Care]:
    """The warnings of all diagnostics; ends of scales are told elsewhere, for all items at once."""
    several = len(given.results.ratings) > 1
    return [
        Care(f"{name}: {one.warning}" if several else one.warning, _looked_at(given, name, one.about))
        for name, rated in given.results.ratings.items()
        for one in rated.diagnostics
        if one.warning and one.name not in ("ceiling", "floor")
    ]


def diagnostics_table(given: ReportInput) -> Table | None:
    """Everything that was looked at, warnings below their row."""
    rows = []
    for name, rated in given.results.ratings.items():
        titles = {item.id: item.title for item in rated.rubric.items}
        for at, one in enumerate(rated.diagnostics):
            about = titles.get(one.about, one.about)
            cells = (name, NAMES.get(one.name, one.name), about, one.says, str(one.n), number(one.value, 2))
            rows.append(Row(cells, sessions=_looked_at(given, name, one.about), starts=at == 0, detail=one.warning))
    columns = ("Ratings", "Looked at", "About", "What the value is", "n", "Value")
    notes = (CONVENTIONS, *caveats(given))
    return Table("diagnostics", "What was looked at", columns, tuple(rows), 4, 4, notes) if rows else None


def _looked_at(given: ReportInput, name: str, about: str) -> Levels:
    """The sessions that a diagnostic rests on: those with a value of its outcome, or rated by its rater."""
    if about in given.rated[name].values:
        return scored(given, f"{name}.{about}", {})
    rater = (about,) if about in given.results.ratings[name].raters else ()
    return rated_sessions(given, name, rater)


def severity_table(given: ReportInput) -> Table | None:
    """How severe each rater is beside the others, on every total; none with one rater."""
    titles = titles_by_outcome(given)
    rows = [
        Row(
            (
                titles.get(found.outcome, found.outcome),
                one.rater,
                str(one.n),
                number(one.mean, 2),
                f"{number(one.deviation, 2)} {interval(one.interval, 2)}".strip(),
            ),
            sessions=rated_sessions(given, found.outcome, (one.rater,)),
            starts=at == 0,
        )
        for rated in given.results.ratings.values()
        for found in rated.reliability
        if found.severity and (found.kind == "total" or not rated.rubric.has_total)
        for at, one in enumerate(found.severity)
    ]
    columns = ("Outcome", "Rater", "n", "Mean", "From the others’ mean [95 % CI]")
    notes = ("Points below (−) or above the mean of the other raters on the same sessions", *caveats(given))
    return Table("severity", "Severity of raters", columns, tuple(rows), 2, 2, notes) if rows else None


def limits_table(given: ReportInput) -> Table | None:
    """Bland-Altman limits of agreement of every two raters or repeats, on every outcome."""
    titles = titles_by_outcome(given)
    rows = [
        Row(
            (
                titles.get(found.outcome, found.outcome),
                f"{one.first} − {one.second}",
                str(one.n),
                f"{number(one.difference, 2)} {interval(one.interval, 2)}".strip(),
                f"{number(one.low, 2)} to {number(one.high, 2)}",
            ),
            sessions=rated_sessions(given, found.outcome, least=2),
            starts=at == 0,
        )
        for rated in given.results.ratings.values()
        for found in rated.reliability
        for at, one in enumerate(found.limits)
    ]
    columns = ("Outcome", "Pair", "n", "Mean difference [95 % CI]", "Limits of agreement")
    notes = ("Bland-Altman: 95 % of differences between two ratings of a session are expected within the limits",)
    return (
        Table("limits", "Limits of agreement", columns, tuple(rows), 2, 2, (*notes, *caveats(given))) if rows else None
    )


def filled_table(given: ReportInput) -> Table | None:
    """Mean totals were unscored items filled in, by the main grouping; none where none is unscored."""
    titles, main = titles_by_outcome(given), main_grouping(given)
    rows = [
        Row(
            (
                titles.get(one.outcome, one.outcome),
                one.level,
                str(one.n),
                str(one.missing),
                *(number(value, 1) for value in (one.mean, one.prorated, one.lowest, one.highest)),
            ),
            sessions=scored(given, one.outcome, {main: one.level}),
            apart={
                MISSING_COLUMN: unscored(given, one.outcome, {main: one.level}) if one.missing else None,
                **dict.fromkeys((5, 6, 7), rated_sessions(given, one.outcome, levels={main: one.level})),
            },
        )
        for rated in given.results.ratings.values()
        for one in rated.filled
        if one.grouping == main
    ]
    columns = ("Outcome", "Sessions", "n", "Missing", "Mean", "Prorated", "All lowest", "All highest")
    notes = (
        "Sensitivity only: the mean rests on sessions with every item scored (n); the others are means of all sessions with "
        "unscored items prorated, at their lowest, or at their highest",
        *caveats(given),
    )
    return Table("filled", "Were unscored items filled in", columns, tuple(rows), 2, 2, notes) if rows else None


def norms_table(given: ReportInput) -> Table | None:
    """Means of this study beside those of human therapists, item by item; none without norms."""
    rows, sources = [], []
    for name, rated in given.results.ratings.items():
        norms = norms_of(rated.rubric.name)
        if norms is None:
            continue
        sources.append(f"Human norms: {norms.source} {norms.of[:1].upper()}{norms.of[1:]}")
        for outcome in rated.outcomes:
            norm = norms.outcomes.get(outcome.outcome.removeprefix(f"{name}."))
            everyone = next(iter(outcome.groups.get("all", ())), None)
            if norm is None or everyone is None:
                continue
            here = f"{number(everyone.mean, 2)} {interval(everyone.interval, 2)}".strip()
            human = number(norm.mean, 2) + (f" (SD {number(norm.sd, 2)})" if norm.sd else "")
            title = outcome_title(given, outcome)
            cells = (title, str(everyone.n), here, f"{norms.n:,}", human)
            rows.append(Row(cells, sessions=scored(given, outcome.outcome, {}), apart=dict.fromkeys((3, 4))))
    columns = ("Outcome", "n", "Here, all sessions [95 % CI]", "n, human", "Human therapists")
    notes = (*(source.rstrip(".") for source in sources), *caveats(given))
    return Table("norms", "Beside human therapists", columns, tuple(rows), 1, 1, notes) if rows else None


def shipped_norms(results: Results) -> Mapping[str, Norm]:
    """Outcome (`ctrs.agenda`) -> human norm, for the figures."""
    found = {}
    for name, rated in results.ratings.items():
        norms = norms_of(rated.rubric.name)
        for outcome, norm in (norms.outcomes if norms else {}).items():
            found[f"{name}.{outcome}"] = Norm(
                norm.mean, norm.sd, norms.n if norms else None, norms.source if norms else ""
            )
    return found
