"""The tables of results: groups, items, comparisons, sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cbtrun.plugin import Comparison, GroupSummary, OutcomeSummary, level_text
from cbtrun.plugins.report.behind import behind_comparison, scored, unscored
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.scales import with_end
from cbtrun.plugins.report.tables import Row, Table, as_csv
from cbtrun.plugins.report.wording import (
    contrast,
    decimals_for,
    difference_decimals,
    effect,
    effect_name,
    has_levels,
    interval,
    interval_head,
    number,
    probability,
    subgroup,
    with_interval,
)

MEAN = "Mean [95 % CI]"
MISSING_COLUMN = 3


def groups_table(given: ReportInput, grouping: str, name: str = "groups") -> Table:
    """n, missing, mean, SD and median of every total and subscale, one row a level."""
    rows = []
    for outcome in outcomes(given, ("total", "subscale")):
        for at, group in enumerate(outcome.groups.get(grouping, ())):
            told = _described(group, decimals_for(outcome.kind))
            cells = (
                with_end(given, outcome.outcome, outcome_title(given, outcome)),
                group.level,
                *told,
                number(group.median, 1),
            )
            found, lost = (one(given, outcome.outcome, {grouping: group.level}) for one in (scored, unscored))
            apart = {MISSING_COLUMN: lost if group.missing else None}
            rows.append(Row(cells, sessions=found, apart=apart, starts=at == 0, detail=_why_missing(group)))
    columns = ("Outcome", _grouping_title(grouping), "n", "Missing", MEAN, "SD", "Median")
    return Table(name, f"Scores by {_grouping_title(grouping)}", columns, tuple(rows), 2, 2, caveats(given))


def items_table(given: ReportInput, grouping: str) -> Table:
    """n, missing, mean with interval and SD of every item, one row an item and level."""
    rows = []
    for outcome in outcomes(given, ("item",)):
        for at, group in enumerate(outcome.groups.get(grouping, ())):
            cells = (
                with_end(given, outcome.outcome, outcome_title(given, outcome)),
                group.level,
                *_described(group, 2),
            )
            found, lost = (one(given, outcome.outcome, {grouping: group.level}) for one in (scored, unscored))
            apart = {MISSING_COLUMN: lost if group.missing else None}
            rows.append(Row(cells, sessions=found, apart=apart, starts=at == 0))
    columns = ("Item", _grouping_title(grouping), "n", "Missing", MEAN, "SD")
    return Table("items", f"Items by {_grouping_title(grouping)}", columns, tuple(rows), 2, 2, caveats(given))


def comparisons_table(given: ReportInput) -> Table:
    """Every declared comparison: difference with interval, effect size, p and adjusted p.

    What is the same in every row stands in the title and in the head instead: contrast, kind of effect size.
    """
    found = by_contrast(given.results.comparisons)
    names = [contrast_name(one, found) for one in found]
    sizes = {one.effects[0].name for one in found if one.effects}
    spans = [one.interval for one in found]
    of_sizes = [one.effects[0].interval for one in found if one.effects]
    families = any(one.held_back or (one.interval_adjusted is not None and (one.family or 1) > 1) for one in found)
    adjusted = any(test.p_adjusted is not None for one in found for test in one.tests[:1])
    titles, items = titles_by_outcome(given), item_outcomes(given)
    single = len(set(names)) == 1
    rows = []
    for at, (one, name) in enumerate(zip(found, names, strict=True)):
        decimals = difference_decimals(one.estimate, 2 if one.outcome in items else 1)
        told = (
            counted(one),
            with_interval(one.estimate, one.interval, decimals, levelled=has_levels(spans)),
            *_tested_cells(one, same_size=len(sizes) == 1, adjusted=adjusted),
            *([_in_its_family(one, decimals)] if families else []),
        )
        cells = (*([] if single else [name]), with_end(given, one.outcome, titles.get(one.outcome, one.outcome)), *told)
        rows.append(
            Row(cells, sessions=behind_comparison(given, one), starts=single or at == 0 or names[at - 1] != name)
        )
    size_title = f"{effect_name(sizes.pop()) if len(sizes) == 1 else 'Effect size'} {interval_head(of_sizes)}"
    numbers = ("n", f"Difference {interval_head(spans)}", size_title, "p", *(["Adjusted p"] if adjusted else []))
    numbers += ("CI with its family",) if families else ()
    words = ("Outcome",) if single else ("Contrast", "Outcome")
    title = f"Declared comparisons{f', {names[0]}' if single else ''}"
    return Table(
        "comparisons", title, (*words, *numbers), tuple(rows), len(words), len(words), caveats(given), blocks=not single
    )


def by_contrast(found: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with those of one contrast together: contrasts, and outcomes within each, in the study's order."""
    together: dict[str, list[Comparison]] = {}
    for one in found:
        together.setdefault(contrast_name(one, found), []).append(one)
    return [one for members in together.values() for one in members]


def contrast_name(one: Comparison, found: Sequence[Comparison]) -> str:
    """The contrast, with its analysis where several analyses make the same one."""
    name = f"{contrast(one)}{subgroup(one)}"
    makers = {other.analysis for other in found if (other.levels, other.where) == (one.levels, one.where)}
    return f"{name} ({one.analysis})" if len(makers) > 1 else name


def counted(one: Comparison) -> str:
    """How many units a comparison has, as its sentence counts: of a model of single ratings the sessions, with the ratings behind."""
    if one.unit_of_analysis != "rating":
        return str(one.n)
    return f"{sum(group.n for group in one.groups)} ({one.n} ratings)"


def _in_its_family(one: Comparison, decimals: int) -> str:
    """The interval that goes with the adjusted p, with its level; why there is none where something holds it back."""
    if one.held_back:
        return "held back"
    span = one.interval_adjusted
    return f"{interval(span, decimals)} ({level_text(span)})" if span is not None else "–"


def _tested_cells(one: Comparison, *, same_size: bool, adjusted: bool) -> tuple[str, ...]:
    first = next(iter(one.tests), None)
    size = one.effects[0] if one.effects else None
    shown = effect(size).removeprefix(f"{effect_name(size.name)} " if same_size else "") if size else "–"
    return (
        shown,
        probability(first.p if first else None),
        *([probability(first.p_adjusted if first else None)] if adjusted else []),
    )


def tidy_groups(given: ReportInput) -> str:
    """CSV: one line an outcome, grouping and level, numbers unrounded."""
    columns: tuple[str, ...] = (
        "outcome",
        "kind",
        "grouping",
        "level",
        "n",
        "missing",
        "reasons",
        "mean",
        "sd",
        "median",
    )
    columns += ("interval_low", "interval_high", "interval_level", "interval_method", "personas", "lowest", "highest")
    lines: list[tuple[object, ...]] = []
    for outcome in outcomes(given):
        for grouping, groups in outcome.groups.items():
            for group in groups:
                span = group.interval
                bounds = (span.low, span.high, span.level, span.method) if span else (None,) * 4
                head = (outcome.outcome, outcome.kind, grouping, group.level, group.n, group.missing, _reasons(group))
                lines.append(
                    (*head, group.mean, group.sd, group.median, *bounds, group.personas, group.low, group.high)
                )
    return as_csv(columns, lines)


def tidy_comparisons(given: ReportInput) -> str:
    """CSV: one line a comparison and each of its tests and effect sizes, numbers unrounded."""
    columns: tuple[str, ...] = (
        "analysis",
        "design",
        "outcome",
        "factor",
        "contrast",
        "n",
        "unit_of_analysis",
        "kind",
        "name",
        "value",
    )
    columns += ("interval_low", "interval_high", "interval_level", "interval_method", "df", "p", "p_adjusted")
    return as_csv(columns, [line for one in given.results.comparisons for line in _tidy_lines(one)])


def tidy_sessions(given: ReportInput) -> str:
    """CSV: one line a session with its factors and the value of every outcome; no words of the session."""
    factors = sorted({factor for session in given.sessions for factor in session.factors})
    names = [(name, outcome) for name, rated in given.rated.items() for outcome in rated.values]
    columns = ("session", "arm", "persona", "repeat", *factors, "turns", "ended", *(f"{a}.{b}" for a, b in names))
    lines = [
        (
            *(session.id, session.arm, session.persona, session.repeat),
            *(session.factors.get(factor) for factor in factors),
            *(len(session.turns), session.ended),
            *(given.rated[name].values[outcome].get(session.id) for name, outcome in names),
        )
        for session in given.sessions
    ]
    return as_csv(columns, lines)


def outcomes(given: ReportInput, kinds: Sequence[str] = ("total", "subscale", "item")) -> Iterator[OutcomeSummary]:
    """The outcomes of every rating set, of some kinds."""
    for rated in given.results.ratings.values():
        yield from (outcome for outcome in rated.outcomes if outcome.kind in kinds)


def outcome_title(given: ReportInput, outcome: OutcomeSummary) -> str:
    """The outcome's name; with its rating set where the study has several sets, or where it is a total."""
    rated = set_title(given, outcome.outcome.split(".", 1)[0])
    if outcome.kind == "total":
        return outcome.title if outcome.outcome in given.labelled_outcomes else f"{rated} total"
    return f"{rated}: {outcome.title}" if len(given.results.ratings) > 1 else outcome.title


def set_title(given: ReportInput, rated: str) -> str:
    """Name of a rating set; in capitals, as rubrics are known, where it is just the rubric's."""
    return rated.upper() if given.results.ratings[rated].rubric.name == rated else rated


def titles_by_outcome(given: ReportInput) -> dict[str, str]:
    """Outcome -> its name."""
    return {outcome.outcome: outcome_title(given, outcome) for outcome in outcomes(given)}


def item_outcomes(given: ReportInput) -> frozenset[str]:
    """The outcomes that are single items."""
    return frozenset(outcome.outcome for outcome in outcomes(given, ("item",)))


def caveats(given: ReportInput) -> tuple[str, ...]:
    """What stands beside every score: what is known of the rubric's validity."""
    facts = {rated.rubric.name: rated.rubric for rated in given.results.ratings.values()}
    return tuple(
        ". ".join(said.rstrip(".") for said in (f"{one.name.upper()}: {one.validation}", *one.notes))
        for one in facts.values()
    )


def _described(group: GroupSummary, decimals: int) -> tuple[str, str, str, str]:
    """n, missing, mean with interval, SD."""
    mean = with_interval(group.mean, group.interval, decimals)
    return str(group.n), str(group.missing), mean, number(group.sd, decimals)


def _why_missing(group: GroupSummary) -> str:
    return f"{group.missing} missing: {_reasons(group)}" if group.missing else ""


def _reasons(group: GroupSummary) -> str:
    return "; ".join(f"{reason} ({count})" for reason, count in group.reasons.items())


def _grouping_title(grouping: str) -> str:
    return {"all": "sessions"}.get(grouping, grouping.replace("_", " "))


def _tidy_lines(one: Comparison) -> Iterator[tuple[object, ...]]:
    head = (one.analysis, one.design, one.outcome, one.factor, contrast(one), one.n, one.unit_of_analysis)
    span = one.interval
    bounds = (span.low, span.high, span.level, span.method) if span else (None,) * 4
    yield (*head, "difference", "points", one.estimate, *bounds, None, None, None)
    if one.interval_adjusted is not None:
        span = one.interval_adjusted
        bounds = (span.low, span.high, span.level, span.method)
        yield (*head, "difference with its family", "points", one.estimate, *bounds, None, None, None)
    for size in one.effects:
        span = size.interval
        bounds = (span.low, span.high, span.level, span.method) if span else (None,) * 4
        yield (*head, "effect size", size.name, size.value, *bounds, None, None, None)
    for test in one.tests:
        yield (*head, "test", test.name, test.statistic, None, None, None, None, test.df, test.p, test.p_adjusted)
