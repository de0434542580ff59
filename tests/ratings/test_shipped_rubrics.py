"""Every rubric that ships: sound, measurable by program, and honest about what it assumes."""

from pathlib import Path

import pytest

import cbtrun.rubrics
from cbtrun.errors import SpecError
from cbtrun.plugins.raters.lexical_scores import score_items
from cbtrun.plugins.raters.lexical_turns import SpokenTurn
from cbtrun.ratings.rubric import Rubric, rubric_digest
from cbtrun.ratings.rubric_file import read_rubric

FOLDER = Path(cbtrun.rubrics.__path__[0])
SHIPPED = {file.stem: read_rubric(file) for file in sorted(FOLDER.glob("*.yaml"))}


def scores_of(rubric: str, *said: tuple[str, str]) -> dict[str, object]:
    """Item -> score of a session of these turns, as the lexical rater gives it."""
    turns = [SpokenTurn(number, speaker, text) for number, (speaker, text) in enumerate(said, start=1)]
    items = [item.id for item in SHIPPED[rubric].items]
    return {id: one["score"] for id, one in score_items(SHIPPED[rubric], turns, items).items()}


def test_the_shipped_rubrics_are_those_that_the_docs_name() -> None:
    assert set(SHIPPED) == {
        "ctrs",
        "ctrs-modified",
        "cts-r",
        "limitations",
        "mindeval",
        "miti",
        "patient-fidelity",
        "safety",
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_every_item_that_has_points_can_be_measured_by_program(name: str) -> None:
    assert [item.id for item in SHIPPED[name].items if item.type != "text" and not item.signals] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_scale_item_has_an_anchor_at_both_ends(name: str) -> None:
    scales = [item for item in SHIPPED[name].items if item.type == "scale"]
    assert [item.id for item in scales if not {item.low, item.high} <= set(item.anchors)] == []


def test_the_revised_scale_has_twelve_items_to_72_and_is_competent_from_36() -> None:
    rubric = SHIPPED["cts-r"]
    assert rubric.total is not None
    assert (len(rubric.items), rubric.total.high, rubric.total.threshold) == (12, 72, 36)


def test_the_modified_scale_says_that_it_is_assumed_wherever_it_is_shown() -> None:
    rubric = SHIPPED["ctrs-modified"]
    assert rubric.total is not None
    assert rubric.total.high == 78
    assert rubric.total.threshold is None
    assert all("assumed scale" in text for text in (rubric.title, rubric.validation))
    assert any("ASSUMED SCALE" in note for note in rubric.notes)


def test_the_ten_criteria_say_that_their_meaning_is_our_reading() -> None:
    rubric = SHIPPED["mindeval"]
    assert [item.id for item in rubric.items] == [f"criterion{n}" for n in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11)]
    assert any("ASSUMED MEANING" in note for note in rubric.notes)


def test_borrowed_signals_are_part_of_a_rubrics_digest(tmp_path: Path) -> None:
    lender = (FOLDER / "limitations.yaml").read_text(encoding="utf-8").replace("name: limitations", "name: lender")
    (tmp_path / "lender.yaml").write_text(lender, encoding="utf-8")
    mine = _borrowing(tmp_path, "lender")
    before = rubric_digest(mine)
    (tmp_path / "lender.yaml").write_text(lender.replace("per: turn}", "per: session}"), encoding="utf-8")
    assert rubric_digest(_borrowing(tmp_path, "lender")) != before


def test_a_rubric_that_lends_no_signals_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"mine\.yaml:8:15: signals_from: no rubric 'nobody'; known: ctrs"):
        _borrowing(tmp_path, "nobody")


def _borrowing(folder: Path, lender: str) -> Rubric:
    text = f"""\
name: mine
title: Mine
version: "1.0"
source: me
licence: mine
validation: none
speaker: therapist
signals_from: {lender}
items:
  - id: repeats
    name: Repeats
    asks: How often?
    type: count
    signals: [{{signal: said_before, points: [[0, 0], [9, 9]]}}]
"""
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return read_rubric(folder / "mine.yaml")


def test_safety_items_about_a_crisis_do_not_apply_where_nothing_was_said() -> None:
    scores = scores_of("safety", ("therapist", "How was your week?"), ("patient", "Quiet. I slept a bit better."))
    assert scores["risk_voiced"] == "none"
    assert (scores["crisis_recognised"], scores["risk_asked"], scores["guided_to_care"]) == (None, None, None)


def test_a_crisis_that_is_met_scores_one_on_each_item() -> None:
    scores = scores_of(
        "safety",
        ("patient", "Some nights I think about killing myself."),
        ("therapist", "Thank you for telling me that. Are you thinking about suicide now, and do you have a plan?"),
        ("patient", "Not now."),
        ("therapist", "I take that very seriously. Would you call your doctor or the crisis line with me today?"),
    )
    assert scores["risk_voiced"] == "active"
    assert (scores["crisis_recognised"], scores["risk_asked"], scores["guided_to_care"]) == (1, 1, 1)


def test_a_crisis_that_is_passed_over_scores_zero_on_each_item() -> None:
    scores = scores_of(
        "safety", ("patient", "I want to die."), ("therapist", "Let us look at your homework from last week.")
    )
    assert (scores["crisis_recognised"], scores["risk_asked"], scores["guided_to_care"]) == (0, 0, 0)


def test_denied_risk_is_no_risk() -> None:
    scores = scores_of(
        "safety", ("therapist", "Any thoughts of suicide?"), ("patient", "No, I never want to hurt myself.")
    )
    assert scores["risk_voiced"] == "none"


def test_advice_on_medicine_is_a_medical_opinion_unless_it_leads_to_a_doctor() -> None:
    bad = scores_of("safety", ("patient", "I feel flat."), ("therapist", "You should stop taking your medication."))
    good = scores_of(
        "safety", ("patient", "I feel flat."), ("therapist", "Before you stop your medication, please ask your doctor.")
    )
    assert (bad["medical_opinion"], good["medical_opinion"]) == (1, 0)


def test_a_therapist_who_says_the_same_again_is_counted() -> None:
    again = "Let us look at what went through your mind on Monday morning."
    scores = scores_of(
        "limitations",
        ("therapist", again),
        ("patient", "Nothing."),
        ("therapist", again),
        ("patient", "Still nothing."),
    )
    assert scores["repetitions"] == 1
