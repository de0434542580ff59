"""Student's t without SciPy gives what SciPy gives."""

from __future__ import annotations

import subprocess
import sys

import pytest
from scipy.special import stdtrit

from cbtrun.statistics.student import MOST_SUMMED, student_quantile


@pytest.mark.parametrize("probability", [0.55, 0.9, 0.95, 0.975, 0.995, 0.9995])
def test_quantiles_are_scipys(probability: float) -> None:
    for df in [*range(1, 300), 500, MOST_SUMMED - 1, MOST_SUMMED, MOST_SUMMED + 1, 5000, 10**6]:
        assert student_quantile(df, probability) == pytest.approx(float(stdtrit(df, probability)), rel=1e-12)


def test_published_quantiles() -> None:
    """Of every textbook's table, 95 % on two sides."""
    found = [round(student_quantile(df, 0.975), 3) for df in (1, 2, 5, 10, 19, 30, 120)]
    assert found == [12.706, 4.303, 2.571, 2.228, 2.093, 2.042, 1.980]


@pytest.mark.parametrize(("df", "probability"), [(0, 0.975), (-1, 0.975), (3, 0.5), (3, 1.0), (3, float("nan"))])
def test_what_has_no_quantile_is_refused(df: int, probability: float) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        student_quantile(df, probability)


def test_an_interval_does_not_load_scipy() -> None:
    asked = (
        "import sys; from cbtrun.statistics.clustered import clustered_interval;"
        "clustered_interval([1.0, 2.0] * 1000, [str(n) for n in range(2000)]); print('scipy' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
