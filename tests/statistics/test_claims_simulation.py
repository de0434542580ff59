"""A small fixed sample of benchmarks/claims_simulation.py: where nothing differs, what is claimed is rarely found."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from cbtrun.plugins.analyses import mixed_terms
from tests.helpers.benchmark_programs import benchmark

STUDIES, ALLOWED = 40, 5
"""With an error of 0.05 more than five of forty null studies find something in 1.4 % of samples, with 0.35 in 99.7 %."""


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    return benchmark("claims_simulation")


def _found(simulation: ModuleType, design: str, studies: int = STUDIES, seed: int = 3, **more: Any) -> float:
    """Studies of a scenario, with larger effects than in the table, that find a difference where there is none."""
    scenario = next(one for one in simulation.SCENARIOS if one.design == design)
    shares = simulation.figures(replace(scenario, **more), studies, seed)
    return round(shares["rejected"] * studies)


TUNINGS = {"design": "mixed, 3 tunings a level", "tuning": 1.0, "personas": 8, "at_level": 0.1}
RATERS = {"design": "mixed, 3 raters who favour levels", "raters": 4, "favour": 0.6, "personas": 8, "at_level": 0.1}
OPPOSED = {"design": "mixed, 14 personas, opposite effects", "at_level": 1.2, "personas": 8, "studies": 50, "seed": 4}


@pytest.mark.parametrize("drawn", [TUNINGS, RATERS], ids=lambda drawn: drawn["design"])
def test_what_mixed_claims_is_rarely_found_where_nothing_differs(simulation: ModuleType, drawn: dict[str, Any]) -> None:
    assert _found(simulation, **drawn) <= ALLOWED


def test_seeds_without_their_term_would_be_caught(simulation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed_terms, "_tuning", lambda *_: None)
    assert _found(simulation, **TUNINGS) > ALLOWED


def test_raters_without_their_liking_for_levels_would_be_caught(
    simulation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixed_terms, "ENOUGH_RATERS", 5)
    assert _found(simulation, **RATERS) > ALLOWED


def test_personas_opposed_to_themselves_are_not_pooled(simulation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = _found(simulation, **OPPOSED)
    monkeypatch.setitem(simulation.OPTIONS, "random", ["persona"])  # a variance of theirs cannot be below 0
    pooled = _found(simulation, **OPPOSED)
    assert shipped <= ALLOWED < pooled


def test_a_narrower_claim_is_not_asserted(simulation: ModuleType) -> None:
    wide = {"claimed": False, "rejected": 0.35, "studies": 1000}
    assert not simulation.is_wrong(wide)
    assert simulation.is_wrong({**wide, "claimed": True})
