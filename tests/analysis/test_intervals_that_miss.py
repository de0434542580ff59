"""No interval that misses its estimate is kept, whatever it is about, and checks of few values do not reassure."""

from typing import Any

import numpy as np
import pytest

from cbtrun.analysis.block import stored
from cbtrun.analysis.table import AnalysisTable
from cbtrun.contract.records import Comparison, Effect, Interval
from cbtrun.plugins.analyses.independent import _checks as independent_checks
from cbtrun.plugins.analyses.omnibus import _sphericity
from cbtrun.plugins.analyses.paired import _checks as paired_checks
from cbtrun.statistics.assumptions import normality_words, variance_words
from cbtrun.statistics.bootstrap import bootstrap_mean
from cbtrun.statistics.omnibus import anova, eta_squared
from tests.helpers.benchmark_programs import benchmark


def span(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, method="m")


def comparison(**given: Any) -> Comparison:
    fields = {"analysis": "a", "design": "paired", "outcome": "s.total", "factor": "f", "levels": ("x", "y")}
    return Comparison(**fields, groups=(), n=9, unit_of_analysis="session", sentence="", **given)


def test_intervals_that_miss_their_estimate_are_taken_out_and_told() -> None:
    found = stored(
        comparison(
            estimate=3.0,
            interval=span(1, 2),
            bootstrap=span(3.5, 9),
            effects=(Effect(name="eta_squared", value=0.01, interval=span(0, 0)), Effect(name="dz", value=0.5)),
        )
    )
    assert (found.interval, found.bootstrap, found.effects[0].interval) == (None, None, None)
    assert [note.split(":")[0] for note in found.notes] == [
        "no interval of the difference",
        "no interval of the difference by the bootstrap",
        "no interval of eta squared",
    ]


def test_intervals_that_hold_their_estimate_stay_to_the_last_bit() -> None:
    effect = Effect(name="auc", value=1.0, interval=span(0.7, 1 - 1e-13))
    found = stored(comparison(estimate=0.3, interval=span(0.1 + 0.2, 1), effects=(effect,)))
    assert found.interval is not None
    assert found.effects[0].interval is not None
    assert found.notes == ()


def test_an_f_of_next_to_nothing_has_no_interval_of_its_eta_squared() -> None:
    test = anova([[1, 2, 3, 4], [1.001, 2, 3, 4.001], [1, 2, 3, 4.002]]).test
    effect = eta_squared(test).effect
    assert effect is not None
    assert stored(comparison(estimate=None, effects=(effect,))).effects[0].interval is None


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_fewer_than_eight_units_have_no_bootstrap_interval(n: int) -> None:
    assert bootstrap_mean([3.0, 9, 4, 7, 1, 5, 8][:n], 1).interval is None


@pytest.mark.parametrize(("kind", "paired"), [("ceiling", True), ("total", False)])
def test_bootstrap_intervals_of_eight_units_hold_the_truth(kind: str, paired: bool) -> None:
    program = benchmark("interval_coverage")
    found = program.bootstrap_scenario(kind, paired, 8, 150, seed=1)["bootstrap"]
    assert found["given"] > 0.99
    assert 0.92 <= found["covered"] <= 0.985


def test_checks_of_three_values_do_not_reassure() -> None:
    told = normality_words("the differences", [1, 2, 3.1], "Wilcoxon")
    assert told.startswith("normality of the differences: cannot be told from 3 values (Shapiro-Wilk W = ")
    assert told.endswith("read Wilcoxon beside the t interval")
    assert "cannot be told from groups of 3" in variance_words([[1, 2, 3], [1, 2, 4, 5]])
    (spherical,) = _sphericity(np.array([[1.0, 2, 4], [2, 4, 5], [3, 3, 8]]))
    assert spherical.startswith("sphericity: cannot be told from 3 personas (Mauchly W = ")
    assert "nothing speaks against" not in told + spherical


def test_checks_of_twenty_values_say_what_they_found() -> None:
    values = np.random.default_rng(1).normal(size=20).tolist()
    assert "nothing speaks against it" in normality_words("the differences", values, "Wilcoxon")
    assert "nothing speaks against it" in variance_words([values, values[::-1]])


@pytest.mark.parametrize(("n", "named"), [(7, False), (8, True)])
def test_a_bootstrap_interval_is_only_pointed_at_where_there_is_one(n: int, named: bool) -> None:
    differences = [float(at**3) for at in range(n)]
    told = paired_checks(differences, differences, AnalysisTable("s.total", ()))[0]
    assert ("bootstrap" in told) == named
    told = independent_checks(differences, differences * 2, AnalysisTable("s.total", ()))[0]
    assert ("bootstrap" in told) == named
