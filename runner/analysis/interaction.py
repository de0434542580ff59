"""`by:` of an analysis: whether its comparison depends on a further factor, asked before any level of that is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cbtrun.analysis.table import AnalysisTable, independent_units, pair_by_persona, rows_at
from cbtrun.contract.records import Comparison, Group
from cbtrun.statistics.factorial import Contrast, within_contrast
from cbtrun.statistics.simultaneous import error_of
from cbtrun.statistics.subgroup_estimates import NAME, SubgroupEstimate, interaction_of
from cbtrun.statistics.two_groups import mean_difference, welch_test

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DESIGN = "interaction"
UNKNOWN = (
    "interaction: personas have sessions in several subgroups, and too few in all of them; `using: factorial` fits"
)
NORMAL = 1.959963984540054


def interactions(
    by: str,
    whole: Sequence[Comparison],
    parts: Sequence[Sequence[Comparison]],
    tables: Sequence[AnalysisTable],
) -> list[Comparison]:
    """One test of interaction for each comparison of the whole that its subgroups make too.

    parts: the comparisons of each subgroup, tables: its table; both in the order of the levels of `by`. Subgroups of other
    personas are compared by their estimates and errors, subgroups of the same personas persona by persona.
    """
    return [_interaction(by, one, parts, tables) for one in whole if _is_asked(one, whole)]


def _is_asked(one: Comparison, whole: Sequence[Comparison]) -> bool:
    """Of several levels every pair is asked about; all of them together only where no pair is made."""
    return len(one.levels) == 2 or not any({*other.levels} < {*one.levels} for other in whole)


def _interaction(
    by: str, one: Comparison, parts: Sequence[Sequence[Comparison]], tables: Sequence[AnalysisTable]
) -> Comparison:
    found = [_same(one, made) for made in parts]
    named = [(table.where[by][0], same, table) for table, same in zip(tables, found, strict=True) if same is not None]
    levels = tuple(level for level, _, _ in named)
    subgroups = [same for _, same, _ in named]
    contrast, left_out = _tested(one, subgroups, [table for _, _, table in named])
    without = [level for level, without in zip(levels, left_out, strict=True) if without]
    notes = [f"not part of the test of interaction, without an interval: {', '.join(without)}"] if without else []
    return one.model_copy(
        update={
            "design": DESIGN,
            "factor": by,
            "levels": levels,
            "moderated": one.levels,
            "groups": tuple(_group(level, same) for level, same in zip(levels, subgroups, strict=True)),
            "n": sum(same.n for same in subgroups),
            "possible": _total([same.possible for same in subgroups]),
            "estimate": contrast.estimate,
            "interval": contrast.interval,
            "effects": (),
            "tests": (contrast.test.model_copy(update={"name": NAME}),) if contrast.test else (),
            "checks": (),
            "notes": (*notes, *filter(None, [contrast.note])),
            "bootstrap": None,
            "worst_case": None,
            "margin": None,
            "correction": "",
            "family": None,
        }
    )


def _same(one: Comparison, made: Sequence[Comparison]) -> Comparison | None:
    """The comparison of a subgroup that asks the same as one of the whole."""
    key = (one.design, one.factor, one.levels)
    return next((other for other in made if (other.design, other.factor, other.levels) == key), None)


def _tested(
    one: Comparison, subgroups: Sequence[Comparison], tables: Sequence[AnalysisTable]
) -> tuple[Contrast, list[bool]]:
    """The test, and for each subgroup whether it had to be left out."""
    if len(one.levels) == 2 and _share_personas(tables):
        return _within(one, tables), [False] * len(subgroups)
    known = [_estimate(same) for same in subgroups]
    return interaction_of([each for each in known if each is not None]), [each is None for each in known]


def _share_personas(tables: Sequence[AnalysisTable]) -> bool:
    met = Counter(persona for table in tables for persona in {row.persona for row in table.rows if row.persona})
    return any(count > 1 for count in met.values())


def _estimate(one: Comparison) -> SubgroupEstimate | None:
    """A subgroup's estimate with its error: of a difference of means, or of a logarithm of odds."""
    if one.estimate is not None and (known := error_of(one)) is not None:
        return SubgroupEstimate(one.estimate, known.error, known.df)
    if one.estimate is not None and one.interval is not None and one.interval.method == "paired t":
        from scipy.stats import t

        half = float(t.ppf((1 + one.interval.level) / 2, one.n - 1))
        return SubgroupEstimate(one.estimate, (one.interval.high - one.interval.low) / 2 / half, one.n - 1)
    odds = next((effect for effect in one.effects if effect.name == "odds_ratio" and effect.interval), None)
    if odds is None or odds.interval is None or odds.interval.low <= 0:
        return None
    error = math.log(odds.interval.high / odds.interval.low) / 2 / NORMAL
    return SubgroupEstimate(math.log(odds.value), error, math.inf) if error > 0 else None


def _within(one: Comparison, tables: Sequence[AnalysisTable]) -> Contrast:
    """Persona by persona: differences of two levels across the subgroups, or of two subgroups between the levels."""
    import numpy as np

    sides = [[rows_at(table, one.factor, level) for level in one.levels] for table in tables]
    paired = [{pair.persona: pair.difference for pair in pair_by_persona(*side).pairs} for side in sides]
    matrix = _complete(paired)
    if len(matrix) > len(tables) - 1:
        rows = np.hstack([np.ones((len(tables) - 1, 1)), -np.eye(len(tables) - 1)])
        return within_contrast(matrix, rows)
    if len(tables) != 2:
        return Contrast(None, None, None, UNKNOWN)
    gaps = []
    for at in range(2):
        values = [{unit.key: unit.value for unit in independent_units(side[at])} for side in sides]
        both = _complete(values)
        gaps.append([float(value) for value in both[:, 0] - both[:, 1]])
    difference, tested = mean_difference(*gaps), welch_test(*gaps)
    if tested.test is None:
        return Contrast(difference.value, difference.interval, None, UNKNOWN)
    as_f = {"statistic": tested.test.statistic**2, "df": 1.0, "df_error": tested.test.df}
    return Contrast(difference.value, difference.interval, tested.test.model_copy(update=as_f))


def _complete(columns: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """(personas with a value in every subgroup, subgroups), sorted by persona."""
    import numpy as np

    everywhere = sorted(set.intersection(*({*column} for column in columns)))
    return np.array([[column[key] for column in columns] for key in everywhere]).reshape(len(everywhere), len(columns))


def _group(level: str, same: Comparison) -> Group:
    reasons = sum((Counter(group.reasons) for group in same.groups), Counter[str]())
    return Group(
        level=level,
        n=sum(group.n for group in same.groups),
        missing=sum(group.missing for group in same.groups),
        reasons=dict(sorted(reasons.items())),
        mean=None,
        sd=None,
        median=None,
        unscored=sum(group.unscored for group in same.groups),
    )


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
