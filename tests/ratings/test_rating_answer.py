"""An answer becomes scores only where the rubric's scale allows them and the transcript shows them."""

import asyncio
import json
from typing import Any

import pytest

from cbtrun.calls.structured import answer_schema, ask
from cbtrun.contract.models import Draw, Reply
from cbtrun.contract.records import ItemScore, Quote
from cbtrun.ratings.answer import answer_form, item_scores
from cbtrun.ratings.evidence import TurnsSearched
from cbtrun.ratings.request import Window, rating_brief, rating_request, shown_turns
from cbtrun.ratings.rubric import Rubric
from tests.helpers.rating_fakes import EVERY_TYPE, RUBRIC, ScriptedRater, a_session, absent, answer, entry


def scored(*script: str | Reply, rubric: Rubric = RUBRIC, tries: int = 2, calls: int | None = None) -> list[ItemScore]:
    """The scores of the example session after a rater said these things; `calls` is how many it must have taken."""
    turns = shown_turns(a_session())
    searched = TurnsSearched(turns)
    form = answer_form(rubric.items)
    rater = ScriptedRater(list(script))
    request = rating_request(rating_brief(rubric, rubric.items), Window(turns, len(turns)), Draw("rater", "s"))
    answered = asyncio.run(ask(rater, request, form.model, tries=tries, context=searched))
    assert len(rater.requests) == (len(script) if calls is None else calls)
    return list(item_scores(answered, form, searched))


def first(*script: str | Reply, **options: Any) -> ItemScore:
    """The score of the first item."""
    return scored(*script, **options)[0]


def both(item: dict[str, Any]) -> str:
    """An answer with this entry for the first item and a valid one for the second."""
    return answer(agenda=item, homework=absent())


def test_a_valid_answer_becomes_scores_with_their_evidence() -> None:
    agenda, homework = scored(both(entry(4)))
    assert (agenda.score, agenda.reason, agenda.rationale) == (4.0, None, "Seen.")
    assert agenda.evidence == (Quote(turn=1, text="on our agenda today"),)
    assert (homework.score, homework.absent, homework.evidence) == (0.0, True, ())


def test_the_schema_wants_rationale_then_evidence_then_score_and_nothing_else() -> None:
    schema = answer_schema(answer_form(RUBRIC.items).model)
    items = schema["properties"]["items"]
    agenda = items["properties"]["agenda"]
    fields = ["rationale", "evidence", "absent", "score", "unscored_reason"]
    assert list(items["properties"]) == ["agenda", "homework"]
    assert list(agenda["properties"]) == fields
    assert agenda["required"] == fields
    assert agenda["additionalProperties"] is items["additionalProperties"] is schema["additionalProperties"] is False
    assert agenda["properties"]["score"]["anyOf"] == [{"minimum": 0, "maximum": 6, "type": "integer"}, {"type": "null"}]
    assert "$ref" not in json.dumps(schema)


@pytest.mark.parametrize(
    "quote",
    [
        "ON OUR   agenda\n today",
        '"on our agenda today"',
        "\u201con our agenda today?\u201d",
        "...on our agenda today",
        "on our agenda today\u2026",
    ],
)
def test_differences_of_case_space_quotes_and_dots_do_not_count(quote: str) -> None:
    assert first(both(entry(quote=quote))).score == 4


@pytest.mark.parametrize(
    "quote",
    ["my sleep - i don't know", "MY SLEEP\u2014I don`t know", "about it... nothing helps", "about it . . . nothing"],
)
def test_dashes_apostrophes_and_ellipses_of_any_kind_are_the_same(quote: str) -> None:
    assert first(both(entry(quote=quote, turn=2))).score == 4


@pytest.mark.parametrize(
    "quote",
    ["on the agenda today", "our agenda ... diary from last week", "agenda today my sleep", "", " \u201c\u201d "],
)
def test_words_that_do_not_stand_in_a_turn_are_no_evidence(quote: str) -> None:
    bad = both(entry(quote=quote))
    score = first(bad, bad)
    assert (score.score, score.reason) == (None, "evidence not found")


def test_a_quote_from_another_turn_gets_that_turns_number_and_a_note() -> None:
    score = first(both(entry(turn=3)))
    assert score.evidence == (Quote(turn=1, text="on our agenda today"),)
    assert score.notes == ("turn of a quote corrected from 3 to 1",)


def test_a_quote_that_stands_in_several_other_turns_is_not_placed_by_guess() -> None:
    bad = both(entry(quote="sleep", turn=1))
    assert first(bad, bad).reason == "evidence not found"


@pytest.mark.parametrize("quote", ["agenda today", "on", "to do", "don\u2019t know"])
def test_a_quote_too_short_to_show_anything_is_no_evidence(quote: str) -> None:
    bad = both(entry(quote=quote))
    assert first(bad, bad).reason == "evidence not found"


def test_a_short_quote_is_evidence_where_the_turn_itself_is_short() -> None:
    assert first(both(entry(quote="Okay", turn=4))).score == 4


def test_a_short_quote_beside_a_proper_one_does_no_harm() -> None:
    quotes = [{"turn": 1, "quote": "agenda"}, {"turn": 1, "quote": "on our agenda today"}]
    assert first(both(entry(evidence=quotes))).score == 4


def test_one_invented_quote_among_good_ones_is_sent_back() -> None:
    quotes = [{"turn": 1, "quote": "on our agenda today"}, {"turn": 1, "quote": "never said by anyone"}]
    assert first(both(entry(evidence=quotes)), both(entry(3))).score == 3


def test_a_score_without_a_quote_is_sent_back_and_then_unscored() -> None:
    bad = both(entry(evidence=[]))
    assert first(bad, bad).reason == "evidence not found"


def test_the_repair_round_names_the_item_the_quote_and_the_turn() -> None:
    turns = shown_turns(a_session())
    form = answer_form(RUBRIC.items)
    rater = ScriptedRater([both(entry(quote="never said by anyone")), both(entry())])
    request = rating_request(rating_brief(RUBRIC, RUBRIC.items), Window(turns, len(turns)), Draw("rater", "s"))
    asyncio.run(ask(rater, request, form.model, context=TurnsSearched(turns)))
    said = rater.requests[1].messages[-1].content
    assert "items.agenda: evidence not found: 'never said by anyone' does not occur in turn 1" in said
    assert "pydantic" not in said


def test_a_repaired_answer_is_taken() -> None:
    assert first(both(entry(quote="never said by anyone")), both(entry(5))).score == 5


def test_absent_above_the_lowest_score_is_invalid() -> None:
    bad = both(absent(2))
    score = first(bad, bad)
    assert score.score is None
    assert score.reason == "invalid answer: absent is true with score 2; it is allowed only with the lowest score, 0"


@pytest.mark.parametrize("score", [7, -1, 3.5, "4", True, "high", [4]])
def test_a_score_off_the_scale_never_becomes_a_number(score: Any) -> None:
    bad = both(entry(score))
    found = first(bad, bad)
    assert found.score is None
    assert found.reason is not None
    assert found.reason.startswith("invalid answer: score: ")


def test_a_whole_number_with_a_point_is_a_whole_number() -> None:
    assert first(both(entry(4.0))).score == 4


@pytest.mark.parametrize("field", ["rationale", "evidence", "absent", "score", "unscored_reason"])
def test_no_field_has_a_default(field: str) -> None:
    part = entry()
    del part[field]
    assert first(both(part), both(part)).score is None


def test_an_item_may_be_left_unscored_with_a_reason_at_once() -> None:
    score = first(both(entry(None, unscored_reason="The session breaks off.")))
    assert (score.score, score.reason) == (None, "not scored by the rater")
    assert score.notes == ("the rater's reason: The session breaks off.",)


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_no_score_and_no_reason_is_invalid(reason: str | None) -> None:
    bad = both(entry(None, unscored_reason=reason))
    assert first(bad, bad).reason == "invalid answer: score is null without an unscored_reason"


def test_a_score_with_a_reason_for_having_none_is_invalid() -> None:
    bad = both(entry(4, unscored_reason="Could not tell."))
    assert first(bad, bad).score is None


def test_good_scores_survive_an_item_that_stays_invalid() -> None:
    bad = answer(agenda=entry(quote="never said by anyone"), homework=absent())
    agenda, homework = scored(bad, bad)
    assert agenda.reason == "evidence not found"
    assert homework.score == 0


def test_an_item_that_was_valid_before_the_last_answer_broke_is_kept() -> None:
    agenda, homework = scored(answer(agenda=entry(4), homework=entry(9)), Reply('{"items": {', finish="length"))
    assert agenda.score == 4
    assert (homework.score, homework.reason) == (None, "answer cut off at the token limit")


def test_the_latest_valid_answer_for_an_item_is_the_one_that_counts() -> None:
    assert first(answer(agenda=entry(4), homework=entry(9)), answer(agenda=entry(2), homework=entry(9))).score == 2


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"items": []}', '{"items": {}}', "[" * 100_000, '{"items": null}'])
def test_an_answer_of_another_shape_leaves_every_item_unscored(text: str) -> None:
    scores = scored(text, text)
    assert [score.score for score in scores] == [None, None]
    assert all((score.reason or "").startswith("invalid answer: ") for score in scores)


def test_a_cut_off_answer_is_not_read_even_if_it_parses() -> None:
    cut = Reply(both(entry()), finish="length")
    assert first(cut, cut).reason == "answer cut off at the token limit"


def test_items_and_keys_that_nobody_asked_for_are_passed_over() -> None:
    said = answer(agenda=entry(4, confidence=1), homework=absent(), charm=entry(6))
    assert [score.item for score in scored(said)] == ["agenda", "homework"]


def test_each_item_type_takes_its_own_kind_of_score() -> None:
    said = answer(scale=entry(6), yes__no=entry(1), copy=entry("some"), times=entry(12), words=entry("Well done."))
    scores = scored(said, rubric=EVERY_TYPE)
    assert [score.score for score in scores] == [6, 1, 2, 12, None]
    assert [score.label for score in scores] == [None, None, "some", None, "Well done."]
    assert [score.reason for score in scores] == [None] * 5


@pytest.mark.parametrize(
    ("item", "score"), [("yes__no", 2), ("copy", "other"), ("copy", 2), ("times", -1), ("words", 4)]
)
def test_a_score_of_another_kind_is_invalid(item: str, score: Any) -> None:
    entries = {
        "scale": absent(),
        "yes__no": absent(),
        "copy": absent("none"),
        "times": absent(),
        "words": entry("Good."),
    }
    bad = answer(**entries | {item: entry(score)})
    scores = {one.item.replace("-", "__"): one for one in scored(bad, bad, rubric=EVERY_TYPE)}
    assert scores[item].score is None
    assert scores[item].label is None
    assert [name for name, one in scores.items() if (one.reason or "").startswith("invalid")] == [item]


def test_an_item_that_does_not_apply_is_told_apart_where_the_rubric_allows_it() -> None:
    said = answer(
        scale=entry(None, unscored_reason="not applicable"),
        yes__no=entry(None, unscored_reason="Not applicable: no risk."),
        copy=absent("none"),
        times=absent(),
        words=entry("Good.", evidence=[]),
    )
    reasons = [score.reason for score in scored(said, rubric=EVERY_TYPE)]
    assert reasons == ["not scored by the rater", "not applicable", None, None, None]
