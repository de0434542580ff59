"""A D study as people read it in a terminal, and as tables of numbers."""

from __future__ import annotations

from collections.abc import Iterator

from cbtrun.before.d_study import DStudy, component_words
from cbtrun.before.unit_costs import DOLLARS
from cbtrun.power.design_search import MOST_PERSONAS, Priced
from cbtrun.power.designs import FACETS, PARTS
from cbtrun.power.words import aligned

DIVIDED = {
    "persona": "personas",
    "seed": "seeds",
    "session": "personas x seeds x sessions",
    "rater": "raters",
    "wording": "wordings",
    "rater-session": "raters x sessions of an arm",
    "wording-session": "wordings x sessions of an arm",
    "residual": "all ratings of an arm",
}
SINGULAR = {
    "seeds": "tuning seed",
    "sessions": "session of a persona",
    "raters": "rater",
    "repeats": "rating by each rater",
}
SINGULAR["wordings"] = "wording"
WANTING = {
    "seeds": "holds for these tunings alone; a pilot with `seeds:` of two or more, better three, would tell",
    "sessions": "what a persona's second session buys is not known; a pilot with `sessions: {repeats: 2}` would tell",
    "raters": "holds as this one rater sees it; a pilot with three raters or more would tell how they differ by arm",
    "repeats": "a rater's own scatter is in what stands above it; a pilot with `repeats: 2` of a rating set would tell",
    "wordings": "holds for this one wording; a pilot with three `wordings:` or more would tell how they differ by arm",
}


def d_study_lines(found: DStudy) -> Iterator[str]:
    """Components, facets, designs, the frontier, and what it rests on."""
    layout = found.pilot.layout
    yield f"pilot '{found.pilot.study.name}' in {found.pilot.folder.path}: {found.frontier.title} (analysis `{found.pilot.analysis}`)"
    yield f"it has {found.found.design.words()} for each arm: {len(layout.seen):,} ratings"
    yield ""
    yield from aligned(component_rows(found))
    yield ""
    yield from (f"  {line}" for line in facet_lines(found))
    yield ""
    yield from aligned(design_rows(found))
    yield ""
    yield from (f"  {line}" for line in _answers(found))
    yield ""
    yield "what a price buys: no design here is beaten in both cost and effect"
    yield from aligned([_HEAD[1:], *(_cells(one, found)[1:] for one in found.frontier.points)])
    yield ""
    yield from (f"  {line}" for line in _notes(found))


def component_rows(found: DStudy) -> list[tuple[str, ...]]:
    """Each component with its interval, and its part in the variance of the pilot's contrast."""
    parts = {name: float(one) for name, one in found.contrast.parts(found.found.design).items()}
    total = sum(parts.values()) or 1.0
    rows: list[tuple[str, ...]] = [("component", "variance", "95 % interval", "of the contrast's", "divided by")]
    for one in found.found.components:
        name = component_words(one.name, crossed=found.contrast.crossed)
        name += "".join(f" + {component_words(other, crossed=found.contrast.crossed)}" for other in one.also)
        value = f"{max(one.variance, 0.0):.2f}" + (f" ({one.variance:.2f})" if one.variance < -0.005 else "")
        if not one.in_contrast:
            share, by = "cancels", "the same under both arms"
        elif one.name in parts:
            share, by = f"{parts[one.name] / total:.0%}".replace("%", " %"), DIVIDED[one.name]
        else:
            share, by = "held fixed", "these are all that the claim is about"
        rows.append((name, value, f"{one.low:.2f} to {one.high:.2f}", share, by))
    return rows


def facet_lines(found: DStudy) -> Iterator[str]:
    """Which facets are random, fixed, crossed with the arm; and what the pilot cannot tell."""
    layout, contrast = found.pilot.layout, found.contrast
    yield "arms: fixed, the two that are compared"
    if contrast.crossed:
        yield "personas: random, the same under both arms, so that only what differs by arm counts"
    else:
        yield "personas: random, others under each arm, so that all of their spread counts"
    known = {one.name for one in found.found.components}
    for name in FACETS[1:]:
        count = getattr(found.found.design, name)
        part = {"seeds": "seed", "raters": "rater", "wordings": "wording"}.get(name)
        if name == "seeds" and layout.shared_tunings:
            yield "seeds: the same tunings under several arms, so that their own level cancels"
        elif name == "seeds" and not any(layout.seeds_of(arm) for arm in layout.arms):
            continue
        elif part in contrast.fixed:
            yield f"{name}: held fixed by --fixed: the claim is about these {count}"
        elif count == 1:
            yield f"{name}: one {SINGULAR[name]} in the pilot, so no component, and it is not 0: {WANTING[name]}"
        elif part in known and name == "seeds":
            tuned = sum(contrast.tuned)
            yield f"seeds: random, within {'each arm' if tuned == 2 else 'the tuned arm'}"
        elif part in known:
            yield f"{name}: random, crossed with the arms: their own level cancels, their taking to an arm does not"
    if found.items is not None:
        items = found.items
        yield (
            f"items: fixed by the rubric: its {items.items} are the instrument and no sample, so that they are in no error; of item scores: "
            f"item {max(items.item, 0):.2f}, session {max(items.session, 0):.2f}, item x session {max(items.item_session, 0):.2f}"
        )


_HEAD = ("design", *FACETS, "cost", "finds at least", "half-width", "limited by")


def design_rows(found: DStudy) -> list[tuple[str, ...]]:
    """The pilot's design, the cheapest that is enough, and the best for the budget."""
    frontier = found.frontier
    rows: list[tuple[str, ...]] = [_HEAD, _cells(frontier.pilot, found, "the pilot's")]
    if frontier.cheapest is not None:
        rows.append(_cells(frontier.cheapest, found, f"cheapest for {wanted_words(found)}"))
    if frontier.best is not None:
        rows.append(_cells(frontier.best, found, f"best for {money(found.asked.budget or 0.0, found.costs.currency)}"))
    return rows


def wanted_words(found: DStudy) -> str:
    """`3 points`, `an interval of +-2 points`."""
    asked = found.asked
    return f"an interval of +-{asked.half_width:g}" if asked.half_width is not None else f"{asked.effect:g} points"


def money(amount: float, currency: str) -> str:
    """`$12.40`, `1,200 calls`."""
    return (
        f"${amount:,.2f}"
        if currency == DOLLARS
        else f"{amount:,.3g} call{'s' * (amount != 1)}"
        if amount < 10
        else f"{amount:,.0f} calls"
    )


def _cells(one: Priced, found: DStudy, name: str = "") -> tuple[str, ...]:
    none = one.detectable == float("inf")
    return (
        name,
        *(f"{count:,}" for count in one.design),
        money(one.cost, found.costs.currency),
        "nothing" if none else f"{one.detectable:.2f} points",
        "none" if none else f"{one.half_width:.2f}",
        found.frontier.limits[one.design],
    )


def _answers(found: DStudy) -> Iterator[str]:
    """What was asked, in sentences."""
    frontier, asked = found.frontier, found.asked
    if asked.effect is None and asked.half_width is None:
        yield "give --effect POINTS or --half-width POINTS for the cheapest design that is enough"
    elif frontier.cheapest is None:
        floor = min((one.detectable for one in frontier.points), default=float("inf"))
        least = f"; the best design that was tried finds {floor:.2f}" if floor < float("inf") else ""
        yield f"no design with up to {asked.most_personas:,} personas is enough for {wanted_words(found)}{least}"
        yield (
            f"what limits: {frontier.limits[frontier.points[-1].design]}"
            if frontier.points
            else "no design can be tested"
        )
    elif found.needed is not None:
        low, high = found.needed
        told = f"{low:,} to {high:,}" if high is not None else f"{low:,} to more than {MOST_PERSONAS:,}"
        yield (
            f"the cheapest for {wanted_words(found)} needs {frontier.cheapest.design.personas:,} personas; by what the components may "
            f"be as well (95 % interval): {told}"
        )
        if found.never > 0:
            share = f"{found.never:.0%}".replace("%", " %")
            yield f"under {share} of these components no number of personas is enough, because another facet limits"
    if asked.budget is not None and frontier.best is None:
        yield f"nothing that can be tested is to be had for {money(asked.budget, found.costs.currency)}"
    if found.costs.rating_in_batches is not None and frontier.cheapest is not None:
        single = found.costs.units.rating
        ratings = float(found.costs.units.ratings_of(frontier.cheapest.design))
        less = (single - found.costs.rating_in_batches) * ratings
        yield (
            f"in batches (`limits: {{batch: true}}`) a rating costs ${found.costs.rating_in_batches:,.4f} in place of ${single:,.4f}: the "
            f"cheapest design {money(frontier.cheapest.cost - less, found.costs.currency)}; --batches plans with it"
        )


def _notes(found: DStudy) -> Iterator[str]:
    units, hours, precision = found.costs.units, found.costs.hours, found.asked.precision
    each = [
        f"{name} {money(getattr(units, name), found.costs.currency) if found.costs.currency != DOLLARS else f'${getattr(units, name):,.4f}'}"
        for name in ("persona", "session", "rating", "seed", "fixed")
        if getattr(units, name) > 0
    ]
    yield f"cost of one: {', '.join(each) if each else 'nothing'}; all arms of the study together"
    spent = [
        f"{name} {getattr(hours, name):,.4f}"
        for name in ("persona", "session", "rating", "seed", "fixed")
        if getattr(hours, name) > 0
    ]
    if spent:
        yield f"GPU hours of one: {', '.join(spent)}"
    layout = found.pilot.layout
    untuned = not any(layout.seeds_of(arm) for arm in layout.arms)
    if known := {name: count for name, count in found.held.items() if name != "seeds" or not untuned}:
        kept = ", ".join(f"{name} {count}" for name, count in known.items())
        yield f"as in the pilot in every design, since it cannot tell what more would buy: {kept}"
    yield (
        f"t test at {precision.alpha:g}, two-sided, power {precision.power:g}, of one contrast that is not adjusted; degrees of freedom after "
        "Satterthwaite, fewer where few raters, wordings or seeds carry the error"
    )
    yield f"components by {found.found.method}; one below 0 (in brackets) counts as 0; intervals take normal effects for granted"
    unnamed = [
        name for name in PARTS if name not in found.contrast.components and name not in ("seed", "rater", "wording")
    ]
    if "session" in unnamed and "persona" in found.contrast.components:
        yield "a persona's sessions under one arm are not told from the persona's own taking to it"
    yield from found.found.notes
    yield from found.costs.notes
