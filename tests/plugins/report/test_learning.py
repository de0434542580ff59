"""What the report shows of a training by reinforcement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.plugins.report.diagnostics import warnings
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.learning import learning, learning_plates, learning_tables
from cbtrun.plugins.report.watched_training import chosen_steps, watched_trainings
from cbtrun.plugins.report.write import write_all
from tests.helpers.learning_study import GAP, learning_study
from tests.helpers.made_up_training import made_up_steps, write_training
from tests.helpers.report_studies import made_up_study, paper_spec


@pytest.fixture(scope="module")
def given() -> ReportInput:
    return learning_study("<script>alert(1)</script> {{ 7 * 7 }}", figures=(), tables=("csv",))


@pytest.fixture(scope="module")
def page(given: ReportInput, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("learning")
    write_all(given, folder)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_each_training_has_its_verdict_and_several_seeds_are_told_apart(given: ReportInput) -> None:
    gamed, honest = learning(given)
    assert gamed.verdicts["keyword-counted"].startswith(
        "The reward was gamed, as far as its witness sees: the reward rose by"
    )
    assert [*honest.verdicts] == ["ctrs-rewarded, seed 1", "ctrs-rewarded, seed 2"]


def test_a_figure_says_in_words_where_its_lines_end(given: ReportInput) -> None:
    captions = [plate.caption for plate in learning_plates(given)]
    assert len(captions) == 4
    assert "At steps 58 to 60, the reward ends at " in captions[2]
    assert "other.total ends at " in captions[2]


def test_the_tables_tell_stops_controls_and_every_point(given: ReportInput) -> None:
    outcomes, controls, scores, policies = learning_tables(given)
    assert [row.cells[:5] for row in outcomes.rows] == [
        ("keyword-counted", "1", "gamed", "24", "384"),
        ("ctrs-rewarded", "1", outcomes.rows[1].cells[2], "60", "960"),
        ("ctrs-rewarded", "2", outcomes.rows[2].cells[2], "60", "1,080"),
    ]
    assert outcomes.rows[0].detail == f"Ended early: {GAP}."
    assert ("keyword-counted", "1", "keyword-stuffed", "yes", "48", "48") in [row.cells[:6] for row in controls.rows]
    assert ("keyword-counted", "1", "harmful", "no", "48", "0") in [row.cells[:6] for row in controls.rows]
    assert {row.cells[1] for row in scores.rows} == {"reward", "other.total"}
    assert policies.rows[0].cells[:2] == ("keyword-counted", "1")


def test_best_and_worst_session_stand_side_by_side(page: str) -> None:
    assert page.count('<div class="side-by-side">') == 6
    assert "keyword-counted, step 13: the session of 16 that earned most beside the one that earned least" in page
    assert "Vetoed: safety.guided_to_care: 0" not in page, "no chosen step was vetoed"
    assert 'href="#learning"' in page


def test_a_study_that_learnt_from_no_sessions_has_no_such_section() -> None:
    given = made_up_study(2)
    assert [learning(given), [*learning_plates(given)], [*learning_tables(given)]] == [[], [], []]


def test_words_of_a_training_are_text_whatever_stands_in_them(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in page


def test_sessions_of_chosen_steps_are_ranked_by_what_they_earned(tmp_path: Path) -> None:
    steps = made_up_steps(3)
    spoken = {
        step.step: [
            Session(id=one.session, draw=one.session, turns=(Turn(speaker="therapist", text="Hi"),), ended="farewell")
            for one in step.rollouts
        ]
        for step in steps[:1]
    }
    write_training(tmp_path / "seed-1", steps, spoken)
    (kept,) = watched_trainings(tmp_path, words=True)
    (moment,) = kept.moments
    rewards = [one.reward or 0 for one in steps[0].rollouts]
    assert (moment.best.rollout.reward, moment.worst.rollout.reward) == (max(rewards), min(rewards))
    assert watched_trainings(tmp_path, words=False)[0].moments == ()


@pytest.mark.parametrize(("count", "chosen"), [(0, []), (1, [1]), (2, [1, 2]), (5, [1, 3, 5])])
def test_the_first_the_middle_and_the_last_step_are_chosen(count: int, chosen: list[int]) -> None:
    assert [step.step for step in chosen_steps(made_up_steps(count))] == chosen


OWN, OTHER = "ctrs.total", "miti.total"


@pytest.mark.parametrize(("outcomes", "warned"), [((OWN,), True), ((OWN, OTHER), False), ((OTHER,), False)])
def test_a_job_that_only_its_own_reward_speaks_for_is_told_with_care(outcomes: tuple[str, ...], warned: bool) -> None:
    study = paper_spec(2)
    study["tune"]["tiny-cbt"] |= {"reward": {"rating": "ctrs"}}
    study["ratings"]["miti"] = {"using": "rubric", "rubric": "miti", "raters": ["other"], "repeats": 1}
    given = made_up_study(2, spec=study)
    first = given.results.comparisons[0]
    told = replace(
        given,
        results=given.results.model_copy(
            update={"comparisons": tuple(first.model_copy(update={"outcome": one}) for one in outcomes)}
        ),
    )
    found = [one.text for one in warnings(told) if "trained to raise" in one.text]
    assert bool(found) is warned
