"""Mixed models of two hundred and four simulated studies against lme4's best optimiser and lmerTest."""

import json
import math
from typing import Any

import numpy as np
import pytest

from cbtrun.statistics.mixed import MixedContrast, MixedFit, fit_mixed, mixed_contrast, mixed_f_test
from tests.helpers.places import GOLDEN

STUDIES = json.loads((GOLDEN / "statistics" / "mixed_studies.json").read_text(encoding="utf-8"))
KINDS = sorted({study["name"].rpartition(" ")[0] for study in STUDIES})


def _fit(study: dict[str, Any]) -> tuple[MixedFit, MixedContrast]:
    columns = {name: column.split() for name, column in study["columns"].items()}
    level = columns.pop("level")
    levels = sorted(set(level))
    fixed = np.array([[float(own == one) for one in levels] for own in level])
    random = {name: [None if one == "-" else one for one in column] for name, column in columns.items()}
    fit = fit_mixed([float(value) for value in study["values"].split()], fixed, random)
    return fit, mixed_contrast(fit, [1, -1, 0][: len(levels)])


def test_the_reference_studies_are_two_hundred_of_ten_kinds_and_four_with_few_degrees_of_freedom() -> None:
    singular = sum(study["expected"]["singular"] for study in STUDIES)
    assert (len(STUDIES), len(KINDS)) == (204, 11)
    assert 60 <= singular <= 140


@pytest.mark.parametrize("kind", KINDS)
def test_every_fit_is_at_the_optimum_of_the_best_of_lme4_s_optimisers(kind: str) -> None:
    for study in STUDIES:
        if study["name"].rpartition(" ")[0] != kind:
            continue
        expected, name = study["expected"], study["name"]
        fit, found = _fit(study)
        assert fit.criterion <= expected["criterion"] + 1e-6, name
        error = math.sqrt(fit.covariance[0, 0] + fit.covariance[1, 1] - 2 * fit.covariance[0, 1])
        assert found.estimate == pytest.approx(expected["estimate"], rel=1e-4, abs=1e-8), name
        assert error == pytest.approx(expected["error"], rel=1e-4), name
        assert found.test.df == pytest.approx(expected["df"], rel=0.01), name  # lmerTest's too where it is singular
        assert found.test.p == pytest.approx(expected["p"], rel=0.01), name
        assert bool(fit.singular) == expected["singular"], name
        assert dict(fit.variance) == pytest.approx(expected["variance"], rel=0.01, abs=1e-4), name
        if "f" in expected:
            together = mixed_f_test(fit, np.array([[1.0, -1, 0], [1, 0, -1]]))
            assert together.statistic == pytest.approx(expected["f"]["statistic"], rel=1e-4), name
            assert together.df_error == pytest.approx(expected["f"]["df_error"], rel=0.01), name


def test_a_component_with_two_degrees_of_freedom_or_fewer_leaves_the_f_test_two() -> None:
    few = [study for study in STUDIES if study["name"].startswith("few degrees of freedom")]
    for study in few:
        together = mixed_f_test(_fit(study)[0], np.array([[1.0, -1, 0], [1, 0, -1]]))
        assert (together.df_error, study["expected"]["f"]["df_error"]) == (2, 2)
    assert min(_fit(study)[1].test.df for study in few) < 2
