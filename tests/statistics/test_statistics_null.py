"""Where nothing differs, one study in twenty says that something does: personas clustered, items at their ceiling."""

import math

import numpy as np
import pytest

from cbtrun.analysis.table import AnalysisTable, Row, independent_units, pair_by_persona, rows_at
from cbtrun.statistics.paired import mean_of_differences, paired_t_test
from cbtrun.statistics.two_groups import mean_difference, welch_test

STUDIES, PERSONAS, REPEATS = 2000, 20, 2
ALLOWED = 3 * math.sqrt(0.05 * 0.95 / STUDIES)
"""Three Monte-Carlo standard errors."""


def _study(study: int, ceiling: bool, shared: bool) -> AnalysisTable:
    """Two levels that do not differ; each persona has a level of its own, a liking for either arm, and two sessions."""
    rng = np.random.default_rng([11, study])
    persona = rng.normal(0, 0.6, (1 if shared else 2, PERSONAS, 1))
    scores = 5.6 * ceiling + persona + rng.normal(0, 0.3, (2, PERSONAS, 1))
    if ceiling:
        items = scores[..., None] + rng.normal(0, 1, (2, PERSONAS, REPEATS, 11))
        values = np.clip(np.round(items), 0, 6).sum(axis=-1)
    else:
        values = scores + rng.normal(0, 0.4, (2, PERSONAS, REPEATS))
    rows = []
    for (level, at, repeat), value in np.ndenumerate(values):
        name = f"p{at}" if shared else f"{level}p{at}"
        rows.append(Row(f"{level}-{at}-{repeat}", None, name, repeat + 1, {"level": str(level)}, float(value), None))
    return AnalysisTable("x", tuple(rows))


@pytest.mark.slow
@pytest.mark.parametrize("ceiling", [False, True], ids=["normal", "at the ceiling"])
@pytest.mark.parametrize("shared", [True, False], ids=["paired", "independent"])
def test_t_rejects_a_true_null_in_one_of_twenty_studies_and_its_interval_covers(ceiling: bool, shared: bool) -> None:
    rejected = covered = 0
    for study in range(STUDIES):
        table = _study(study, ceiling, shared)
        first, second = rows_at(table, "level", "0"), rows_at(table, "level", "1")
        if shared:
            differences = [pair.difference for pair in pair_by_persona(first, second).pairs]
            test, estimate = paired_t_test(differences).test, mean_of_differences(differences)
        else:
            values = [[unit.value for unit in independent_units(rows)] for rows in (first, second)]
            test, estimate = welch_test(*values).test, mean_difference(*values)
        rejected += test.p < 0.05
        covered += estimate.interval.low <= 0 <= estimate.interval.high
    assert rejected / STUDIES == pytest.approx(0.05, abs=ALLOWED)
    assert covered / STUDIES == pytest.approx(0.95, abs=ALLOWED)


def test_sessions_of_one_persona_do_not_pass_for_independent_ones() -> None:
    table = _study(0, ceiling=False, shared=False)
    assert len(rows_at(table, "level", "0")) == PERSONAS * REPEATS
    assert len(independent_units(rows_at(table, "level", "0"))) == PERSONAS
