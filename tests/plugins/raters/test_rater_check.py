"""Whether a rater may be used: known groups, negative controls, and a verdict that can be no."""

import json
from collections import Counter
from collections.abc import Callable

import pytest

from cbtrun.plugins.raters.control_sessions import lenders, shuffled_turns, with_controls, without_homework
from cbtrun.testing.projects import StudyProject
from tests.helpers.checked_raters import COUNTS_WORDS, LISTENS, RUBRIC, STUDY, TALK, session, talks
from tests.helpers.rating_fakes import a_session

Project = Callable[[dict[str, str]], StudyProject]


def test_a_shuffled_session_has_the_same_turns_in_another_order() -> None:
    made = shuffled_turns(session("a"), seed=1)
    assert made is not None
    assert made != session("a").turns
    assert Counter(made) == Counter(session("a").turns)
    assert made == shuffled_turns(session("a"), seed=1)


def test_every_therapist_is_lent_once_and_within_the_same_quality() -> None:
    given = [session(f"g{at}", turns=2 * at + 2) for at in range(5)] + [session(f"p{at}", "poor") for at in range(4)]
    pairs = lenders(given)
    assert len(pairs) == 9
    assert sorted(other.id for _, other in pairs) == sorted(one.id for one in given)
    assert all(one.id != other.id and one.factors == other.factors for one, other in pairs)


def test_a_swapped_session_keeps_its_patient_and_is_held_against_its_therapists_own_session() -> None:
    made = [one for one in with_controls([session("a"), session("b")], ["swapped"], 1) if "~" in one.id]
    by_id = {one.id: one for one in made}
    assert by_id["a~swapped"].labels["control_of"] == "b"
    assert all((" a " if turn.speaker == "patient" else " b ") in turn.text for turn in by_id["a~swapped"].turns)


def test_homework_is_taken_out_with_the_answer_to_it() -> None:
    made = without_homework(session("a"))
    assert made is not None
    assert [turn.text.split(" a ")[0] for turn in made] == [text for _, text in TALK[:2] + TALK[4:]]


def test_a_session_without_homework_has_no_such_control() -> None:
    assert without_homework(a_session(TALK[:2])) is None


def test_controls_are_marked_and_their_originals_too() -> None:
    made = with_controls([session("a"), session("b")], ["shuffled", "no-homework"], 1)
    assert Counter(one.factors["control"] for one in made) == {"none": 2, "shuffled": 2, "no-homework": 2}
    assert len({one.draw for one in made}) == 6


def verdict(project: StudyProject) -> tuple[str, dict[str, str]]:
    """The first sentence, and control -> its sentence."""
    results = json.loads(project.read("runs/mine/results.json"))
    first, *controls = results["comparisons"]
    return first["sentence"], {one["levels"][1]: one["sentence"] for one in controls}


def checked(study_project: Project, signal: str) -> tuple[str, dict[str, str]]:
    """The verdict on a rater that measures this signal."""
    project = study_project({"study.yaml": STUDY, "mine.yaml": RUBRIC.replace("SIGNAL", signal), "talks.csv": talks()})
    done = project.run()
    assert done.code == 0, done.err
    return verdict(project)


def test_a_rater_that_listens_may_be_used(study_project: Project) -> None:
    sentence, controls = checked(study_project, LISTENS)
    assert "`good` and `poor` are told apart: AUC 1.00" in sentence
    assert "n = 10 and 10" in sentence
    assert "Verdict: it may be used to compare groups of sessions like these." in sentence
    assert all("is noticed" in told for told in controls.values())


def test_a_rater_that_counts_words_is_flagged_however_well_it_tells_good_from_poor(study_project: Project) -> None:
    sentence, controls = checked(study_project, COUNTS_WORDS)
    assert "AUC 1.00" in sentence
    assert "Verdict: it may not be used (it does not notice shuffled (turns in random order)" in sentence
    assert "NOT NOTICED: flagged" in controls["shuffled"]


def test_a_rater_that_gives_everyone_the_same_may_not_be_used(study_project: Project) -> None:
    sentence, _ = checked(study_project, COUNTS_WORDS.replace("skilful", "words"))
    assert "Verdict: it may be used" not in sentence


def test_a_control_that_the_sessions_do_not_make_is_reported_with_its_line(study_project: Project) -> None:
    study = STUDY.replace("levels: [good, poor]}", "levels: [good, poor], controls: {no-homework: mine.total}}")
    project = study_project({"study.yaml": study, "mine.yaml": RUBRIC.replace("SIGNAL", LISTENS), "talks.csv": talks()})
    done = project.run("validate", "study.yaml")
    assert done.code == 2
    assert "study.yaml:17" in done.err
    assert "the sessions have no control 'no-homework'" in done.err


@pytest.mark.slow
def test_the_shipped_study_runs_and_says_that_eight_transcripts_decide_nothing(study_project: Project) -> None:
    from importlib.resources import files

    project = study_project({})
    done = project.run(str(files("cbtrun.specs").joinpath("validate-rater.yaml")))
    assert done.code == 0, done.err
    first, *controls = json.loads(project.read("runs/validate-rater/results.json"))["comparisons"]
    assert "undecided: more sessions are needed" in first["sentence"]
    assert [one["levels"][1] for one in controls] == ["shuffled", "swapped", "no-homework", "placebo"]
