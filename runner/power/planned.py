"""What an analysis can find, said before anything runs: the records, and what designs share in working it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cbtrun.errors import StatisticsError
from cbtrun.power.formulas import power_of_groups, power_of_pairs, smallest_effect, smallest_n
from cbtrun.power.ranks import LARGEST_SIMULATED, STUDIES, PowerAt
from cbtrun.power.subgroup_levels import SubgroupLevels

PAIRS, GROUPS, PEOPLE = "pairs", "in each group", "personas"
EACH_PAIR = "each pair"
"""Part of an analysis that is every pair of its levels."""
RANK_TESTS = ("wilcoxon", "mann-whitney")
LARGEST = 100_000
"""Units that are planned for at most."""


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
    points: float | None = None
    """Points of one unit of the effect, where a pilot tells; else an SD that somebody names."""
    comparisons: int = 1
    """Comparisons that the analysis makes of one outcome and that are adjusted together."""

    @property
    def of_pairs(self) -> bool:
        """Whether it stands for pairs of levels, which wait for the test of all levels."""
        return self.part == EACH_PAIR

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
class StudyFacets:
    """What of each facet a study will have, for an analysis that is simulated with its own fit."""

    levels: Mapping[str, tuple[str | None, ...]]
    """Level -> the tuning behind each of its sets of sessions; none where the therapist is not tuned."""
    sessions: int
    """Of each persona in such a set."""
    raters: int
    wordings: int
    repeats: int
    """Ratings by each rater of each session with each wording."""
    studies: int = 200
    """That are simulated: a power of 0.8 is then known to 0.03 (standard error)."""
    components: Mapping[str, float] = field(default_factory=dict)
    """From a pilot, squared points by the names of `power.designs.PARTS` and those that cancel; empty without one."""


@dataclass(frozen=True)
class PowerContext:
    """A declared analysis with what its power depends on, for the plugin that says what it can find."""

    name: str
    options: Mapping[str, Any]
    """The block with defaults filled in."""
    alpha: float
    """Level of significance, before it is corrected."""
    personas: int | None
    """Personas that the study will have; none where its text does not tell."""
    sessions: int | None
    """Sessions that it will have; none where its text does not tell."""
    outcomes: int
    """Outcomes that are tested: the declared one and, where asked for, each item."""
    scores: int
    """Categories of the declared item, for `ordinal`."""
    seed: int
    """For what is simulated."""
    subgroups: SubgroupLevels
    """Levels of `by`, each of which repeats every comparison."""
    primary: int = 0
    """Primary comparisons of all the study's analyses that are one family; 0: only this analysis's own are known."""
    primary_pairs: int = 0
    """Pairs of levels of primary outcomes, over all analyses: a family of their own."""
    facets: StudyFacets | None = None
    """Where whoever asks waits for a simulation; none for a plan, which has to be quick."""

    @property
    def family(self) -> str:
        """What p is adjusted over: `primary`, `block`, `outcome-alone`, or `none`."""
        kept = self.options.get("correction", "holm") == "none"
        return "none" if kept else str(self.options.get("family", "primary"))

    def level(self, comparisons: int = 1, *, of_pairs: bool = False) -> tuple[float, int]:
        """Significance level at the strictest step of the correction, and the family's size.

        of_pairs: for pairs of levels, which are a family behind the tests of all levels where the family is the study's.
        """
        family = {
            "none": 1,
            "primary": max(comparisons, self.primary_pairs if of_pairs else self.primary),
            "block": comparisons * self.outcomes * (1 + self.subgroups.count),
        }.get(self.family, comparisons)
        return self.alpha / family, family

    @property
    def within(self) -> bool:
        """Whether levels are compared within personas."""
        return bool(self.options.get("compared", "within-personas") == "within-personas")


def _notes(context: PowerContext) -> tuple[str, ...]:
    told = []
    if context.options.get("where"):
        told.append("`where` keeps some sessions only: fewer units than planned with")
    if context.subgroups.how:
        alone = context.family != "block"
        family = "their tests are not in this family" if alone else "their tests are counted in the family"
        told.append(f"{context.subgroups.how}; {family}; comparisons within a level have fewer units than planned with")
    return tuple(told)


@dataclass(frozen=True)
class Kind:
    """One kind of comparison: what PlannedTest says of it, without what follows from the family."""

    part: str
    test: str
    effect: str
    unit: str
    n: int | None


def planned_test(
    context: PowerContext,
    kind: Kind,
    power: Callable[[float], PowerAt],
    comparisons: int = 1,
    more: tuple[str, ...] = (),
) -> PlannedTest:
    """A kind of comparison with its power at the family's strictest level.

    power: level of significance -> power of n units to find an effect. comparisons: how many the analysis makes of this
    kind for each outcome. more: notes of the design.
    """
    level, family = context.level(comparisons, of_pairs=kind.part == EACH_PAIR)
    simulated = kind.test in RANK_TESTS or kind.effect == "odds ratio"
    notes = (*more, *_notes(context))
    if simulated:
        notes = (f"{kind.test}: simulated, {STUDIES:,} studies of normal values a point", *notes)
    return PlannedTest(
        analysis=context.name,
        design=str(context.options["using"]),
        part=kind.part,
        test=kind.test,
        effect=kind.effect,
        unit=kind.unit,
        n=kind.n,
        alpha=level,
        family=family,
        power_at=power(level),
        simulated=simulated,
        notes=notes,
        comparisons=comparisons,
    )


def power_in_pairs(level: float) -> PowerAt:
    """Power of a t test of n pairs by dz."""
    return lambda n, dz: power_of_pairs(n, dz, level)


def power_between_groups(level: float) -> PowerAt:
    """Power of a t test of two groups of n each by d."""
    return lambda n, d: power_of_groups((n, n), d, level)


def equal_groups(context: PowerContext, levels: int = 2) -> tuple[int | None, tuple[str, ...]]:
    """Units of each of so many groups, where the study's text tells only how many there are in all; and a note of it."""
    if context.sessions is None:
        return None, ()
    return context.sessions // levels, (f"the {context.sessions:,} sessions are taken to fall into equal groups",)
