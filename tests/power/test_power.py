"""Power before anything is spent: against other implementations and simulation, by every design, on the command line."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from statsmodels.stats.power import FTestAnovaPower

from cbtrun.analysis.study_power import planned_tests
from cbtrun.before.plan import plan_study
from cbtrun.power import formulas as power
from cbtrun.power.planned import PlannedTest
from cbtrun.power.ranks import mann_whitney_power, odds_power, wilcoxon_power
from cbtrun.power.words import Wanted, effect_curve, published_sd
from cbtrun.registry import load_registry
from cbtrun.statistics.equivalence import equivalence_of_pairs
from cbtrun.study.load import load_study
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT

MakeProject = Callable[[Mapping[str, str]], StudyProject]

STUDY = f"""
extends: {ROOT}/specs/quickstart.yaml
study: designs
arms:
  untuned:    {{factors: {{family: a}}}}
  cbt:        {{factors: {{family: a}}}}
  supportive: {{factors: {{family: b}}}}
  shuffled:   {{factors: {{family: b}}}}
  untuned-b:  {{therapist: tiny, factors: {{tuning: none, family: b}}}}
  cbt-b:      {{therapist: tiny, factors: {{tuning: cbt, family: b}}}}
analysis:
  cbt-or-nothing: null
  cbt-or-supportive: null
  cbt-or-shuffled: null
  t:    {{using: paired, outcome: ctrs.total, factor: tuning, levels: [cbt, none]}}
  rank: {{using: paired, outcome: ctrs.total, factor: tuning, levels: [cbt, none], tests: [wilcoxon], items: false}}
  same: {{using: equivalence, outcome: ctrs.total, factor: tuning, levels: [cbt, none], margin: 4}}
  all:  {{using: omnibus, outcome: ctrs.total, factor: tuning, levels: [cbt, none, supportive], family: outcome-alone}}
  both: {{using: factorial, outcome: ctrs.total, factors: [tuning, family], levels: {{tuning: [cbt, none], family: [a, b]}}, items: false}}
  mix:  {{using: mixed, outcome: ctrs.total, factor: tuning, levels: [cbt, none, supportive], correction: none}}
  item: {{using: ordinal, outcome: ctrs.agenda, factor: tuning, levels: [cbt, none], items: false}}
"""


def planned(project: StudyProject) -> dict[tuple[str, str], PlannedTest]:
    """(analysis, part) -> planned test of the project's study."""
    registry = load_registry()
    study = load_study(project.folder / "study.yaml", registry=registry)
    found = planned_tests(study, registry, plan_study(study, registry))
    return {(one.analysis, one.part): one for one in found if isinstance(one, PlannedTest)}


# Functions -----------------------------------------------------------------------------------------------------


def test_power_of_an_f_test_is_that_of_statsmodels() -> None:
    theirs = FTestAnovaPower().power(effect_size=0.3, nobs=60, alpha=0.05, k_groups=3)
    assert power.power_of_f((2, 57), 60 * 0.3**2) == pytest.approx(theirs, abs=1e-9)


def test_power_of_equivalence_agrees_with_simulated_studies() -> None:
    rng = np.random.default_rng(3)
    studies = [equivalence_of_pairs(list(rng.normal(size=20)), 0.6).test for _ in range(1500)]
    share = sum(test is not None and test.p < 0.05 for test in studies) / 1500
    assert power.power_of_equivalence(20, 19, 0.6) == pytest.approx(share, abs=4 * (share * (1 - share) / 1500) ** 0.5)


def test_rank_tests_need_a_little_more_than_t_on_normal_values() -> None:
    assert wilcoxon_power(0.05, 1)(30, 0.5) == pytest.approx(power.power_of_pairs(30, 0.5) * 0.97, abs=0.04)
    assert mann_whitney_power(0.05, 1)(40, 0.6) == pytest.approx(power.power_of_groups((40, 40), 0.6) * 0.97, abs=0.04)


def test_an_odds_ratio_of_one_is_found_by_chance_alone() -> None:
    at = odds_power(0.05, 1, 7)
    assert at(30, 0.0) == pytest.approx(0.05, abs=0.02)
    assert at(30, 1.5) > at(30, 0.7) > at(30, 0.0)


def test_a_rank_test_of_too_few_units_finds_nothing() -> None:
    at = wilcoxon_power(0.004, 1)  # the smallest p of five pairs is 1/16
    assert power.smallest_effect(lambda dz: at(5, dz), 0.8) is None


# By the study --------------------------------------------------------------------------------------------------


def test_every_design_is_planned_by_its_own_test(study_project: MakeProject) -> None:
    found = planned(study_project({"study.yaml": STUDY}))
    assert {key: (one.test, one.effect, one.n, one.family) for key, one in found.items()} == {
        ("t", ""): ("t", "dz", 20, 7),
        ("rank", ""): ("wilcoxon", "dz", 20, 7),
        ("same", ""): ("tost", "margin", 20, 7),
        ("all", "all levels"): ("rm-anova", "f", 20, 1),
        ("all", "each pair"): ("paired t", "dz", 20, 3),
        ("both", "tuning"): ("hotelling", "dz", 20, 7),
        ("both", "family"): ("hotelling", "dz", 20, 7),
        ("both", "tuning x family"): ("hotelling", "dz", 20, 7),
        ("mix", "each pair"): ("t", "dz", 20, 1),
        ("item", ""): ("wald", "odds ratio", 20, 7),
    }


def in_subgroups(project_of: MakeProject, by: str, more: str = ", family: block") -> PlannedTest:
    """The paired analysis of one outcome with `by`."""
    block = f"using: paired, outcome: ctrs.total, factor: tuning, levels: [cbt, none], items: false, by: {by}{more}"
    return planned(project_of({"study.yaml": f"{STUDY}  sub: {{{block}}}\n"}))["sub", ""]


def test_the_levels_of_by_are_counted_in_the_family(study_project: MakeProject) -> None:
    # Families a and b hold both levels of tuning: the whole, and the comparison within each.
    one = in_subgroups(study_project, "family")
    assert (one.family, one.alpha) == (3, pytest.approx(0.05 / 3))
    assert any("`by: family` has 2 levels" in note and "counted in the family" in note for note in one.notes)


def test_a_level_of_by_without_both_sides_adds_no_test(study_project: MakeProject) -> None:
    assert in_subgroups(study_project, "arm").family == 1
    assert in_subgroups(study_project, "family", ", family: block, where: {family: a}").family == 2


def test_where_the_text_does_not_tell_the_levels_of_by_it_is_said_what_was_assumed(study_project: MakeProject) -> None:
    one = in_subgroups(study_project, "persona.disclosure_style")
    assert one.family == 4
    assert any("taken to have 3 levels" in note for note in one.notes)
    other = in_subgroups(study_project, "persona.gender")
    assert other.family == 3
    assert any("assumed to have 2 levels" in note for note in other.notes)


def test_subgroups_are_not_in_the_family_of_an_outcome_alone(study_project: MakeProject) -> None:
    assert in_subgroups(study_project, "family", ", family: outcome-alone").family == 1
    assert in_subgroups(study_project, "family", ", correction: none").family == 1


def test_subgroups_and_items_stand_behind_the_primary_outcomes_of_all_analyses(study_project: MakeProject) -> None:
    one = in_subgroups(study_project, "family", "")
    assert (one.family, one.alpha) == (8, pytest.approx(0.05 / 8))  # the seven of the study, and this one
    assert any("their tests are not in this family" in note for note in one.notes)


def test_pairs_of_three_levels_are_planned_as_a_family_behind_their_test_of_all(study_project: MakeProject) -> None:
    text = STUDY.replace("levels: [cbt, none, supportive], family: outcome-alone}", "levels: [cbt, none, supportive]}")
    found = planned(study_project({"study.yaml": text}))
    assert (found["all", "all levels"].family, found["all", "each pair"].family) == (8, 3)


def test_what_is_detectable_is_found_with_the_wanted_power(study_project: MakeProject) -> None:
    found = planned(study_project({"study.yaml": STUDY}))
    one = found["t", ""]
    assert one.alpha == pytest.approx(0.05 / 7)
    size = one.detectable(0.8) or 0
    assert power.power_of_pairs(20, size, 0.05 / 7) == pytest.approx(0.8)
    needed = one.needed(0.5, 0.8) or 0
    assert power.power_of_pairs(needed, 0.5, one.alpha) >= 0.8 > power.power_of_pairs(needed - 1, 0.5, one.alpha)
    # One degree of freedom: Hotelling's test of a contrast is its paired t test.
    assert found["both", "tuning"].power_at(20, 0.6) == pytest.approx(power.power_of_pairs(20, 0.6, 0.05 / 7))
    curve = [share for _, share in effect_curve(one, 0.8)]
    assert curve == sorted(curve)
    assert curve[5] == pytest.approx(0.8)


def test_points_follow_from_the_sd_and_the_correlation(study_project: MakeProject) -> None:
    one = planned(study_project({"study.yaml": STUDY}))["t", ""]
    assert Wanted(sd=10, correlation=0.5).unit_points(one) == pytest.approx(10)
    assert Wanted(sd=10, correlation=0).unit_points(one) == pytest.approx(10 * 2**0.5)
    assert Wanted(sd=10, correlation=0.5, points=5).size(one) == pytest.approx(0.5)
    published = {"x": {"levels": {"a": {"mean": 1, "sd": 7}}, "contrast": {"sds": [6, 9]}}}
    assert published_sd({"compare_with": published}) == 9
    assert published_sd({}) is None


# The command ---------------------------------------------------------------------------------------------------


def test_the_command_says_what_can_be_found_and_draws_it(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": STUDY})
    done = project.run("power", "study.yaml", "--points", "5", "--sd", "10", "--to", "out", "--studies", "20")
    assert done.code == 0, done.err
    row = next(line for line in done.out.splitlines() if line.startswith("  t  "))
    assert row.split()[1:] == [
        "paired",
        "t",
        "20",
        "pairs",
        "0.0071",
        "7",
        "dz",
        "0.87",
        "(8.7",
        "points)",
        "54",
        "for",
        "dz",
        "0.50",
        "(5.0",
        "points)",
    ]
    with (project.folder / "out" / "power.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert any(row["analyses"] == "t" and row["n"] == "60" and float(row["power"]) > 0.8 for row in rows)
    assert (project.folder / "out" / "power.svg").read_text().lstrip().startswith("<?xml")
    assert (project.folder / "out" / "power.png").read_bytes().startswith(b"\x89PNG")
    assert not (project.folder / "runs").exists()


def test_the_plan_says_what_the_analyses_can_find(study_project: MakeProject) -> None:
    done = study_project({"study.yaml": STUDY}).run("plan", "study.yaml")
    assert "power: t: 20 pairs find dz 0.87 with power 0.8 (t, p < 0.0071)" in done.out


def test_points_without_an_sd_are_refused(study_project: MakeProject) -> None:
    done = study_project({"study.yaml": STUDY}).run("power", "study.yaml", "--points", "5")
    assert (done.code, done.err) == (
        2,
        "--points needs an SD: give --sd or --from, or state one under `compare_with`\n",
    )


def test_sessions_of_a_file_are_planned_in_equal_groups() -> None:
    command = [sys.executable, "-m", "cbtrun.cli.main", "power", str(ROOT / "specs" / "transcripts.yaml"), "--n", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "independent  welch  30 in each group" in done.stdout
    assert "equal groups" in done.stdout
