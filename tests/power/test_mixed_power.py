"""Power of mixed models: simulated by the study's own fit, against simr's published examples and the closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from cbtrun.analysis.study_power import Simulated, planned_tests
from cbtrun.before.plan import plan_study
from cbtrun.power.designs import ArmContrast, Design, Precision
from cbtrun.power.formulas import power_of_pairs, power_of_t, smallest_effect
from cbtrun.power.planned import PlannedTest
from cbtrun.registry import load_registry
from cbtrun.statistics.mixed import fit_mixed, mixed_contrast
from cbtrun.study.load import load_study
from cbtrun.testing.projects import StudyProject

MakeProject = Callable[[Mapping[str, str]], StudyProject]


def power_of_slope(
    groups: int, times: int, slope: float, variances: tuple[float, float], alpha: float, n: int
) -> float:
    """Share of n simulated studies y ~ x + (1 | g) in which the slope is found. variances: of groups and of the residual."""
    rng = np.random.default_rng(5)
    x = np.tile(np.arange(1.0, times + 1), groups)
    fixed = np.column_stack([np.ones(x.size), x])
    term = [str(at) for at in np.repeat(np.arange(groups), times)]
    found = 0
    for _ in range(n):
        y = slope * x + np.repeat(rng.normal(size=groups), times) * variances[0] ** 0.5
        fit = fit_mixed(y + rng.normal(size=x.size) * variances[1] ** 0.5, fixed, {"g": term})
        found += mixed_contrast(fit, [0.0, 1.0]).test.p < alpha
    return found / n


SIMR = [
    # simr's vignette "Power analysis from scratch": model1, 30 rows; balanced, so that the t test is exact
    (3, 10, -0.1, (0.5, 1.0), 0.05, None),
    # "Power and sample size analysis in R" (UVA), simr 1.0.x, lmerTest's Satterthwaite: 37.00% (27.56, 47.24), nrow = 60
    (15, 4, 0.25, (9.0, 1.0), 0.01, (0.2756, 0.4724)),
    # the same, extend(along = "student", n = 30): 64.00% (53.79, 73.36), nrow = 120
    (30, 4, 0.25, (9.0, 1.0), 0.01, (0.5379, 0.7336)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "times", "slope", "variances", "alpha", "published"), SIMR)
def test_simulated_power_is_that_of_simr(
    groups: int,
    times: int,
    slope: float,
    variances: tuple[float, float],
    alpha: float,
    published: tuple[float, float] | None,
) -> None:
    spread = groups * sum((x - (times + 1) / 2) ** 2 for x in range(1, times + 1))
    exact = power_of_t(groups * times - groups - 1, abs(slope) * (spread / variances[1]) ** 0.5, alpha)
    studies = 150
    assert power_of_slope(groups, times, slope, variances, alpha, studies) == pytest.approx(
        exact, abs=4 * math.sqrt(exact * (1 - exact) / studies)
    )
    if published:
        assert published[0] < exact < published[1]


def by_the_authors(d: float, parts: tuple[float, float, float], p: int, q: int) -> tuple[float, float]:
    """Noncentrality and degrees of freedom of the fully crossed design as Westfall, Kenny & Judd's own program has them.

    parts: residual, stimulus slope, participant slope.
    """
    e, sc, pc = parts
    ncp = d / math.sqrt(2 * (e / p / q + 2 * sc / q + 2 * pc / p))
    squares = (e, e + p * sc, e + q * pc)
    df = (squares[2] + squares[1] - squares[0]) ** 2 / (
        squares[0] ** 2 / (p - 1) / (q - 1) + squares[1] ** 2 / (q - 1) + squares[2] ** 2 / (p - 1)
    )
    return ncp, df


@pytest.mark.parametrize(("p", "q"), [(20, 20), (50, 10), (12, 40), (100, 30)])
def test_a_crossed_design_has_the_power_of_westfall_kenny_and_judd(p: int, q: int) -> None:
    d, e, sc, pc = 0.5, 0.3, 0.1, 0.1  # the program's defaults
    contrast = ArmContrast({"persona": 2 * pc, "rater": 2 * sc, "residual": e})
    design = Design(p, 1, 1, q, 1, 1)
    variance, df = contrast.error(design)
    ncp, theirs = by_the_authors(d, (e, sc, pc), p, q)
    assert d / math.sqrt(float(variance)) == pytest.approx(ncp, rel=1e-12)
    # Their mean squares hold half of the slopes' part; with the whole of it the degrees of freedom differ by little.
    assert float(df) == pytest.approx(theirs, rel=0.12)
    assert Precision().power_of(contrast, design, d) == pytest.approx(power_of_t(theirs, ncp, 0.05), abs=0.01)


@pytest.mark.slow
def test_the_closed_form_is_what_the_fit_finds() -> None:
    rng = np.random.default_rng(8)
    p, q, e, sc, pc, d, studies = 8, 6, 1.0, 0.4, 0.5, 1.6, 120
    arm, person, rater = (part.ravel() for part in np.indices((2, p, q)))
    fixed = np.column_stack([arm == 0, arm == 1]).astype(float)
    terms = {"persona": person, "rater": rater, "persona:level": person + 100 * arm, "rater:level": rater + 100 * arm}
    terms = {name: [str(one) for one in levels] for name, levels in terms.items()}
    found = 0
    for _ in range(studies):
        y = d * (arm == 0) + rng.normal(size=arm.size) * e**0.5 + rng.normal(size=p)[person] + rng.normal(size=q)[rater]
        y = (
            y
            + (rng.normal(size=(2, p)) * (2 * pc) ** 0.5)[arm, person]
            + (rng.normal(size=(2, q)) * (2 * sc) ** 0.5)[arm, rater]
        )
        found += mixed_contrast(fit_mixed(y, fixed, terms), [1.0, -1.0]).test.p < 0.05
    contrast = ArmContrast({"persona": 2 * pc, "rater": 2 * sc, "residual": e})
    closed = Precision().power_of(contrast, Design(p, 1, 1, q, 1, 1), d)
    assert found / studies == pytest.approx(closed, abs=4 * math.sqrt(closed * (1 - closed) / studies))


def test_personas_alone_give_the_paired_t_test() -> None:
    contrast, design = ArmContrast({"persona": 2.0, "session": 3.0}), Design(14, 1, 2, 1, 1, 1)
    unit = math.sqrt(2 * (2.0 + 3.0 / 2))
    assert Precision().power_of(contrast, design, 0.8 * unit) == pytest.approx(power_of_pairs(14, 0.8), abs=1e-9)
    assert float(Precision(0.05, 0.8).detectable(contrast, design)) / unit == pytest.approx(
        smallest_effect(lambda dz: power_of_pairs(14, dz), 0.8), abs=2e-3
    )


STUDY = """
cbtrun: 1
study: mixed
models:
  patient: {using: scripted-patient}
  careful: {using: careful-control}
  harmful: {using: harmful-control}
  rater: {using: lexical-rater}
personas: {eval: {using: sampled, attributes: depression, count: 14}}
arms:
  careful: {therapist: careful, factors: {kind: careful}}
  harmful: {therapist: harmful, factors: {kind: harmful}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 8}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
analysis:
  main: {using: mixed, outcome: ctrs.total, factor: kind, levels: [careful, harmful], correction: none}
"""


def test_power_of_a_study_simulates_its_mixed_model(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": STUDY})
    done = project.run("power", "study.yaml", "--studies", "30", "--effect", "0.8")
    assert done.code == 0, done.err
    assert "mixed model" in done.out
    assert "simulated with the model's own fit at n = 14, 30 studies" in done.out
    row = next(line for line in done.out.splitlines() if line.startswith("  main"))
    found = float(row.split("dz ")[1].split()[0])
    assert found == pytest.approx(0.81, abs=0.25)  # one session and one rating each: the paired t test
    assert (
        "as a paired t test" in project.run("plan", "study.yaml").out
        or "pairs find dz 0.81" in project.run("plan", "study.yaml").out
    )


def test_a_pilot_gives_points_and_one_wording_is_about_itself(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": STUDY})
    registry = load_registry()
    study = load_study(project.folder / "study.yaml", registry=registry)
    parts = {"persona": 2.0, "session": 6.0, "wording": 5.0, "rater": 3.0, "persona alone": 4.0}
    (one,) = planned_tests(study, registry, plan_study(study, registry), simulated=Simulated(20, parts))
    assert isinstance(one, PlannedTest)
    assert one.points == pytest.approx(4.0)  # root of 2 (2 + 6): neither the one rater nor the one wording is in it
    assert any("the claim is about these: rater, wording" in note for note in one.notes)
    assert 0.5 < one.power_at(14, 1.0) <= 1
    assert one.power_at(60, 1.0) > 0.99
