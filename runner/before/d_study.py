"""A D study: from a pilot's components and a study's costs to the designs that are worth their price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cbtrun.contract.digests import derive_seed
from cbtrun.power.design_search import Frontier, Priced, Searched, needed_personas, search
from cbtrun.power.designs import FACETS, ArmContrast, Design, Precision

if TYPE_CHECKING:
    from cbtrun.analysis.pilot_components import PilotComponents
    from cbtrun.before.pilot_run import Pilot
    from cbtrun.before.unit_costs import Bought, StudyCosts

INTERVAL_DRAWS = 500
BEYOND = 5.0
"""How many times the dearest design that is asked about a frontier goes up to."""
FACET_OF = {"personas": "persona", "seeds": "seed", "sessions": "session", "raters": "rater", "repeats": "residual"}
FACET_OF["wordings"] = "wording"
"""What a design counts -> the component that tells what more of it buys."""


@dataclass(frozen=True)
class Aim:
    """What the plan is for."""

    effect: float | None = None
    """In points, to be found with the power."""
    half_width: float | None = None
    """Of the interval, in points, in place of an effect."""
    budget: float | None = None
    fixed: tuple[str, ...] = ()
    most_personas: int = 2_000
    precision: Precision = field(default_factory=Precision)


@dataclass(frozen=True)
class ItemComponents:
    """How items and sessions part the scores of a rubric's items, in squared points."""

    items: int
    item: float
    session: float
    item_session: float


@dataclass(frozen=True)
class DStudy:
    """Everything that is told."""

    pilot: Pilot
    found: PilotComponents
    contrast: ArmContrast
    held: Mapping[str, int]
    costs: StudyCosts
    asked: Aim
    frontier: Frontier
    needed: tuple[int, int | None] | None
    """Interval of the personas that the cheapest design needs, by what the components may be as well; none: past the most."""
    never: float
    """Share of these components under which no number of personas is enough."""
    items: ItemComponents | None


def d_study(pilot: Pilot, asked: Aim, buying: Bought) -> DStudy:
    """Components, costs and designs. Raises StatisticsError where the pilot cannot tell, or a budget has no currency."""
    from cbtrun.analysis.pilot_components import pilot_components
    from cbtrun.before.unit_costs import CALLS, study_costs
    from cbtrun.errors import StatisticsError

    found = pilot_components(pilot.layout, derive_seed(pilot.study.seed, "d-study"))
    contrast = found.contrast(asked.fixed)
    costs = study_costs(
        pilot.study, pilot.registry, pilot.folder, buying, found.design.personas, pilot.outcome.partition(".")[0]
    )
    if asked.budget is not None and costs.currency == CALLS:
        raise StatisticsError(
            "--budget is in US dollars, and nothing of this study has a price: give its models `prices:`, or --gpu-hour"
        )
    costs = replace(costs, units=replace(costs.units, persona_sets=1 if contrast.crossed else 2))
    held = held_facets(found.design, contrast)
    searched = search(contrast, asked.precision, costs.units, held, asked.most_personas)
    cheapest = _cheapest(searched, asked)
    best = searched.best(asked.budget) if asked.budget is not None else None
    pilots = searched.of(found.design)
    dearest = max(asked.budget or 0.0, cheapest.cost if cheapest else 0.0, pilots.cost)
    points = tuple(searched.frontier(BEYOND * dearest))
    told = [one.design for one in (*points, pilots, cheapest, best) if one is not None]
    frontier = Frontier(
        f"{pilot.outcome}, {' against '.join(pilot.layout.compared)}",
        costs.currency,
        points,
        pilots,
        asked.effect,
        asked.half_width,
        asked.budget,
        cheapest,
        best,
        asked.precision.power,
        {design: limiting(contrast, design) for design in told},
    )
    needed, never = _needed(found, contrast, asked, cheapest)
    return DStudy(pilot, found, contrast, held, costs, asked, frontier, needed, never, _items(pilot))


def held_facets(design: Design, contrast: ArmContrast) -> dict[str, int]:
    """Facets of which the pilot cannot tell what more would buy, and those held fixed: as many as the pilot has."""
    held = {}
    for name, count in zip(FACETS, design, strict=True):
        part = FACET_OF[name]
        unknown = count == 1 or (name == "sessions" and "session" not in contrast.components)
        unknown = unknown or (name == "seeds" and not any(contrast.tuned))
        if name != "personas" and (unknown or part in contrast.fixed):
            held[name] = int(count)
    return held


def limiting(contrast: ArmContrast, design: Design) -> str:
    """The component that is most of a design's variance, with its share: `rater x arm 61 %`."""
    parts = {name: float(one) for name, one in contrast.parts(design).items()}
    total = sum(parts.values())
    if not total > 0:
        return "nothing"
    name = max(parts, key=lambda one: parts[one])
    return f"{component_words(name, crossed=contrast.crossed)} {parts[name] / total:.0%}".replace("%", " %")


def component_words(name: str, *, crossed: bool = True) -> str:
    """What a component is called."""
    known = {
        "persona": "persona x arm" if crossed else "persona within arm",
        "seed": "tuning seed within arm",
        "session": "session",
        "rater": "rater x arm",
        "wording": "wording x arm",
        "rater-session": "rater x session",
        "wording-session": "wording x session",
        "residual": "repeat (residual)",
    }
    return known.get(name, name)


def _cheapest(searched: Searched, asked: Aim) -> Priced | None:
    if asked.half_width is not None:
        return searched.cheapest(half_width=asked.half_width)
    return searched.cheapest(effect=asked.effect) if asked.effect is not None else None


def _needed(
    found: PilotComponents, contrast: ArmContrast, asked: Aim, cheapest: Priced | None
) -> tuple[tuple[int, int | None] | None, float]:
    """Interval of the personas needed, and how often none is enough."""
    import numpy as np

    if cheapest is None:
        return None, 0.0
    sizes: list[float] = []
    for drawn in found.drawn[:INTERVAL_DRAWS]:
        size = needed_personas(
            contrast.with_components(drawn),
            asked.precision,
            cheapest.design,
            effect=asked.effect,
            half_width=asked.half_width,
        )
        sizes.append(np.inf if size is None else size)
    low, high = np.quantile(sizes, [0.025, 0.975], method="inverted_cdf")
    never = float(np.isinf(sizes).mean())
    return (int(low) if np.isfinite(low) else 0, int(high) if np.isfinite(high) else None), never


def _items(pilot: Pilot) -> ItemComponents | None:
    """Over the sessions of the contrast that have every item."""
    import numpy as np

    from cbtrun.statistics.components import balanced_components

    if len(pilot.items) < 2:
        return None
    compared = {one.session for one in pilot.layout.seen}
    whole = [id_ for id_ in sorted(compared) if all(id_ in scores for scores in pilot.items.values())]
    if len(whole) < 2:
        return None
    table = np.array([[scores[id_] for scores in pilot.items.values()] for id_ in whole])
    components = balanced_components(table, ("session", "item"), {}).components
    item, session, both = (components[frozenset(names)] for names in (("item",), ("session",), ("session", "item")))
    return ItemComponents(len(pilot.items), item, session, both)
