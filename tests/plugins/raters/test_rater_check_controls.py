"""Controls of `rater-check`: chosen by how they were made, never by what they scored, and one in which nothing is changed."""

import json
import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from cbtrun.analysis.table import AnalysisTable
from cbtrun.contract.records import Comparison
from cbtrun.plugins.raters.control_sessions import with_controls
from cbtrun.plugins.raters.rater_check import control_comparison, control_sentence, noticed, with_verdict
from cbtrun.testing.projects import StudyProject
from tests.helpers.benchmark_programs import benchmark
from tests.helpers.checked_raters import COUNTS_WORDS, LISTENS, RUBRIC, STUDY, session, talks
from tests.helpers.rating_fakes import a_session

null = benchmark("rater_check_null")
STUDIES = 100


@pytest.mark.parametrize("scores", ["item, 60 % zeros", "item, 0 to 6 alike"])
def test_a_rater_that_scores_at_random_is_rarely_taken_to_notice(scores: str) -> None:
    found = null.shares(null.SCORES[scores], 40, STUDIES, seed=3)
    allowed = 0.025 + 3 * math.sqrt(0.025 * 0.975 / STUDIES)
    assert found.noticed <= allowed
    assert found.by_score > allowed  # the test would see pairs that are chosen by their score


def comparison(first: list[float], second: list[float], kind: str = "shuffled") -> Comparison:
    rows = null.study(np.random.default_rng(0), lambda _, n: np.array([*first, *second])[:n], len(first))
    rows = [row._replace(levels={**row.levels, "control": kind}) if "~" in row.session else row for row in rows]
    return control_comparison("check", kind, AnalysisTable("x.item", tuple(rows)))


def test_every_pair_counts_whatever_its_session_scored() -> None:
    found = comparison([0, 0, 0, 4, 4, 4], [0, 1, 0, 1, 2, 1])
    assert (found.n, found.estimate) == (6, pytest.approx((0 - 1 + 0 + 3 + 2 + 3) / 6))
    assert any("3 of 6 sessions had the lowest score given before anything was changed" in note for note in found.notes)


def test_a_pair_that_lacks_a_score_is_left_out_and_said_to_be() -> None:
    rows = null.study(np.random.default_rng(1), null.SCORES["total, normal"], 6)
    rows[0] = rows[0]._replace(value=None, reason="too long")
    found = control_comparison("check", "shuffled", AnalysisTable("x.item", tuple(rows)))
    assert found.n == 5
    assert found.groups[1].reasons == {"its other half has no score": 1}


def test_few_pairs_that_do_not_fall_flag_nobody_and_ten_do() -> None:
    assert noticed(comparison([3, 4] * 4, [4, 3] * 4)) is None
    assert noticed(comparison([3, 4] * 5, [4, 3] * 5)) is False
    assert noticed(comparison([3, 4, 3, 4, 3], [1, 1, 1, 2, 1])) is True
    assert noticed(comparison([3, 4, 3, 4], [1, 1, 1, 2])) is None


def test_the_placebo_is_every_session_again_as_a_draw_of_its_own() -> None:
    made = with_controls([session("a"), session("b")], ["placebo"], 1)
    by_id = {one.id: one for one in made}
    assert by_id["a~placebo"].turns == by_id["a"].turns
    assert by_id["a~placebo"].labels["control_of"] == "a"
    assert len({one.draw for one in made}) == 4


def test_a_transcript_that_stands_twice_is_not_swapped_with_itself() -> None:
    twice = [a_session([("therapist", "Hello."), ("patient", "Yes.")], id=name, draw=name) for name in "ab"]
    assert Counter(one.factors["control"] for one in with_controls(twice, ["swapped"], 1)) == {"none": 2}


def test_turns_that_all_say_the_same_cannot_be_shuffled() -> None:
    hollow = a_session([("therapist", "Hm."), ("therapist", "Hm.")], id="a", draw="a")
    assert Counter(one.factors["control"] for one in with_controls([hollow], ["shuffled"], 1)) == {"none": 1}


def test_a_placebo_that_falls_flags_the_rater() -> None:
    groups = comparison([5, 6, 5, 6, 7, 6], [1, 2, 1, 2, 3, 1])
    placebo = comparison([5, 6, 5, 6, 7, 6], [4, 4, 4, 5, 5, 4], "placebo")
    assert noticed(placebo)
    told = control_sentence(placebo)
    assert told.startswith(
        "Control `placebo` (the same session again) FALLS: flagged; second ratings are 1.50 points lower"
    )
    verdict = with_verdict([groups, placebo], 0.7)[0].sentence
    assert "Verdict: it may not be used (it scores the same session lower a second time" in verdict


def run(study_project: Callable[[dict[str, str]], StudyProject], signal: str) -> tuple[str, dict[str, str], list[str]]:
    """The verdict, control -> its sentence, and the verdict's notes, of a study with a placebo."""
    study = STUDY.replace("[shuffled, swapped]", "[shuffled, swapped, placebo]")
    project = study_project({"study.yaml": study, "mine.yaml": RUBRIC.replace("SIGNAL", signal), "talks.csv": talks()})
    done = project.run()
    assert done.code == 0, done.err
    first, *controls = json.loads(project.read("runs/mine/results.json"))["comparisons"]
    return first["sentence"], {one["levels"][1]: one["sentence"] for one in controls}, first["notes"]


def test_a_study_with_a_placebo_says_that_it_does_not_fall(
    study_project: Callable[[dict[str, str]], StudyProject],
) -> None:
    sentence, controls, notes = run(study_project, LISTENS)
    assert "it may be used to compare groups of sessions like these." in sentence
    assert "does not fall; second ratings are the same on average (n = 20)." in controls["placebo"]
    assert not any("no placebo control" in note for note in notes)


def test_a_placebo_that_does_not_fall_saves_no_rater_that_counts_words(
    study_project: Callable[[dict[str, str]], StudyProject],
) -> None:
    sentence, controls, _ = run(study_project, COUNTS_WORDS)
    assert "Verdict: it may not be used (it does not notice shuffled" in sentence
    assert "placebo" not in sentence
    assert "does not fall" in controls["placebo"]
