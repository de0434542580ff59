"""Rows of the frames of what a study found, as results.json has it: groups and comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cbtrun.contract.records import Comparison, Interval
from cbtrun.frames.run_records import RunRecords
from cbtrun.results.labelled import labelled_comparison
from cbtrun.results.records import GroupSummary

Row = dict[str, Any]


def group_rows(run: RunRecords) -> Iterator[Row]:
    """A row an outcome, grouping and level."""
    for rated in run.made_results().ratings.values():
        for one in rated.outcomes:
            label = run.labels.item(one.outcome, one.title)
            for grouping, groups in one.groups.items():
                told = {"outcome": one.outcome, "kind": one.kind, "label": label, "grouping": grouping}
                yield from ({**told, **_of_group(run, grouping, group)} for group in groups)


def _of_group(run: RunRecords, grouping: str, group: GroupSummary) -> Row:
    return {
        "level": group.level,
        "level_label": run.labels.level(grouping, group.level),
        "n": group.n,
        "missing": group.missing,
        "reasons": [f"{reason} ({count})" for reason, count in group.reasons.items()],
        "mean": group.mean,
        **_interval("interval", group.interval),
        "sd": group.sd,
        "median": group.median,
        "lowest": group.low,
        "highest": group.high,
        "personas": group.personas,
    }


def comparison_rows(run: RunRecords) -> Iterator[Row]:
    """A row a comparison, in the study's order."""
    results = run.made_results()
    titles = {one.outcome: one.title for rated in results.ratings.values() for one in rated.outcomes}
    for one in results.comparisons:
        labelled = labelled_comparison(one, run.labels)
        yield {
            **_asked(one),
            "label": run.labels.item(one.outcome, titles.get(one.outcome, one.outcome)),
            "level_labels": labelled.levels,
            "sentence": labelled.sentence,
            **_state(one),
            **_found(one),
            **_tested(one),
        }


def _asked(one: Comparison) -> Row:
    return {
        "analysis": one.analysis,
        "design": one.design,
        "outcome": one.outcome,
        "factor": one.factor,
        "levels": one.levels,
        "where": [f"{factor} = {', '.join(kept)}" for factor, kept in one.where.items()],
        "subgroup": one.subgroup,
        "n": one.n,
        "unit": one.unit_of_analysis,
        "personas": one.personas,
        "margin": one.margin,
        "notes": one.notes,
        "checks": one.checks,
    }


def _state(one: Comparison) -> Row:
    """Whether there is a number, and whether it counts. An omnibus test has none and is estimated by its test."""
    if one.held_back:
        return {"state": "held back", "reason": one.held_back}
    if one.estimate is None and not one.tests:
        return {"state": "not estimated", "reason": "; ".join(one.notes) or one.sentence}
    return {"state": "estimated"}


def _found(one: Comparison) -> Row:
    worst = one.worst_case
    return {
        "estimate": one.estimate,
        **_interval("interval", one.interval),
        **{f"adjusted_{end}": value for end, value in _ends(one.interval_adjusted).items()},
        "worst_low": worst.low if worst else None,
        "worst_high": worst.high if worst else None,
    }


def _tested(one: Comparison) -> Row:
    """The first effect size and the first test: those that the report's tables show."""
    effect, test = next(iter(one.effects), None), next(iter(one.tests), None)
    found: Row = {"correction": one.correction or None, "family": one.family}
    if effect is not None:
        ends = {f"effect_{end}": value for end, value in _ends(effect.interval).items()}
        found |= {"effect": effect.name, "effect_value": effect.value, **ends}
    if test is not None:
        found |= {
            "test": test.name,
            "statistic": test.statistic,
            "df": test.df,
            "p": test.p,
            "p_adjusted": test.p_adjusted,
        }
    return found


def _interval(name: str, told: Interval | None) -> Row:
    ends = {f"{name}_{end}": value for end, value in _ends(told).items()}
    return {**ends, f"{name}_level": told.level, f"{name}_method": told.method} if told else ends


def _ends(told: Interval | None) -> dict[str, float]:
    return {"low": told.low, "high": told.high} if told else {}
