"""Two factors at once: main effects and their interaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnalysisTable,
    Comparison,
    Contrast,
    Effect,
    Part,
    Row,
    all_levels_sentence,
    analyse_block,
    are_averaged,
    assumptions,
    between_contrast,
    block_schema,
    common_fields,
    compared_option,
    complete_blocks,
    contrast_rows,
    count_personas,
    counts_text,
    effect_sizes,
    factorial_problems,
    group_of,
    hookimpl,
    independent_units,
    interval_text,
    is_shown,
    omnibus,
    points,
    shared_personas,
    tested_text,
    two_levels_sentence,
    within_contrast,
)
from cbtrun.plugins.analyses.independent import refuse_shared_personas

if TYPE_CHECKING:
    from collections.abc import Callable

    from cbtrun.plugin import BlockContext, Json, PlannedTest, PowerAt, PowerContext, Problem, StageContext

PARTS: tuple[Part, ...] = ("first", "second", "interaction")


@dataclass(frozen=True)
class Cells:
    """The crossed levels of the two factors, first factor slowest."""

    factors: tuple[str, str]
    levels: tuple[tuple[str, ...], tuple[str, ...]]
    rows: tuple[tuple[Row, ...], ...]

    @property
    def names(self) -> list[str]:
        """Each cell as `first / second`."""
        return [f"{first} / {second}" for first, second in product(*self.levels)]


@dataclass(frozen=True)
class Used:
    """The values that the contrasts are made of, and what is said of all of them."""

    values: Sequence[Sequence[float]]
    """Cell -> values; within personas in the same order of personas."""
    unused: Mapping[str, str]
    """Session -> why it is not used."""
    n: int
    unit: str
    within: bool
    checks: tuple[str, ...]
    notes: tuple[str, ...]


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: factorial` under `analysis`."""
    if stage != "analysis":
        return None
    factors = {
        "type": "array",
        "items": {"type": "string", "x-names": "factors"},
        "minItems": 2,
        "maxItems": 2,
        "uniqueItems": True,
        "description": "The two factors, crossed.",
    }
    levels = {
        "type": "object",
        "description": "Factor -> its levels (at least two); of two levels the first minus the second is estimated.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True},
    }
    return block_schema(["factors", "levels"], {"factors": factors, "levels": levels, **compared_option()})


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses factors without levels, cells that no arm fills, and comparisons that the sessions cannot give."""
    return factorial_problems(context)


@hookimpl
def plan_power(context: PowerContext) -> list[PlannedTest]:
    """Each main effect and the interaction, by Hotelling's test within personas or type-3 sums between them."""
    from cbtrun.plugin import PEOPLE, Kind, equal_groups, planned_test, power_of_f

    first, second = context.options["factors"]
    sizes = [len(context.options["levels"][one]) for one in (first, second)]
    degrees = {first: sizes[0] - 1, second: sizes[1] - 1, f"{first} x {second}": (sizes[0] - 1) * (sizes[1] - 1)}
    cells = sizes[0] * sizes[1]
    n, told = (context.personas, ()) if context.within else equal_groups(context, cells)

    def power(q: int) -> Callable[[float], PowerAt]:
        def at_level(level: float) -> PowerAt:
            if context.within:  # Hotelling; with one degree of freedom the paired t test of the contrast
                return lambda n, size: power_of_f((q, n - q), n * size**2, level) if n > q else 0.0
            return lambda n, size: power_of_f((q, cells * (n - 1)), n * cells * size**2, level)

        return at_level

    effect = {True: "dz", False: "D"} if context.within else {True: "f", False: "f"}
    test, unit = ("hotelling", PEOPLE) if context.within else ("type-3", "in each cell")
    return [
        planned_test(context, Kind(part, test, effect[q == 1], unit, n), power(q), len(degrees), told)
        for part, q in degrees.items()
    ]


@hookimpl
def sentence(comparison: Comparison) -> str:
    """Whether a factor's levels differ; of an interaction of two by two the difference of differences."""
    if comparison.design == "factorial-omnibus":
        return all_levels_sentence(comparison)
    if comparison.design == "factorial-interaction":
        return interaction_sentence(comparison)
    return two_levels_sentence(comparison)


def interaction_sentence(comparison: Comparison) -> str:
    """The difference of differences with its interval; of more than two by two levels the test of all."""
    if comparison.estimate is None:
        return all_levels_sentence(comparison)
    interval, estimate = comparison.interval, comparison.estimate
    within = interval_text(interval, estimate) if interval is not None else "no interval"
    told = "; ".join(filter(None, [within, counts_text(comparison), tested_text(comparison)]))
    if not is_shown(comparison):
        return (
            f"The difference of differences ({comparison.factor}) was not shown to be other than 0 "
            f"({points(estimate)} points, {told})."
        )
    return f"The difference of differences ({comparison.factor}) was {points(estimate)} points ({told})."


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """For each outcome two main effects and the interaction."""
    return analyse_block(context, lambda table, _: compare_factors(context.name, context.options, table), sentence)


def compare_factors(name: str, options: Mapping[str, Any], table: AnalysisTable) -> list[Comparison]:
    """Main effect of the first factor, of the second, and their interaction; cells weigh equally."""
    first, second = options["factors"]
    levels = (tuple(options["levels"][first]), tuple(options["levels"][second]))
    rows = tuple(
        tuple(row for row in table.rows if (row.levels.get(first), row.levels.get(second)) == cell)
        for cell in product(*levels)
    )
    cells = Cells((first, second), levels, rows)
    if options.get("compared", "within-personas") == "within-personas":
        return _within(name, table, cells)
    return _between(name, table, cells)


def _within(name: str, table: AnalysisTable, cells: Cells) -> list[Comparison]:
    import numpy as np

    blocks = complete_blocks(cells.rows)
    matrix = np.array(blocks.values, dtype=float).reshape(len(blocks.values), len(cells.rows))
    notes = _empty_cells(cells)
    if blocks.incomplete:
        notes.append(f"personas without a value in every cell, not used: {', '.join(blocks.incomplete)}")
    values = [[float(value) for value in matrix[:, at]] for at in range(len(cells.rows))]
    checks = ("multivariate tests (Hotelling): sphericity is not assumed", "each cell weighs equally")
    used = Used(values, blocks.unused, len(blocks.values), "persona across the cells", True, checks, tuple(notes))
    made = []
    for part in PARTS:
        rows = contrast_rows(part, *map(len, cells.levels))
        sizes = [effect_sizes.dz((matrix @ rows.T)[:, 0]).effect] if rows.shape[0] == 1 else []
        made.append(
            _comparison(common_fields(name, "", table), cells, part, within_contrast(matrix, rows), sizes, used)
        )
    return made


def _between(name: str, table: AnalysisTable, cells: Cells) -> list[Comparison]:
    refuse_shared_personas(" x ".join(cells.factors), cells.rows)
    units = [independent_units(rows) for rows in cells.rows]
    values = [[unit.value for unit in of_cell] for of_cell in units]
    averaged = are_averaged([unit for of_cell in units for unit in of_cell])
    unit = "persona (mean of its sessions)" if averaged else "session"
    words = f"{assumptions.variance_words(values)}; the F tests here pool the variance"
    checks = (words, "type III: each cell weighs equally")
    used = Used(values, {}, sum(map(len, values)), unit, False, checks, tuple(_empty_cells(cells)))
    made = []
    for part in PARTS:
        contrast = between_contrast(values, contrast_rows(part, *map(len, cells.levels)))
        made.append(_comparison(common_fields(name, "", table), cells, part, contrast, [], used))
    return made


def _comparison(
    fields: dict[str, Any],
    cells: Cells,
    part: Part,
    contrast: Contrast,
    sizes: Sequence[Effect | None],
    used: Used,
) -> Comparison:
    """One effect; the groups are the levels of a main effect, or the cells of the interaction."""
    single = contrast_rows(part, *map(len, cells.levels)).shape[0] == 1
    several = "factorial" if single else "factorial-omnibus"
    at = 0 if part == "first" else 1
    levels = tuple(cells.names) if part == "interaction" else cells.levels[at]
    share = omnibus.eta_squared(contrast.test).effect
    fields["design"] = "factorial-interaction" if part == "interaction" else several
    return Comparison(
        **fields,
        factor=" x ".join(cells.factors) if part == "interaction" else cells.factors[at],
        levels=levels,
        groups=tuple(
            group_of(level, _joined(cells.rows, members), _group_values(used, members), used.unused)
            for level, members in zip(levels, _members(part, cells), strict=True)
        ),
        n=used.n,
        possible=shared_personas(cells.rows) if used.within else None,
        unit_of_analysis=used.unit,
        estimate=contrast.estimate,
        interval=contrast.interval,
        effects=tuple(effect for effect in (*sizes, share) if effect is not None),
        tests=(contrast.test,) if contrast.test else (),
        checks=used.checks,
        notes=(*used.notes, *filter(None, [contrast.note])),
        personas=count_personas(cells.rows),
    )


def _members(part: Part, cells: Cells) -> list[list[int]]:
    """Positions of the cells that make up each group."""
    first, second = len(cells.levels[0]), len(cells.levels[1])
    if part == "first":
        return [[at * second + other for other in range(second)] for at in range(first)]
    if part == "second":
        return [[other * second + at for other in range(first)] for at in range(second)]
    return [[at] for at in range(first * second)]


def _joined(rows: Sequence[Sequence[Row]], members: Sequence[int]) -> list[Row]:
    return [row for at in members for row in rows[at]]


def _group_values(used: Used, members: Sequence[int]) -> list[float]:
    """Within personas: each one's mean over the group's cells; between: all the cells' values."""
    if used.within:
        return [sum(parts) / len(parts) for parts in zip(*(used.values[at] for at in members), strict=True)]
    return [value for at in members for value in used.values[at]]


def _empty_cells(cells: Cells) -> list[str]:
    return [f"no session in the cell {name}" for name, rows in zip(cells.names, cells.rows, strict=True) if not rows]
