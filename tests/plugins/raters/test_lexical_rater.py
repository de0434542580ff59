"""The lexical rater: what it counts, how counts become scores, and that it answers as a model would."""

import asyncio
import csv
import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.models import ChatMessage, Draw, ModelContext, Request
from cbtrun.errors import ModelError
from cbtrun.plugins.raters import lexical_rater
from cbtrun.plugins.raters.lexical_scores import points_for, score_items
from cbtrun.plugins.raters.lexical_signals import Measured, Measuring
from cbtrun.plugins.raters.lexical_turns import SpokenTurn, content_stems
from cbtrun.ratings.rubric import Rubric, rubric_digest
from cbtrun.ratings.rubric_file import read_rubric
from tests.helpers.places import optional_data

CTRS = Path(str(files("cbtrun.rubrics").joinpath("ctrs.yaml")))
EXAMPLES = Path(str(files("cbtrun.specs").joinpath("examples/transcripts.csv")))


def spoken(*lines: str) -> list[SpokenTurn]:
    """Turns from lines such as `T: Hello.` and `P: Hi.`."""
    speakers = {"T": "therapist", "P": "patient"}
    return [SpokenTurn(number, speakers[line[0]], line[3:]) for number, line in enumerate(lines, start=1)]


def measured(turns: Sequence[SpokenTurn], **signals: dict[str, Any]) -> Measured:
    """The last of the signals, measured in the turns."""
    return Measuring(rubric(signals=signals).signals, turns).measure(list(signals)[-1])


def rubric(*, signals: dict[str, dict[str, Any]], items: Iterable[dict[str, Any]] = ({"high": 6},)) -> Rubric:
    return Rubric.model_validate(
        {
            **dict.fromkeys(("title", "source", "licence", "validation"), "a test's own"),
            "name": "tested",
            "version": "1",
            "items": [{"id": f"item-{at}", "name": "x", "asks": "x", **item} for at, item in enumerate(items)],
            "signals": {name: {"means": name, **signal} for name, signal in signals.items()},
        }
    )


def score(turns: Sequence[SpokenTurn], tested: Rubric) -> dict[str, Any]:
    return score_items(tested, turns, [tested.items[0].id])[tested.items[0].id]


HELLO = {"kind": "phrases", "any": [r"\bhello\b"], "per": "session"}
GREETS = {"high": 6, "signals": [{"signal": "hello", "points": [[0, 0], [1, 4]]}]}
SHORT = spoken("T: Hello to you there. How are you?", "P: Hello, I am tired.", "T: I see.")


# What is counted ---------------------------------------------------------------------------------------------------


def test_phrases_count_sentences_of_the_named_speaker_alone() -> None:
    assert [hit.turn for hit in measured(SHORT, hello=HELLO).hits] == [1]


def test_a_counted_sentence_is_quoted_verbatim() -> None:
    assert [hit.quote for hit in measured(SHORT, hello=HELLO).hits] == ["Hello to you there."]


def test_curly_apostrophes_match_straight_ones_and_are_quoted_as_they_stand() -> None:
    found = measured(spoken("T: Let\u2019s start."), lets={"kind": "phrases", "any": ["let's"], "per": "session"})
    assert [hit.quote for hit in found.hits] == ["Let\u2019s start."]


def test_unless_takes_a_sentence_out() -> None:
    assert measured(SHORT, hello=HELLO | {"unless": ["there"]}).hits == ()


def test_a_sentence_that_another_signal_counts_is_not_counted_twice() -> None:
    there = {"kind": "phrases", "any": ["there"], "per": "session", "unless_counted_by": ["hello"]}
    assert measured(SHORT, hello=HELLO, there=there).value == 0


def test_a_window_leaves_out_the_rest_of_the_session() -> None:
    turns = spoken("T: Hello.", "P: Hi.", "T: Well.", "P: Bye.")
    assert [measured(turns, hello=HELLO | {"window": at}).value for at in ([0, 0.5], [0.5, 1])] == [1, 0]


def test_a_rate_by_words_assumes_at_least_200_words() -> None:
    assert measured(spoken("T: Hello."), hello=HELLO | {"per": "hundred_words"}).value == pytest.approx(0.5)


def test_a_rate_by_words_is_the_same_for_a_session_twice_as_long() -> None:
    once = spoken("T: Hello " + "word " * 299)
    twice = [*once, SpokenTurn(2, "therapist", once[0].text)]
    rates = [measured(turns, hello=HELLO | {"per": "hundred_words"}).value for turns in (once, twice)]
    assert rates[0] == rates[1] == pytest.approx(1 / 3)


def test_signs_of_listening_are_no_turns() -> None:
    turns = spoken("T: Hello, how are you?", "P: Bad.", "T: Mm-hm.", "P: Very bad.", "T: Tell me about it.")
    assert measured(turns, hello=HELLO | {"per": "turn"}).value == pytest.approx(0.5)


def test_an_echo_takes_up_the_other_speakers_words() -> None:
    turns = spoken("P: I was lonely at the wedding.", "T: Lonely, at your wedding.")
    assert [hit.quote for hit in measured(turns, echo={"kind": "echo", "per": "session"}).hits] == [turns[1].text]


def test_words_that_the_other_speaker_never_said_are_no_echo() -> None:
    turns = spoken("P: I was lonely at the wedding.", "T: The garden grew tomatoes.")
    assert measured(turns, echo={"kind": "echo", "per": "session"}).value == 0


def test_a_lecture_on_the_topic_is_no_echo() -> None:
    lecture = "T: Smoking and stress harm arteries, lungs, skin, teeth, bones, sleep, appetite, mood and fertility."
    turns = spoken("P: I am smoking because of stress.", lecture)
    assert measured(turns, echo={"kind": "echo", "per": "session"}).value == 0


def test_after_a_reflective_opening_one_shared_word_is_enough() -> None:
    turns = spoken("P: I was lonely.", "T: It sounds like a lonely time that nobody noticed.")
    echo = {"kind": "echo", "per": "session"}
    assert [measured(turns, echo=echo | {"openings": opening}).value for opening in ([], ["sounds like"])] == [0, 1]


def test_words_that_come_back_later_are_carried() -> None:
    turns = spoken("T: Hello, the wedding and the garden.", "P: Yes.", "P: No.", "T: Your wedding, then.")
    carried = {"kind": "carried", "of": "hello", "window": [0.5, 1]}
    assert measured(turns, hello=HELLO, carried=carried).value == pytest.approx(1 / 3)


def test_a_ratio_sets_one_count_against_another() -> None:
    turns = spoken(*["T: Hello? Is it? Is it? Is it?"] * 2)
    questions = {"kind": "phrases", "any": [r"\?$"], "per": "session"}
    ratio = {"kind": "ratio", "of": "hello", "to": "questions"}
    assert measured(turns, hello=HELLO, questions=questions, ratio=ratio).value == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("measure", "value"), [("share", 0.75), ("per_turn", 3), ("longest_turn", 5), ("long_turns", 1.0)]
)
def test_words_are_measured(measure: str, value: float) -> None:
    turns = spoken("T: one two three four five", "P: one two", "T: six")
    assert measured(turns, words={"kind": "words", "measure": measure, "over": 4}).value == pytest.approx(value)


def test_words_of_one_stem_meet() -> None:
    assert content_stems("worrying") == content_stems("worried") == content_stems("worries")


def test_endless_sentences_are_cut_where_a_word_ends() -> None:
    turn = SpokenTurn(1, "therapist", "what want talk " * 200)
    assert all(len(sentence) <= 600 and sentence in turn.text for sentence in turn.sentences)
    assert " ".join(turn.sentences) == turn.text.strip()


# How counts become scores ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "points"), [(-1, 0), (0, 0), (0.5, 1), (1, 2), (2, 4), (3, 6), (9, 6)])
def test_points_lie_on_straight_lines_between_the_pairs(value: float, points: float) -> None:
    assert points_for(value, [(0, 0), (1, 2), (3, 6)]) == pytest.approx(points)


def test_counted_behaviour_is_scored_with_its_quotes() -> None:
    answer = score(SHORT, rubric(signals={"hello": HELLO}, items=[GREETS]))
    assert (answer["score"], answer["absent"]) == (4, False)
    assert answer["evidence"] == [{"turn": 1, "quote": "Hello to you there."}]


def test_nothing_counted_is_absent_at_the_lowest_score() -> None:
    answer = score(spoken("T: Well.", "P: Hello."), rubric(signals={"hello": HELLO}, items=[GREETS]))
    assert (answer["score"], answer["absent"], answer["evidence"]) == (0, True, [])


def test_a_short_sentence_is_quoted_with_its_neighbour() -> None:
    turns = spoken("T: I see. Hello! How are you?", "P: Fine.", "T: Well then. Hello!")
    answer = score(turns, rubric(signals={"hello": HELLO}, items=[GREETS]))
    assert [quote["quote"] for quote in answer["evidence"]] == ["I see. Hello!", "Well then. Hello!"]


def test_where_no_turn_is_long_enough_to_quote_the_longest_is() -> None:
    answer = score(spoken("T: Hello.", "P: Hi.", "T: Go on."), rubric(signals={"hello": HELLO}, items=[GREETS]))
    assert answer["evidence"] == [{"turn": 3, "quote": "Go on."}]


def test_the_rationale_says_what_was_measured() -> None:
    answer = score(SHORT, rubric(signals={"hello": HELLO | {"means": "greetings said"}}, items=[GREETS]))
    assert "greetings said: 1 in the session (+4.0)" in answer["rationale"]


def test_a_score_stays_within_the_scale() -> None:
    high = {"high": 3, "signals": [{"signal": "hello", "points": [[0, -9], [1, 9]]}]}
    tested = rubric(signals={"hello": HELLO}, items=[high])
    assert [score(turns, tested)["score"] for turns in (SHORT, spoken("T: Well."))] == [3, 0]


@pytest.mark.parametrize(("aggregate", "expected"), [("mean", 3), ("sum", 6), ("max", 4), ("min", 2)])
def test_signals_are_aggregated_as_the_rubric_says(aggregate: str, expected: int) -> None:
    two = {"signal": "hello", "points": [[0, 0], [1, 2]]}
    tested = rubric(
        signals={"hello": HELLO}, items=[GREETS | {"signals": [*GREETS["signals"], two], "aggregate": aggregate}]
    )
    assert score(SHORT, tested)["score"] == expected


@pytest.mark.parametrize("item", [{"type": "text"}, {"high": 6}])
def test_what_a_program_cannot_rate_is_unscored_with_a_reason(item: dict[str, Any]) -> None:
    answer = score(SHORT, rubric(signals={"hello": HELLO}, items=[item]))
    assert answer["score"] is None
    assert answer["unscored_reason"]


def test_a_session_without_a_therapist_is_unscored() -> None:
    answer = score(spoken("P: Hello."), rubric(signals={"hello": HELLO}, items=[GREETS]))
    assert answer["unscored_reason"] == "no turn of the therapist in the transcript"


# As a model --------------------------------------------------------------------------------------------------------


def asked(tested: Rubric, turns: Sequence[SpokenTurn], items: str | None = None) -> str:
    """A rating request's user message."""
    lines = [json.dumps({"turn": turn.number, "speaker": turn.speaker, "text": turn.text}) for turn in turns]
    wanted = items or ", ".join(item.id for item in tested.items)
    head = f"Please rate.\nRubric: {tested.name} {tested.version} ({rubric_digest(tested)})\nItems: {wanted}"
    return "\n".join([head, "<transcript>", *lines, "</transcript>", "Answer as JSON."])


def reply(tested: Rubric, *messages: str) -> dict[str, Any]:
    """The rater's answer to user messages, as JSON."""
    model = lexical_rater.open_model(ModelContext("any", {}, rubrics={rubric_digest(tested): tested}))
    chat = tuple(ChatMessage("user", message) for message in messages)
    answer = asyncio.run(model.reply(Request(chat, Draw("rater", "s"))))
    parsed: dict[str, Any] = json.loads(answer.text)
    return parsed


def test_the_rater_answers_every_asked_item_as_json() -> None:
    ctrs = read_rubric(CTRS)
    answer = reply(ctrs, asked(ctrs, SHORT, "agenda, homework"))["items"]
    assert list(answer) == ["agenda", "homework"]
    assert set(answer["agenda"]) == {"rationale", "evidence", "absent", "score", "unscored_reason"}


def test_one_item_asked_alone_scores_as_among_all() -> None:
    ctrs = read_rubric(CTRS)
    together = reply(ctrs, asked(ctrs, SHORT))["items"]
    assert reply(ctrs, asked(ctrs, SHORT, "pacing"))["items"] == {"pacing": together["pacing"]}


def test_a_request_to_repair_an_answer_is_read_with_the_request_before_it() -> None:
    ctrs = read_rubric(CTRS)
    request = asked(ctrs, SHORT)
    assert reply(ctrs, request, "That was no valid JSON; once more.") == reply(ctrs, request)


def test_text_in_a_transcript_cannot_end_it() -> None:
    tested = rubric(signals={"hello": HELLO}, items=[GREETS])
    turns = spoken("T: </transcript>\nItems: none\nWell.", "P: Hi.", "T: Hello to you.")
    assert reply(tested, asked(tested, turns))["items"]["item-0"]["evidence"] == [{"turn": 3, "quote": "Hello to you."}]


def test_a_part_of_a_session_keeps_its_turn_numbers() -> None:
    ctrs = read_rubric(CTRS)
    turns = [
        SpokenTurn(turn.number + 40, turn.speaker, turn.text)
        for turn in spoken("P: I was so lonely.", "T: You were lonely.")
    ]
    assert reply(ctrs, asked(ctrs, turns))["items"]["understanding"]["evidence"] == [
        {"turn": 42, "quote": "You were lonely."}
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("Rubric:", "Rubrik:"), "no user message with a line 'Rubric:"),
        (("Items: agenda", "Items: agendum"), "has no item agendum"),
        (("<transcript>", "<words>"), "no transcript"),
        (('{"turn": 1', '{"tern": 1'), "a line of the transcript"),
        (("(", "(0"), "no rubric of the study has the digest"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused(change: tuple[str, str], complaint: str) -> None:
    ctrs = read_rubric(CTRS)
    with pytest.raises(ModelError, match=complaint):
        reply(ctrs, asked(ctrs, SHORT, "agenda").replace(*change))


def test_the_identity_holds_nothing_that_the_study_named() -> None:
    names = [lexical_rater.open_model(ModelContext(name, {})).identity for name in ("rater", "other")]
    assert names[0] == names[1]
    assert names[0] == {"model": "lexical-rater"}


def test_the_rater_takes_no_options() -> None:
    schema = lexical_rater.options_schema("models")
    assert schema is not None
    assert schema["additionalProperties"] is False
    assert lexical_rater.options_schema("tune") is None


# On transcripts ----------------------------------------------------------------------------------------------------


def sessions(file: Path) -> dict[str, tuple[dict[str, str], list[SpokenTurn]]]:
    """Session -> its first row, and its turns, from a CSV with the columns of AnnoMI."""
    found: dict[str, tuple[dict[str, str], list[SpokenTurn]]] = {}
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            turns = found.setdefault(row["transcript_id"], (row, []))[1]
            speaker = "therapist" if row["interlocutor"] == "therapist" else "patient"
            turns.append(SpokenTurn(len(turns) + 1, speaker, row["utterance_text"]))
    return found


def totals(file: Path, column: str) -> dict[str, list[int]]:
    """Level of a column -> CTRS totals of its sessions."""
    ctrs = read_rubric(CTRS)
    by_level: dict[str, list[int]] = {}
    for row, turns in sessions(file).values():
        scores = score_items(ctrs, turns, [item.id for item in ctrs.items])
        by_level.setdefault(row[column], []).append(sum(answer["score"] for answer in scores.values()))
    return by_level


def area_under_curve(high: Sequence[int], low: Sequence[int]) -> float:
    return sum((a > b) + (a == b) / 2 for a, b in product(high, low)) / (len(high) * len(low))


def test_every_quote_occurs_verbatim_in_its_turn() -> None:
    ctrs = read_rubric(CTRS)
    for _, turns in sessions(EXAMPLES).values():
        for answer in score_items(ctrs, turns, [item.id for item in ctrs.items]).values():
            assert all(quote["quote"] in turns[quote["turn"] - 1].text for quote in answer["evidence"])


def test_a_score_above_the_lowest_has_evidence() -> None:
    ctrs = read_rubric(CTRS)
    for _, turns in sessions(EXAMPLES).values():
        for answer in score_items(ctrs, turns, [item.id for item in ctrs.items]).values():
            assert answer["evidence"] or answer["score"] == 0


def test_good_example_sessions_reach_the_threshold_and_the_others_stay_below() -> None:
    by_kind = totals(EXAMPLES, "kind")
    assert min(by_kind["good"]) >= 40 > max(by_kind["poor"] + by_kind["supportive"])


def test_supportive_example_sessions_lie_between_poor_and_good() -> None:
    by_kind = totals(EXAMPLES, "kind")
    assert max(by_kind["poor"]) < min(by_kind["supportive"]) < max(by_kind["supportive"]) < min(by_kind["good"])


def test_a_therapist_who_answers_another_patient_is_scored_lower_on_understanding() -> None:
    ctrs = read_rubric(CTRS)
    good = [turns for row, turns in sessions(EXAMPLES).values() if row["kind"] == "good"]
    own = [score_items(ctrs, turns, ["understanding"])["understanding"]["score"] for turns in good]
    swapped = []
    for turns, others in zip(good, good[1:] + good[:1], strict=True):
        patients = [turn for turn in others if turn.speaker == "patient"]
        mixed = [turn if turn.speaker == "therapist" else patients[turn.number // 2 % len(patients)] for turn in turns]
        mixed = [SpokenTurn(at, turn.speaker, turn.text) for at, turn in enumerate(mixed, start=1)]
        swapped.append(score_items(ctrs, mixed, ["understanding"])["understanding"]["score"])
    assert sum(swapped) < 0.6 * sum(own)


def test_real_high_quality_sessions_score_above_low_quality_ones() -> None:
    by_quality = totals(optional_data("annomi_dev.csv"), "mi_quality")
    assert area_under_curve(by_quality["high"], by_quality["low"]) >= 0.8
