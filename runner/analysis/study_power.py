"""What every declared analysis of a study can find with the units it will have, and how many a wanted effect needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cbtrun.analysis.power import (
    power_of_equivalence,
    power_of_f,
    power_of_groups,
    power_of_pairs,
    smallest_effect,
    smallest_n,
)
from cbtrun.analysis.rank_power import (
    LARGEST_SIMULATED,
    STUDIES,
    PowerAt,
    mann_whitney_power,
    odds_power,
    wilcoxon_power,
)
from cbtrun.analysis.subgroup_levels import SubgroupLevels, subgroup_levels
from cbtrun.errors import StatisticsError

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.study.plans import Plan
    from cbtrun.study.spec import Study

PAIRS, GROUPS, PEOPLE = "pairs", "in each group", "personas"
RANK_TESTS = ("wilcoxon", "mann-whitney")
AS_PAIRED = "planned as a paired t test of personas’ means: what raters and tuning seeds add is not known before"
LARGEST = 100_000


@dataclass(frozen=True)
class PlannedTest:
    """One kind of comparison of a declared analysis, with its power as a function."""

    analysis: str
    design: str
    part: str
    """What of the analysis: empty where it makes one kind of comparison, else `all levels`, `each pair` ..."""
    test: str
    effect: str
    """dz and d in SDs; f by Cohen; `odds ratio`; `margin` in SDs; D by Mahalanobis."""
    unit: str
    n: int | None
    """Units that the study will have; none where its text does not tell."""
    alpha: float
    """Level that is planned with: corrected for the family's strictest step."""
    family: int
    power_at: PowerAt
    simulated: bool = False
    notes: tuple[str, ...] = ()

    def detectable(self, power: float) -> float | None:
        """Smallest effect that is found with the wanted power; none where n is unknown or too small for any."""
        if self.n is None:
            return None
        n = self.n
        return smallest_effect(lambda effect: self.power_at(n, effect), power)

    def needed(self, effect: float, power: float) -> int | None:
        """Units that find an effect with the wanted power; none beyond what can be planned for."""
        largest = LARGEST_SIMULATED if self.simulated else LARGEST
        try:
            return smallest_n(lambda n: self.power_at(n, effect), power, largest)
        except StatisticsError:
            return None


@dataclass(frozen=True)
class Declared:
    """An analysis block with what its power depends on."""

    name: str
    options: Mapping[str, Any]
    personas: int | None
    sessions: int | None
    outcomes: int
    """Outcomes that are tested: the declared one and, where asked for, each item."""
    scores: int
    """Categories of the declared item, for `ordinal`."""
    seed: int
    subgroups: SubgroupLevels
    """Levels of `by`, each of which repeats every comparison."""

    def level(self, alpha: float, comparisons: int = 1) -> tuple[float, int]:
        """Significance level at the strictest step of the correction, and the family's size."""
        whole = self.options.get("correction", "holm") != "none"
        tables = 1 if self.options.get("family") == "outcome-alone" else self.outcomes * (1 + self.subgroups.count)
        family = comparisons * tables if whole else 1
        return alpha / family, family

    @property
    def within(self) -> bool:
        """Whether levels are compared within personas."""
        return bool(self.options.get("compared", "within-personas") == "within-personas")


def planned_tests(
    study: Study, plans: Mapping[str, Plan | None], alpha: float = 0.05, n: int | None = None
) -> list[PlannedTest | str]:
    """What each analysis can find, in the study's order; a text says why nothing can be planned for one.

    plans: of the study's stages, as `plan_study` gives them. n: personas (and sessions) instead of those of the study.
    """
    found: list[PlannedTest | str] = []
    for declared in _declared(study, plans, n):
        using = str(declared.options["using"])
        if using in DESIGNS:
            found += DESIGNS[using](declared, alpha)
        else:
            found.append(f"{declared.name}: no power is planned for `using: {using}`")
    return found


def _declared(study: Study, plans: Mapping[str, Plan | None], n: int | None) -> Iterator[Declared]:
    sessions_plan = plans.get("sessions")
    sessions = sessions_plan.units if sessions_plan else None
    people_plan = plans.get(f"personas.{study.sessions.personas}")
    personas = n if n is not None else people_plan.units if people_plan else None
    rubrics = study.rubrics()
    for name, analysis in study.analyses.items():
        options = study.options("analysis", name)
        score = analysis.outcome.partition(".")[2]
        rubric = rubrics.get(study.rating_sets[analysis.rating_set].rubric)
        outcomes = _outcomes(rubric, score) if options.get("items") else 1
        subgroups = subgroup_levels(study, options, personas)
        yield Declared(name, options, personas, n or sessions, outcomes, _scores(rubric, score), study.seed, subgroups)


def _outcomes(rubric: Rubric | None, declared: str) -> int:
    items = [item.id for item in rubric.items if item.type != "text"] if rubric else []
    return len({declared, *items})


def _scores(rubric: Rubric | None, score: str) -> int:
    item = next((item for item in rubric.items if item.id == score), None) if rubric else None
    low, high = item.bounds if item and item.type != "text" else (0, 6)
    return int(high - low) + 1 if low is not None and high is not None else 7


def _notes(declared: Declared) -> tuple[str, ...]:
    told = []
    if declared.options.get("where"):
        told.append("`where` keeps some sessions only: fewer units than planned with")
    if declared.subgroups.how:
        alone = declared.options.get("family") == "outcome-alone" or declared.options.get("correction") == "none"
        family = "their tests are not in this family" if alone else "their tests are counted in the family"
        told.append(
            f"{declared.subgroups.how}; {family}; comparisons within a level have fewer units than planned with"
        )
    return tuple(told)


def _one(declared: Declared, alpha: float, fields: tuple[str, str, str, str, int | None], power: Callable[[float], PowerAt], comparisons: int = 1, more: tuple[str, ...] = ()) -> PlannedTest:  # fmt: skip
    """A planned test. fields: part, test, effect, unit, n. power: significance level -> its power function."""
    part, test, effect, unit, n = fields
    level, family = declared.level(alpha, comparisons)
    simulated = test in RANK_TESTS or effect == "odds ratio"
    notes = (*more, *_notes(declared))
    if simulated:
        notes = (f"{test}: simulated, {STUDIES:,} studies of normal values a point", *notes)
    using = str(declared.options["using"])
    return PlannedTest(declared.name, using, part, test, effect, unit, n, level, family, power(level), simulated, notes)


def _paired(declared: Declared, alpha: float) -> list[PlannedTest]:
    test = (declared.options.get("tests") or ["t"])[0]
    power = (lambda level: wilcoxon_power(level, declared.seed)) if test == "wilcoxon" else _pairs_power
    return [_one(declared, alpha, ("", test, "dz", PAIRS, declared.personas), power)]


def _pairs_power(level: float) -> PowerAt:
    return lambda n, dz: power_of_pairs(n, dz, level)


def _groups_power(level: float) -> PowerAt:
    return lambda n, d: power_of_groups((n, n), d, level)


def _half(declared: Declared, levels: int = 2) -> tuple[int | None, tuple[str, ...]]:
    """Units of each of so many groups, where the study's text tells only how many there are in all."""
    if declared.sessions is None:
        return None, ()
    return declared.sessions // levels, (f"the {declared.sessions:,} sessions are taken to fall into equal groups",)


def _independent(declared: Declared, alpha: float) -> list[PlannedTest]:
    test = (declared.options.get("tests") or ["mann-whitney"])[0]
    power = _groups_power if test == "welch" else (lambda level: mann_whitney_power(level, declared.seed))
    n, told = _half(declared)
    return [_one(declared, alpha, ("", test, "d", GROUPS, n), power, more=told)]


def _equivalence(declared: Declared, alpha: float) -> list[PlannedTest]:
    told: tuple[str, ...] = ("the smallest margin, in SDs, within which two equal levels are shown to be alike",)
    if declared.within:
        fields, units, cost = ("", "tost", "margin", PAIRS, declared.personas), 1.0, 1
    else:
        n, equal = _half(declared)
        fields, units, cost, told = ("", "tost", "margin", GROUPS, n), 0.5, 2, (*told, *equal)
    return [
        _one(
            declared,
            alpha,
            fields,
            lambda level: lambda n, margin: power_of_equivalence(n * units, cost * (n - 1), margin, level),
            more=told,
        )
    ]


def _omnibus(declared: Declared, alpha: float) -> list[PlannedTest]:
    levels = len(declared.options["levels"])
    pairs = len(list(combinations(range(levels), 2)))
    told: tuple[str, ...] = ("f: SD of the levels’ means over the SD within a level",)
    if declared.within:
        told = ("f: SD of the levels’ means over the SD of what is left within personas; sphericity is taken to hold",)
        fields = ("all levels", "rm-anova", "f", PEOPLE, declared.personas)
        each = ("each pair", "paired t", "dz", PAIRS, declared.personas)
    else:
        n, equal = _half(declared, levels)
        told = (*told, *equal)
        fields, each = ("all levels", "anova", "f", GROUPS, n), ("each pair", "t", "d", GROUPS, n)

    def power(level: float) -> PowerAt:
        def power_at(n: int, f: float) -> float:
            error = (levels - 1) * (n - 1) if declared.within else levels * (n - 1)
            return power_of_f((levels - 1, error), n * levels * f**2, level)

        return power_at

    found = [_one(declared, alpha, fields, power, more=told)]
    if declared.options.get("pairwise") != "none":
        found.append(_one(declared, alpha, each, _pairs_power if declared.within else _groups_power, pairs))
    return found


def _factorial(declared: Declared, alpha: float) -> list[PlannedTest]:
    first, second = declared.options["factors"]
    sizes = [len(declared.options["levels"][one]) for one in (first, second)]
    degrees = {first: sizes[0] - 1, second: sizes[1] - 1, f"{first} x {second}": (sizes[0] - 1) * (sizes[1] - 1)}
    cells = sizes[0] * sizes[1]
    n, told = (declared.personas, ()) if declared.within else _half(declared, cells)

    def power(q: int) -> Callable[[float], PowerAt]:
        def at_level(level: float) -> PowerAt:
            if declared.within:  # Hotelling; with one degree of freedom the paired t test of the contrast
                return lambda n, size: power_of_f((q, n - q), n * size**2, level) if n > q else 0.0
            return lambda n, size: power_of_f((q, cells * (n - 1)), n * cells * size**2, level)

        return at_level

    effect = {True: "dz", False: "D"} if declared.within else {True: "f", False: "f"}
    test, unit = ("hotelling", PEOPLE) if declared.within else ("type-3", "in each cell")
    return [
        _one(declared, alpha, (part, test, effect[q == 1], unit, n), power(q), len(degrees), told)
        for part, q in degrees.items()
    ]


def _mixed(declared: Declared, alpha: float) -> list[PlannedTest]:
    levels = declared.options["levels"]
    pairs = len(list(combinations(levels, 2)))
    part = "each pair" if pairs > 1 else ""
    fields = (part, "t", "dz", PAIRS, declared.personas)
    return [_one(declared, alpha, fields, _pairs_power, pairs, (AS_PAIRED,))]


def _ordinal(declared: Declared, alpha: float) -> list[PlannedTest]:
    n: int | None = declared.personas
    told: tuple[str, ...] = ("sessions of one persona are taken as independent: more can be found than this",)
    if n is None:
        n, told = _half(declared)
    fields = ("", "wald", "odds ratio", GROUPS, n)
    return [_one(declared, alpha, fields, lambda level: odds_power(level, declared.seed, declared.scores), more=told)]


DESIGNS: Mapping[str, Callable[[Declared, float], list[PlannedTest]]] = {
    "paired": _paired,
    "independent": _independent,
    "equivalence": _equivalence,
    "omnibus": _omnibus,
    "factorial": _factorial,
    "mixed": _mixed,
    "ordinal": _ordinal,
}
"""How the power of a design is found, by `using`."""
