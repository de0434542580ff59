"""Variance components of a pilot: persona, tuning seed, session, rater, wording, repeat, and how each differs by arm.

By the analysis of variance (statistics/components.py); by REML (statistics/mixed.py) where arms differ in what they have. A facet with one
level has no component; what the design cannot tell apart is one component, and is told as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.analysis.pilot_layout import AXES, Layout
from cbtrun.errors import StatisticsError
from cbtrun.power.designs import PARTS, ArmContrast, Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbtrun.statistics.components import Balanced
    from cbtrun.statistics.samples import Array

DRAWS = 2_000
"""Of components that the data leave possible, for intervals."""
KEPT_PERSONAS = 0.8
"""Share of the personas that must have every session for the others to be left out."""
MOST_GAPS = 0.1
"""Share of the ratings that may be missing for the analysis of variance."""

EFFECTS: Mapping[str, tuple[str, ...]] = {
    "persona": ("arm", "persona"),
    "seed": ("arm", "seed"),
    "session": ("arm", "persona", "seed", "session"),
    "rater": ("arm", "rater"),
    "wording": ("arm", "wording"),
    "rater-session": ("arm", "persona", "seed", "session", "rater"),
    "wording-session": ("arm", "persona", "seed", "session", "wording"),
    "residual": AXES,
}
"""Component of a contrast -> the facets whose combinations it is of."""
CANCELLING: Mapping[str, tuple[str, ...]] = {
    "persona alone": ("persona",),
    "rater alone": ("rater",),
    "wording alone": ("wording",),
    "persona x rater": ("persona", "rater"),
    "persona x wording": ("persona", "wording"),
    "rater x wording": ("rater", "wording"),
}
"""Component that is the same under both arms -> its facets."""


@dataclass(frozen=True)
class Component:
    """One variance component of the pilot."""

    name: str
    also: tuple[str, ...]
    """Components that the pilot's design cannot tell from it, so that they are in it."""
    variance: float
    """Squared points; below 0 where the analysis of variance gave that, and then used as 0."""
    low: float
    high: float
    df: float | None
    """Of its mean square; none by REML."""
    in_contrast: bool


@dataclass(frozen=True)
class PilotComponents:
    """What a pilot tells of an outcome's variance."""

    layout: Layout
    components: tuple[Component, ...]
    drawn: tuple[Mapping[str, float], ...]
    """Components of the contrast that the data leave possible as well, none below 0."""
    method: str
    notes: tuple[str, ...]

    @property
    def design(self) -> Design:
        """What the pilot had."""
        return self.layout.design

    def contrast(self, fixed: Sequence[str] = ()) -> ArmContrast:
        """What the difference of the compared arms is made of."""
        known = {one.name: max(0.0, one.variance) for one in self.components if one.in_contrast}
        return ArmContrast(known, self.layout.tuned, self.layout.crossed, frozenset(fixed))


def pilot_components(layout: Layout, seed: int) -> PilotComponents:
    """Components with intervals. Raises StatisticsError where nothing can be told."""
    rated = all(any(one.arm == arm for one in layout.seen) for arm in layout.compared)
    if not rated or layout.design.personas < 2:  # a design is counted from ratings: there may be none
        raise StatisticsError("components need two arms with at least two personas (or sessions) each")
    table, notes = _without_gaps(layout.table())
    return _by_reml(layout, seed) if table is None else _by_variance_analysis(layout, table, seed, notes)


def _without_gaps(table: Array | None) -> tuple[Array | None, list[str]]:
    """The ratings of the personas that have every session, where they are most of all and little else is missing."""
    import numpy as np

    if table is None:
        return None, []
    rated: NDArray[Any] = np.asarray(np.isfinite(table).any(axis=(4, 5, 6)))  # (arm, persona, seed, session)
    whole: NDArray[Any] = np.asarray(rated.all(axis=(0, 2, 3)))
    kept = table[:, whole]
    gaps = float(np.isnan(kept).mean()) if kept.size else 1.0
    if whole.sum() < max(2, KEPT_PERSONAS * whole.size) or gaps > MOST_GAPS:
        return None, []
    lacking = int((~whole).sum())
    notes = [f"{lacking} of {whole.size} personas lack a session that the others have: left out"] if lacking else []
    missing = int(np.isnan(kept).sum())
    if missing:
        which = "1 rating is" if missing == 1 else f"{missing} ratings are"
        notes.append(f"{which} missing: taken to be what the components' model expects, at a degree of freedom each")
    return kept, notes


def _by_variance_analysis(layout: Layout, table: Array, seed: int, notes: Sequence[str]) -> PilotComponents:
    import numpy as np

    from cbtrun.statistics.components import balanced_components

    several = {name for name, size in zip(AXES, table.shape, strict=True) if size > 1}
    named = _named(several, layout.crossed)
    nested = {
        "seed": ["arm"],
        "session": ["arm", "persona", "seed"],
        "repeat": [name for name in AXES if name != "repeat"],
    }
    if not layout.crossed:
        nested["persona"] = ["arm"]
    kept = [frozenset({"arm"}), *(frozenset(effect) for effect in named)]
    found = balanced_components(table, AXES, nested, kept)
    drawn = found.drawn(DRAWS, seed)
    values = found.components
    places = {effect: at for at, effect in enumerate(found.effects)}
    made = []
    for effect, names in named.items():
        low, high = np.quantile(np.maximum(drawn[:, places[effect]], 0.0), [0.025, 0.975])
        in_contrast = names[0] in PARTS
        made.append(
            Component(names[0], names[1:], values[effect], float(low), float(high), _df(found, effect), in_contrast)
        )
    parts = [(one.name, places[effect]) for effect, one in zip(named, made, strict=True) if one.in_contrast]
    draws = tuple({name: max(0.0, float(row[at])) for name, at in parts} for row in drawn)
    return PilotComponents(layout, tuple(made), draws, "analysis of variance", tuple(notes))


def _df(found: Balanced, effect: frozenset[str]) -> float:
    return float(found.df[found.effects.index(effect)])


def _named(several: set[str], crossed: bool) -> dict[frozenset[str], tuple[str, ...]]:
    """Effect that the design can tell -> the components that it is of, those that can be told apart first."""
    named: dict[frozenset[str], tuple[str, ...]] = {}
    for name, facets in {**EFFECTS, **CANCELLING}.items():
        if name in CANCELLING and (not set(facets) <= several or (not crossed and "persona" in facets)):
            continue
        own = set(facets) - {"arm"}  # what a component is of, beside the arm
        if name in EFFECTS and name not in ("residual", "session") and not own & several:
            continue
        if name in ("seed", "rater", "wording") and name not in several:
            continue
        if name == "rater-session" and "rater" not in several:
            continue
        if name == "wording-session" and "wording" not in several:
            continue
        effect = frozenset(set(facets) & several)
        named[effect] = (*named.get(effect, ()), name)
    return named


def _by_reml(layout: Layout, seed: int) -> PilotComponents:
    import numpy as np

    from cbtrun.statistics.mixed import fit_mixed

    terms = _terms(layout)
    fixed = np.array([[float(one.arm == arm) for arm in layout.arms] for one in layout.seen])
    fit = fit_mixed([one.value for one in layout.seen], fixed, {name: levels for name, (levels, _) in terms.items()})
    rng = np.random.default_rng(seed)
    names = [name for name in terms if name not in fit.singular]
    at = np.log([*fit.free, fit.variance["residual"]])
    logs = rng.multivariate_normal(at, fit.uncertainty, size=DRAWS, method="eigh")
    sigma2 = np.exp(np.clip(logs[:, -1], -50, 50))
    drawn = {name: sigma2 * np.exp(np.clip(logs[:, place], -50, 50)) for place, name in enumerate(names)}
    drawn["residual"] = sigma2
    made = []
    also = {name: others for name, (_, others) in terms.items()}
    for name in [*terms, "residual"]:
        draws = drawn.get(name, np.zeros(DRAWS))
        low, high = np.quantile(draws, [0.025, 0.975])
        made.append(
            Component(name, also.get(name, ()), fit.variance[name], float(low), float(high), None, name in PARTS)
        )
    parts = [one.name for one in made if one.in_contrast]
    rows = tuple({name: float(drawn[name][at]) if name in drawn else 0.0 for name in parts} for at in range(DRAWS))
    note = "arms or personas differ in what they have: components by REML; one that is estimated as 0 has no interval"
    return PilotComponents(layout, tuple(made), rows, "REML", (note,))


def _terms(layout: Layout) -> dict[str, tuple[list[str | None], tuple[str, ...]]]:
    """Random term -> the level of each rating, and the terms that part the ratings alike."""
    found: dict[tuple[tuple[int, ...], ...], tuple[str, list[str | None], list[str]]] = {}
    for name, facets in {**EFFECTS, **CANCELLING}.items():
        levels = [_level(layout, one, facets) for one in layout.seen]
        count = len({level for level in levels if level is not None})
        if name == "residual" or count < 2 or count == len(levels):
            continue
        if name in CANCELLING and not _is_crossed(layout, facets):
            continue
        if name in ("rater", "wording", "seed") and count <= len(layout.arms):
            continue
        key = _parted(levels)
        if key in found:
            found[key][2].append(name)
        else:
            found[key] = (name, levels, [])
    return {name: (levels, tuple(also)) for name, levels, also in found.values()}


def _level(layout: Layout, one: Any, facets: Sequence[str]) -> str | None:
    if facets == EFFECTS["seed"] and (not one.seed or layout.shared_tunings):
        return None
    wanted = [name for name in facets if name != "seed" or len(facets) == 2]
    return " ".join(str(getattr(one, name)) for name in wanted)


def _is_crossed(layout: Layout, facets: Sequence[str]) -> bool:
    """Whether levels of a facet are under several arms; and, of several facets, whether each has several levels."""
    if any(len({getattr(one, name) for one in layout.seen}) < 2 for name in facets):
        return False
    return layout.crossed or "persona" not in facets


def _parted(levels: Sequence[str | None]) -> tuple[tuple[int, ...], ...]:
    groups: dict[str, list[int]] = {}
    for at, level in enumerate(levels):
        if level is not None:
            groups.setdefault(level, []).append(at)
    return tuple(sorted(map(tuple, groups.values())))
