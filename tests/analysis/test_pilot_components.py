"""Components of a pilot: recovered from simulated pilots, never 0 where nothing is known, with gaps and unequal arms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cbtrun.analysis.pilot_components import PilotComponents, pilot_components
from cbtrun.analysis.pilot_layout import Layout, SeenRating
from cbtrun.errors import StatisticsError

TRUE = {"persona": 2.0, "seed": 1.5, "session": 3.0, "rater": 1.0, "wording": 0.5, "rater-session": 1.0}
TRUE |= {"wording-session": 0.7, "residual": 2.0, "persona alone": 9.0, "rater alone": 4.0, "wording alone": 2.0}


def pilot(rng: np.random.Generator, *, seeds: tuple[int, int] = (0, 0), crossed: bool = True, **sizes: int) -> Layout:
    """Two arms of personas x sessions x raters x wordings x repeats. seeds: tunings of each arm."""
    personas, sessions = sizes.get("personas", 10), sizes.get("sessions", 2)
    shape = (sizes.get("raters", 3), sizes.get("wordings", 2), sizes.get("repeats", 2))

    def drawn(name: str, *size: int) -> Any:
        return rng.normal(size=size) * TRUE[name] ** 0.5

    own = drawn("persona alone", 2, personas)
    own = own[[0, 0]] if crossed else own
    alike = drawn("rater alone", shape[0])[:, None, None] + drawn("wording alone", shape[1])[None, :, None]
    seen = []
    for arm, name in enumerate("AB"):
        of_arm = drawn("rater", shape[0])[:, None, None] + drawn("wording", shape[1])[None, :, None]
        takes = drawn("persona", personas)
        for seed in range(max(1, seeds[arm])):
            tuned = float(drawn("seed")) if seeds[arm] else 0.0
            for person in range(personas):
                for session in range(sessions):
                    noise = drawn("rater-session", shape[0])[:, None, None] + drawn("residual", *shape)
                    noise = noise + drawn("wording-session", shape[1])[None, :, None]
                    values = own[arm, person] + takes[person] + tuned + drawn("session") + alike + of_arm + noise
                    who = f"p{person}" if crossed else f"{name}{person}"
                    tuning = f"{name}@{seed}" if seeds[arm] else ""
                    for at in np.ndindex(shape):
                        place = (name, who, tuning, f"{name}/{person}/{seed}/{session}")
                        seen.append(SeenRating(float(values[at]), *place, f"r{at[0]}", f"w{at[1]}", at[2] + 1))
    return Layout(tuple(seen), ("A", "B"), ("A", "B"))


def means(studies: int, **kind: Any) -> dict[str, tuple[float, float]]:
    """Component -> mean over simulated pilots, and its standard error."""
    rng = np.random.default_rng(11)
    found: dict[str, list[float]] = {}
    for _ in range(studies):
        for one in pilot_components(pilot(rng, **kind), 1).components:
            found.setdefault(one.name, []).append(one.variance)
    return {name: (float(np.mean(all_)), float(np.std(all_) / studies**0.5)) for name, all_ in found.items()}


@pytest.mark.parametrize("kind", [{}, {"seeds": (3, 3), "personas": 6}, {"crossed": False}])
def test_components_are_recovered_on_average(kind: dict[str, Any]) -> None:
    found = means(25, **kind)
    for name, (mean, error) in found.items():
        true = TRUE.get(name, 0.0)
        if not kind.get("crossed", True) and name == "persona":
            true += TRUE["persona alone"]  # others under each arm: all of their spread counts
        assert mean == pytest.approx(true, abs=4 * error + 0.01), name


def names(found: PilotComponents) -> dict[str, tuple[str, ...]]:
    return {one.name: one.also for one in found.components if one.in_contrast}


def test_a_facet_of_one_level_has_no_component_and_what_cannot_be_told_apart_is_one() -> None:
    rng = np.random.default_rng(3)
    one_each = pilot_components(pilot(rng, sessions=1, raters=1, wordings=1, repeats=1), 1)
    assert names(one_each) == {"persona": ("session", "residual")}
    raters = pilot_components(pilot(rng, sessions=1, wordings=1, repeats=1), 1)
    assert names(raters) == {"persona": ("session",), "rater": (), "rater-session": ("residual",)}
    assert "rater" not in one_each.contrast().components


def test_a_contrast_of_the_pilot_has_the_error_of_its_paired_t_test() -> None:
    layout = pilot(np.random.default_rng(5), sessions=1, raters=1, wordings=1, repeats=1, personas=14)
    values = {(one.arm, one.persona): one.value for one in layout.seen}
    differences = np.array([values["A", who] - values["B", who] for who in layout.personas])
    variance, df = pilot_components(layout, 1).contrast().error(layout.design)
    assert float(variance) == pytest.approx(differences.var(ddof=1) / 14)
    assert float(df) == pytest.approx(13)


def test_missing_ratings_and_personas_are_told() -> None:
    layout = pilot(np.random.default_rng(6))
    gone = Layout(tuple(one for at, one in enumerate(layout.seen) if at % 97), layout.arms, layout.compared)
    found = pilot_components(gone, 1)
    assert found.method == "analysis of variance"
    assert "ratings are missing" in found.notes[0]
    without = tuple(one for one in layout.seen if one.session != "A/0/0/0")
    assert (
        "1 of 10 personas lack a session" in pilot_components(Layout(without, layout.arms, layout.compared), 1).notes[0]
    )


def test_a_tuned_arm_beside_an_untuned_one_is_fitted_by_reml() -> None:
    layout = pilot(np.random.default_rng(7), seeds=(3, 0), sessions=1, raters=2, wordings=1, repeats=1, personas=8)
    found = pilot_components(layout, 1)
    assert found.method == "REML"
    assert found.contrast().tuned == (True, False)
    assert {"persona", "seed", "rater"} <= set(found.contrast().components)
    assert all(one.low <= one.high for one in found.components)
    assert len(found.drawn) == 2000


def test_a_pilot_of_one_persona_is_refused() -> None:
    with pytest.raises(StatisticsError, match="at least two personas"):
        pilot_components(pilot(np.random.default_rng(8), personas=1), 1)


def test_a_pilot_without_ratings_is_refused() -> None:
    layout = replace(pilot(np.random.default_rng(8), personas=2), seen=())
    with pytest.raises(StatisticsError, match="at least two personas"):
        pilot_components(layout, 1)
