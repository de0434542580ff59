"""The `rubric` plugin: which requests go out, in which order, and what comes back."""

import json
import re
from dataclasses import replace

import pytest

from cbtrun.contract.models import Request
from cbtrun.contract.plans import Plan, PlanContext
from cbtrun.contract.records import Session
from cbtrun.contract.sources import reached
from cbtrun.errors import ModelError, StageError, StopRun
from cbtrun.plugins.raters.rubric import plan_block, rate_sessions
from cbtrun.ratings.rubric import rubric_digest
from tests.helpers.rating_fakes import RUBRIC, TURNS, ScriptedRater, a_session, absent, answer, entry, stage


def obliging(request: Request) -> str:
    """A valid answer about whatever is asked: each item is absent."""
    asked = re.search("^Items: (.*)$", request.messages[1].content, re.MULTILINE)
    assert asked is not None
    return answer(**{item: absent() for item in asked[1].split(", ")})


def willing() -> ScriptedRater:
    """A rater that always answers."""
    return ScriptedRater(obliging)


def study(arms: dict[str, str], personas: int = 6) -> list[Session]:
    """Sessions of arms (name -> what its therapist says) with the same personas, whose draws are the same."""
    return [
        a_session(
            [*TURNS, ("therapist", f"{said} {number}")],
            id=f"{arm}-{number}",
            arm=arm,
            draw=f"draw-{number}",
            persona=f"persona-{number}",
            factors={"tuning": f"{arm}-level"},
        )
        for arm, said in arms.items()
        for number in range(personas)
    ]


def last_words(rater: ScriptedRater) -> list[str]:
    """What the therapist said last in each request."""
    lines = [request.messages[1].content.split("\n</transcript>")[0].split("\n")[-1] for request in rater.requests]
    return [json.loads(line)["text"] for line in lines]


def test_every_session_rater_and_repeat_has_its_rating_in_the_studys_order() -> None:
    sessions = study({"x": "Bye", "y": "See you"}, personas=2)
    ratings = rate_sessions(stage(sessions, {"a": willing(), "b": willing()}, repeats=2))
    expected = [(one.id, rater, repeat) for one in sessions for rater in "ab" for repeat in (1, 2)]
    assert [(one.session, one.rater, one.repeat) for one in ratings] == expected


def test_a_rating_names_set_rubric_version_and_digest() -> None:
    [rating] = rate_sessions(stage([a_session()], {"a": willing()}))
    assert (rating.set, rating.rubric, rating.rubric_version) == ("small", "small", "1.0")
    assert rating.rubric_digest == rubric_digest(RUBRIC)
    assert [score.item for score in rating.scores] == ["agenda", "homework"]


def test_no_request_names_arm_factor_persona_session_or_model() -> None:
    rater = willing()
    rate_sessions(stage(study({"secret-arm": "Bye"}), {"secret-rater": rater}, repeats=2))
    for request in rater.requests:
        everything = repr(replace(request, label="", about=""))  # for our own books: no model hears them (test_calls)
        for name in ("secret-arm", "secret-rater", "level", "persona"):
            assert name not in everything


def test_the_draw_is_the_sessions_draw_and_the_repeat() -> None:
    rater = willing()
    rate_sessions(stage([a_session()], {"a": rater}, repeats=2))
    draws = [(one.draw.role, one.draw.subject, one.draw.repeat, one.draw.attempt) for one in rater.requests]
    assert draws == [("rater", "draw-1", 1, 1), ("rater", "draw-1", 2, 1)]


def test_the_order_of_the_requests_does_not_depend_on_the_arms_names() -> None:
    orders = []
    for names in (("a", "b"), ("z", "m")):
        rater = willing()
        rate_sessions(stage(study({names[0]: "Bye", names[1]: "See you"}), {"rater": rater}))
        orders.append(last_words(rater))
    assert orders[0] == orders[1]


def test_the_order_of_the_requests_does_not_depend_on_the_order_of_the_sessions() -> None:
    orders = []
    for sessions in (study({"a": "Bye", "b": "See you"}), study({"b": "See you", "a": "Bye"})):
        rater = willing()
        rate_sessions(stage(sessions, {"rater": rater}))
        orders.append(last_words(rater))
    assert orders[0] == orders[1]


def test_arms_are_mixed_and_another_seed_mixes_them_otherwise() -> None:
    orders = []
    for seed in (1, 2):
        rater = willing()
        sessions = study({"a": "Bye", "b": "See you"})
        rate_sessions(stage(sessions, {"rater": rater}, seed=seed))
        orders.append(last_words(rater))
        assert sorted(orders[-1]) == sorted(session.turns[-1].text for session in sessions)
        assert len({words.split()[0] for words in orders[-1][:6]}) == 2
    assert orders[0] != orders[1]


def test_each_item_can_be_asked_in_a_call_of_its_own() -> None:
    rater = willing()
    [rating] = rate_sessions(stage([a_session()], {"a": rater}, ask="item"))
    assert [request.draw.item for request in rater.requests] == ["agenda", "homework"]
    assert [score.score for score in rating.scores] == [0, 0]


def test_a_repair_round_is_a_new_attempt_of_the_same_draw() -> None:
    bad = answer(agenda=entry(quote="never said by anyone"), homework=absent())
    rater = ScriptedRater([bad, answer(agenda=entry(5), homework=absent())])
    [rating] = rate_sessions(stage([a_session()], {"a": rater}))
    assert [request.draw.attempt for request in rater.requests] == [1, 2]
    assert rating.scores[0].score == 5


def test_a_model_that_refuses_fails_its_unit_alone_and_leaves_it_unscored() -> None:
    context = stage([a_session()], {"a": ScriptedRater([ModelError("no such model")]), "b": willing()})
    refused, given = rate_sessions(context)
    assert [score.reason for score in refused.scores] == ["no answer from the model"] * 2
    assert [score.score for score in given.scores] == [0, 0]
    assert [(one.stage, one.unit, one.reason) for one in context.failures] == [
        ("ratings.small", "s1, rater a, repeat 1", "no such model")
    ]


def test_a_stop_ends_the_stage() -> None:
    with pytest.raises(StopRun):
        rate_sessions(stage([a_session()], {"a": ScriptedRater([StopRun("budget")])}))


def test_a_session_without_turns_is_unscored_and_asks_nobody() -> None:
    rater = willing()
    [rating] = rate_sessions(stage([a_session([])], {"a": rater}))
    assert rater.requests == []
    assert {score.reason for score in rating.scores} == {"the session has no turns"}


def test_a_session_that_is_too_long_is_unscored_with_its_reason_and_the_others_are_rated() -> None:
    rater = willing()
    sessions = [a_session([("patient", "word " * 400)], id="long"), a_session(id="short")]
    long, short = rate_sessions(stage(sessions, {"a": rater}, max_chars=1000))
    [why] = {score.reason for score in long.scores}
    assert why is not None
    assert re.fullmatch(r"too long for the rater: 2,\d{3} characters, and max_chars is 1,000", why)
    assert [score.reason for score in short.scores] == [None] * len(short.scores)
    assert {request.about for request in rater.requests} == {"short"}


def test_sessions_that_are_too_long_are_all_named_before_the_first_call() -> None:
    rater = willing()
    sessions = [a_session([("patient", "word " * 400)], id=name) for name in ("s1", "s2")]
    with pytest.raises(StageError, match=r"(?s)'s1': 2,\d{3} characters.*'s2'.*long: window"):
        rate_sessions(stage(sessions, {"a": rater}, max_chars=1000, long="fail"))
    assert rater.requests == []


def test_a_long_session_can_be_rated_in_windows_that_are_named() -> None:
    turns = [("therapist", f"What about number {number}? {'word ' * 60}") for number in range(6)]
    scores = iter([2, 5, 5])
    rater = ScriptedRater(lambda request: windowed(request, next(scores)))
    [rating] = rate_sessions(stage([a_session(turns)], {"a": rater}, max_chars=1000, long="window"))
    assert [request.draw.turn for request in rater.requests] == [1, 2, 3]
    assert rating.flags == ("windows: rated in 3 parts, turns 1-2, 3-4, 5-6",)
    assert rating.scores[0].score == 4
    assert rating.scores[0].notes == ("windows: 2, 5, 5 (mean of the windows, weighted by their turns)",)
    assert [quote.turn for quote in rating.scores[0].evidence] == [1, 3, 5]


def windowed(request: Request, score: int) -> str:
    """A score shown by the first turn of the window."""
    shown = json.loads(request.messages[1].content.split("<transcript>\n")[1].split("\n")[0])
    quote = shown["text"].split("?")[0]
    return answer(agenda=entry(score, quote=quote, turn=shown["turn"]), homework=absent())


def test_an_item_unscored_in_one_window_is_unscored() -> None:
    turns = [("therapist", f"What about number {number}? {'word ' * 60}") for number in range(4)]
    answers = iter([entry(None, unscored_reason="Cannot tell."), absent()])
    rater = ScriptedRater(lambda _: answer(agenda=next(answers), homework=absent()))
    [rating] = rate_sessions(stage([a_session(turns)], {"a": rater}, max_chars=1000, long="window"))
    assert [(score.score, score.reason) for score in rating.scores] == [(None, "not scored by the rater"), (0, None)]
    assert [score.absent for score in rating.scores] == [False, True]


def test_one_turn_over_the_limit_is_unscored_even_with_windows() -> None:
    session = a_session([("patient", "x" * 2000)])
    [rating] = rate_sessions(stage([session], {"a": willing()}, max_chars=1000, long="window"))
    assert all("in one turn" in (score.reason or "") for score in rating.scores)


def test_words_that_name_a_model_are_flagged_and_masked_on_wish() -> None:
    session = a_session([("patient", "Who are you?"), ("therapist", "I am Qwen.")])
    seen = []
    for mask in (False, True):
        rater = willing()
        [rating] = rate_sessions(stage([session], {"a": rater}, mask_identity=mask))
        assert rating.flags == ("unblinding: turn 2 says qwen",)
        seen.append("Qwen" in rater.requests[0].messages[1].content)
    assert seen == [True, False]


def test_a_plan_counts_the_calls_of_each_rater() -> None:
    options = {"raters": ["a", "b"], "repeats": 3}
    plan = plan_block(PlanContext("ratings", "small", options, {}, {"sessions": Plan(units=10)}))
    assert plan is not None
    assert plan.units == 60
    assert [(one.model, one.calls) for one in plan.calls] == [("a", 30), ("b", 30)]


def test_the_templates_and_the_modules_that_score_decide_a_rating() -> None:
    decides = set(reached(("cbtrun.plugins.raters.rubric",)))
    assert {"templates/rater-system.j2", "templates/rater-brief.j2", "templates/rater-user.j2"} <= decides
    assert {"cbtrun.ratings.answer", "cbtrun.ratings.evidence", "cbtrun.calls.structured"} <= decides
