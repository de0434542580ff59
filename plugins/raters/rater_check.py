"""`rater-check`: may this rater be used? Known groups told apart, spoiled sessions noticed, unspoiled ones not.

The verdict is about the transcripts it was reached on: a rater that may be used on them is no more than not refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnalysisTable,
    Comparison,
    LevelledSession,
    Row,
    analysis_table,
    block_schema,
    effect_sizes,
    effects_and_notes,
    finished,
    group_of,
    hookimpl,
    keep_where,
    levelled_sessions,
    paired,
    rows_at,
    stored,
    tests_and_notes,
    two_groups,
    two_levels_options,
)
from cbtrun.plugins.raters.control_sessions import FACTOR, KINDS, NONE, OF, PLACEBO

if TYPE_CHECKING:
    from cbtrun.plugin import Aggregate, BlockContext, Json, Problem, Rubric, ScoreTable, StageContext

SPOILED = {
    "shuffled": "turns in random order",
    "swapped": "another session's therapist",
    "no-homework": "homework taken out",
    PLACEBO: "the same session again",
}
FEWEST_PAIRS = 5
"""Below this nothing is decided."""
FEWEST_TO_FLAG = 10
"""Below this a fall that is not shown flags nobody: so few pairs miss a fall of a whole SD in one study of four."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: rater-check` under `analysis`."""
    if stage != "analysis":
        return None
    options = two_levels_options()
    options["levels"]["description"] = "Exactly two levels: the one that should score higher, then the other."
    controls = {
        "type": "object",
        "default": {},
        "description": "Control (shuffled, swapped, no-homework) -> the outcome that should fall, or `placebo` -> the one that must "
        "not. Left out: the item `homework` for no-homework where the rubric has it, else the outcome itself.",
        "propertyNames": {"enum": list(KINDS)},
        "additionalProperties": {"type": "string", "x-names": "outcome"},
    }
    least = {
        "type": "number",
        "minimum": 0.5,
        "maximum": 1,
        "default": 0.7,
        "description": "The lower end of AUC's 95 % interval must reach this for the rater to be usable.",
    }
    return block_schema(["factor", "levels"], {**options, "controls": controls, "least_auc": least})


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Controls that are named must be made by the sessions block."""
    return [
        context.problem(f"the sessions have no control '{kind}'; add it under `sessions/controls`", "controls", kind)
        for kind in context.options.get("controls") or {}
        if kind not in context.study.sessions.controls
    ]


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """Known groups first, with the verdict; then each control against the sessions it was made from."""
    options = context.options
    set_name, _, outcome = options["outcome"].partition(".")
    scores = context.scores(set_name)
    table_of = cache(partial(_table, scores, levelled_sessions(context), set_name, options.get("aggregate")))
    table = table_of(outcome)
    groups = known_groups(context.name, options, keep_originals(table))
    kinds = [kind for kind in KINDS if rows_at(table, FACTOR, kind)]
    controls = []
    for kind in kinds:
        wanted = options.get("controls", {}).get(kind) or default_outcome(
            kind, scores.rubric, set_name, options["outcome"]
        )
        controls.append(control_comparison(context.name, kind, table_of(wanted.partition(".")[2])))
    compared = finished([groups, *controls], {**options, "family": "block"})
    return [stored(one) for one in with_verdict(compared, options.get("least_auc", 0.7))]


def default_outcome(kind: str, rubric: Rubric, set_name: str, outcome: str) -> str:
    """What should fall when a session is spoiled in this way."""
    has_homework = any(item.id == "homework" for item in rubric.items)
    return f"{set_name}.homework" if kind == "no-homework" and has_homework else outcome


def _table(
    scores: ScoreTable, sessions: Sequence[LevelledSession], set_name: str, aggregate: Aggregate | None, outcome: str
) -> AnalysisTable:
    return analysis_table(f"{set_name}.{outcome}", sessions, scores.of(outcome, aggregate))


def keep_originals(table: AnalysisTable) -> AnalysisTable:
    """The sessions that are no controls."""
    has_controls = any(FACTOR in row.levels for row in table.rows)
    return keep_where(table, {FACTOR: [NONE]}) if has_controls else table


def known_groups(name: str, options: Mapping[str, Any], table: AnalysisTable) -> Comparison:
    """First level against second; sessions are the units, since each was labelled by itself."""
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    first, second = ([row.value for row in at_level if row.value is not None] for at_level in rows)
    difference = two_groups.mean_difference(first, second)
    effects, effect_notes = effects_and_notes([effect_sizes.auc(first, second), effect_sizes.hedges_g(first, second)])
    tests, test_notes = tests_and_notes([two_groups.mann_whitney_test(first, second)])
    return Comparison(
        analysis=name,
        design="known groups",
        outcome=table.outcome,
        factor=factor,
        levels=levels,
        groups=(group_of(levels[0], rows[0], first), group_of(levels[1], rows[1], second)),
        n=len(first) + len(second),
        unit_of_analysis="session",
        estimate=difference.value,
        interval=difference.interval,
        effects=effects,
        tests=tests,
        notes=(*filter(None, [difference.note]), *effect_notes, *test_notes),
        sentence="",
        scope=(),  # the verdict is about this rater and these sessions, and says so itself
    )


def control_comparison(name: str, kind: str, table: AnalysisTable) -> Comparison:
    """Each session against the control in which its therapist speaks, on the outcome that should fall.

    Every pair counts in which both have a value: that something was changed decides whether there is a control, never what
    either scored. Leaving out the sessions that scored lowest, say, would keep those whose noise went up: their second
    rating falls by itself (regression to the mean).
    """
    originals = {row.session: row for row in table.rows if row.levels.get(FACTOR) == NONE}
    pairs = [
        (originals[row.levels[OF]], row) for row in rows_at(table, FACTOR, kind) if row.levels.get(OF) in originals
    ]
    both = [(a, b) for a, b in pairs if a.value is not None and b.value is not None]
    differences = [a.value - b.value for a, b in both if a.value is not None and b.value is not None]
    mean = paired.mean_of_differences(differences)
    effects, effect_notes = effects_and_notes([effect_sizes.rank_biserial(differences), effect_sizes.dz(differences)])
    tests, test_notes = tests_and_notes([paired.wilcoxon_test(differences)])
    return Comparison(
        analysis=name,
        design="placebo control" if kind == PLACEBO else "negative control",
        outcome=table.outcome,
        factor=FACTOR,
        levels=(NONE, kind),
        groups=(
            _group(NONE, [a for a, _ in pairs], [a for a, _ in both]),
            _group(kind, [b for _, b in pairs], [b for _, b in both]),
        ),
        n=len(both),
        unit_of_analysis="pair of a session and its control",
        estimate=mean.value,
        interval=mean.interval,
        effects=effects,
        tests=tests,
        notes=(*_pair_notes(kind, len(originals), pairs, both), *filter(None, [mean.note]), *effect_notes, *test_notes),
        sentence="",
        scope=(),  # the verdict is about this rater and these sessions, and says so itself
    )


def _pair_notes(
    kind: str, sessions: int, pairs: Sequence[tuple[Row, Row]], both: Sequence[tuple[Row, Row]]
) -> list[str]:
    """Which sessions have no control, and how many of those that have one stood at the bottom before."""
    notes = []
    if sessions > len(pairs):
        notes.append(
            f"{sessions - len(pairs)} of {sessions} sessions have no such control: nothing in them could be changed"
        )
    lowest = min((row.value for pair in both for row in pair if row.value is not None), default=None)
    bottom = sum(first.value == lowest for first, _ in both)
    if bottom and kind != PLACEBO:
        notes.append(
            f"{bottom} of {len(both)} sessions had the lowest score given before anything was changed and could not fall: they "
            "count, since pairs are never chosen by their scores"
        )
    return notes


def _group(level: str, rows: Sequence[Row], used: Sequence[Row]) -> Any:
    unused = {row.session: "its other half has no score" for row in rows if row not in used and row.value is not None}
    return group_of(level, rows, [row.value for row in used if row.value is not None], unused)


def with_verdict(compared: Sequence[Comparison], least_auc: float) -> list[Comparison]:
    """The comparisons in words: each control noticed or flagged, and whether the rater may be used."""
    groups, *controls = compared
    told = [one.model_copy(update={"sentence": control_sentence(one)}) for one in controls]
    negative = [one for one in controls if one.levels[1] != PLACEBO]
    missed = [one.levels[1] for one in negative if noticed(one) is False]
    open_ones = [one.levels[1] for one in negative if noticed(one) is None]
    placebo = next((one for one in controls if one.levels[1] == PLACEBO), None)
    fell = placebo is not None and noticed(placebo) is True
    able = tells_apart(groups, least_auc)
    if able is False or missed or fell:
        verdict = "it may not be used"
    elif able is None or open_ones:
        verdict = "undecided: more sessions are needed before it may be used"
    else:
        verdict = "it may be used to compare groups of sessions like these"
    why = [f"it does not notice {_listed(missed)}"] if missed else []
    why += [f"too little to tell whether it notices {_listed(open_ones)}"] if open_ones else []
    why += ["it scores the same session lower a second time"] if fell else []
    why += ["no negative control was made"] if not negative else []
    sentence = f"{groups_sentence(groups, least_auc)} Verdict: {verdict}{' (' + '; '.join(why) + ')' if why else ''}."
    notes = (
        *groups.notes,
        "the verdict holds for transcripts like these and for this rubric; it is no validation against clinicians",
        *(
            ["no placebo control was made: whether the same session scores lower a second time is not known"]
            if placebo is None
            else []
        ),
    )
    return [groups.model_copy(update={"sentence": sentence, "notes": notes}), *told]


def tells_apart(groups: Comparison, least_auc: float) -> bool | None:
    """Whether the first level scores higher for certain; none where the interval leaves it open."""
    area = next((effect for effect in groups.effects if effect.name == "auc"), None)
    if area is None or area.interval is None:
        return None
    if area.interval.low >= least_auc:
        return True
    return False if area.value < least_auc else None


def noticed(control: Comparison) -> bool | None:
    """Whether the controls score lower for certain; none with fewer than five pairs, or fewer than ten and no fall shown.

    A rater that scores at random is taken to notice in 2.5 % of studies (benchmarks/rater_check_null.py).
    """
    if control.n < FEWEST_PAIRS or control.estimate is None:
        return None
    if control.estimate > 0 if control.interval is None else control.interval.low > 0:
        return True
    return False if control.n >= FEWEST_TO_FLAG else None


def groups_sentence(groups: Comparison, least_auc: float) -> str:
    """AUC with interval and n, and what it means."""
    area = next((effect for effect in groups.effects if effect.name == "auc"), None)
    sizes = " and ".join(str(group.n) for group in groups.groups)
    high, low = groups.levels
    if area is None or area.interval is None:
        return f"Whether `{high}` scores above `{low}` cannot be told (n = {sizes})."
    able = {True: "told apart", False: "not told apart well enough", None: "perhaps told apart"}[
        tells_apart(groups, least_auc)
    ]
    span = f"{area.value:.2f} (95 % CI {area.interval.low:.2f} to {area.interval.high:.2f}; n = {sizes})"
    return f"`{high}` and `{low}` are {able}: AUC {span}, and the lower end must reach {least_auc:g}."


def control_sentence(control: Comparison) -> str:
    """Noticed or flagged, with the mean fall."""
    kind = control.levels[1]
    what = SPOILED.get(kind, kind)
    if control.estimate is None or noticed(control) is None:
        told = "it falls" if kind == PLACEBO else "it is noticed"
        return f"Control `{kind}` ({what}): too few pairs (n = {control.n}) to tell whether {told}."
    span = control.interval
    ends = f" (95 % CI {span.low:.2f} to {span.high:.2f}; n = {control.n})" if span else f" (n = {control.n})"
    if kind == PLACEBO:
        way = "FALLS: flagged" if noticed(control) else "does not fall"
        return f"Control `{kind}` ({what}) {way}; {_fall('second ratings are', control.estimate)}{ends}."
    fall = f"{_fall('spoiled sessions score', control.estimate)}{ends}"
    return f"Control `{kind}` ({what}) is {'noticed' if noticed(control) else 'NOT NOTICED: flagged'}; {fall}."


def _fall(who: str, estimate: float) -> str:
    if estimate == 0:
        return f"{who} the same on average"
    return f"{who} {abs(estimate):.2f} points {'lower' if estimate >= 0 else 'higher'}"


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(f"{kind} ({SPOILED.get(kind, kind)})" for kind in kinds)
