"""`rater-check`: may this rater be used? Known groups told apart, and spoiled sessions noticed.

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
from cbtrun.plugins.raters.control_sessions import FACTOR, KINDS, NONE, OF

if TYPE_CHECKING:
    from cbtrun.plugin import Aggregate, BlockContext, Json, Problem, Rubric, ScoreTable, StageContext

SPOILED = {
    "shuffled": "turns in random order",
    "swapped": "another session's therapist",
    "no-homework": "homework taken out",
}
FEWEST_PAIRS = 5


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
        "description": "Negative control (shuffled, swapped, no-homework) -> the outcome that should fall. Left out: the "
        "item `homework` for no-homework where the rubric has it, else the outcome itself.",
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

    A session whose score is already the lowest that was given cannot fall; where no session can, nothing is decided.
    """
    originals = {row.session: row for row in table.rows if row.levels.get(FACTOR) == NONE}
    pairs = [
        (originals[row.levels[OF]], row) for row in rows_at(table, FACTOR, kind) if row.levels.get(OF) in originals
    ]
    both = [(a, b) for a, b in pairs if a.value is not None and b.value is not None]
    lowest = min((row.value for row in table.rows if row.value is not None), default=None)
    usable = [(a, b) for a, b in both if a.value != lowest]
    differences = [a.value - b.value for a, b in usable if a.value is not None and b.value is not None]
    mean = paired.mean_of_differences(differences)
    effects, effect_notes = effects_and_notes([effect_sizes.rank_biserial(differences), effect_sizes.dz(differences)])
    tests, test_notes = tests_and_notes([paired.wilcoxon_test(differences)])
    left_out = len(both) - len(usable)
    notes = (
        [f"{left_out} pairs left out: the session already has the lowest score given, so it cannot fall"]
        if left_out
        else []
    )
    return Comparison(
        analysis=name,
        design="negative control",
        outcome=table.outcome,
        factor=FACTOR,
        levels=(NONE, kind),
        groups=(
            _group(NONE, [a for a, _ in pairs], [a for a, _ in usable]),
            _group(kind, [b for _, b in pairs], [b for _, b in usable]),
        ),
        n=len(usable),
        unit_of_analysis="pair of a session and its control",
        estimate=mean.value,
        interval=mean.interval,
        effects=effects,
        tests=tests,
        notes=(*notes, *filter(None, [mean.note]), *effect_notes, *test_notes),
        sentence="",
        scope=(),  # the verdict is about this rater and these sessions, and says so itself
    )


def _group(level: str, rows: Sequence[Row], used: Sequence[Row]) -> Any:
    unused = {row.session: "the session cannot fall" for row in rows if row not in used and row.value is not None}
    return group_of(level, rows, [row.value for row in used if row.value is not None], unused)


def with_verdict(compared: Sequence[Comparison], least_auc: float) -> list[Comparison]:
    """The comparisons in words: each control noticed or flagged, and whether the rater may be used."""
    groups, *controls = compared
    told = [one.model_copy(update={"sentence": control_sentence(one)}) for one in controls]
    missed = [one.levels[1] for one in controls if noticed(one) is False]
    open_ones = [one.levels[1] for one in controls if noticed(one) is None]
    able = tells_apart(groups, least_auc)
    if able is False or missed:
        verdict = "it may not be used"
    elif able is None or open_ones:
        verdict = "undecided: more sessions are needed before it may be used"
    else:
        verdict = "it may be used to compare groups of sessions like these"
    why = [f"it does not notice {_listed(missed)}"] if missed else []
    why += [f"too little to tell whether it notices {_listed(open_ones)}"] if open_ones else []
    why += ["no negative control was made"] if not controls else []
    sentence = f"{groups_sentence(groups, least_auc)} Verdict: {verdict}{' (' + '; '.join(why) + ')' if why else ''}."
    notes = (
        *groups.notes,
        "the verdict holds for transcripts like these and for this rubric; it is no validation against clinicians",
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
    """Whether spoiled sessions score lower for certain; none with fewer than five pairs that can fall."""
    if control.n < FEWEST_PAIRS or control.estimate is None:
        return None
    if control.interval is None:
        return control.estimate > 0
    return control.interval.low > 0


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
        return f"Control `{kind}` ({what}): too few sessions that can fall (n = {control.n}) to tell whether it is noticed."
    span = control.interval
    ends = f" (95 % CI {span.low:.2f} to {span.high:.2f}; n = {control.n})" if span else f" (n = {control.n})"
    fall = f"spoiled sessions score {abs(control.estimate):.2f} points {'lower' if control.estimate >= 0 else 'higher'}{ends}"
    return f"Control `{kind}` ({what}) is {'noticed' if noticed(control) else 'NOT NOTICED: flagged'}; {fall}."


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(f"{kind} ({SPOILED.get(kind, kind)})" for kind in kinds)
