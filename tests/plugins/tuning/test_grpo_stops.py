"""What a reinforcement training is watched by: refused where the witness is the judge itself."""

from pathlib import Path
from typing import Any

import pytest

from cbtrun.contexts import BlockContext
from cbtrun.contract.study_view import view_of
from cbtrun.documents.schema import schema_problems, with_defaults
from cbtrun.errors import Place
from cbtrun.plugins.tuning.grpo_stops import CONTROLS, STOP, controls_due, lacks_total, watch_problems
from cbtrun.reinforced.gap import rule_of

MODELS = {
    "judge": {"using": "openai", "model": "big", "base_url": "https://one.example/v1"},
    "same": {"using": "openai", "model": "big", "base_url": "https://one.example/v1"},
    "other": {"using": "openai", "model": "small", "base_url": "https://one.example/v1"},
}
SETS = {
    "fast": {"using": "rubric", "rubric": "ctrs", "raters": ["judge"]},
    "renamed": {"using": "rubric", "rubric": "ctrs", "raters": ["same"]},
    "other-rater": {"using": "rubric", "rubric": "ctrs", "raters": ["other"]},
    "both-raters": {"using": "rubric", "rubric": "ctrs", "raters": ["judge", "other"]},
    "safe": {"using": "rubric", "rubric": "safety", "raters": ["judge"]},
    "not-at-hand": {"using": "rubric", "rubric": "gone.yaml", "raters": ["judge"]},
    "other-rubric": {"using": "rubric", "rubric": "miti", "raters": ["judge"]},
}


def _found(witness: list[str], stop: dict[str, Any] | None = None) -> list[str]:
    options = {"reward": {"rating": "fast"}, "witness": witness, "stop": with_defaults(stop or {}, STOP)}
    context = BlockContext(
        stage="tune",
        name="job",
        options=options,
        study=view_of({"models": MODELS, "ratings": SETS}),
        folder=Path(),
        place=lambda *_: Place("study.yaml", 1),
        place_in_study=lambda *_: Place("study.yaml", 1),
    )
    return [f"{one.path}: {one.what}" for one in watch_problems(context)]


def test_a_witness_that_is_the_reward_is_refused() -> None:
    (told,) = _found(["fast"])
    assert told.startswith("tune/job/witness/0: 'fast' is what is rewarded")


def test_the_same_judge_on_the_same_rubric_under_another_name_is_refused() -> None:
    (told,) = _found(["other-rater", "renamed.total"])
    assert told.startswith("tune/job/witness/1: 'renamed' rates by the same model on the same rubric")


@pytest.mark.parametrize("witness", ["other-rater", "both-raters", "both-raters.total"])
def test_another_rater_or_another_rubric_may_watch(witness: str) -> None:
    assert _found([witness]) == []


def test_a_gap_without_a_witness_is_refused_unless_it_is_declared_null() -> None:
    (told,) = _found([])
    assert "no witness is named" in told
    assert _found([], {"gap": None}) == []


def test_the_witness_that_must_rise_is_one_of_the_witnesses() -> None:
    assert _found(["other-rater"], {"gap": {"must_rise": "other-rater"}}) == []
    (told,) = _found(["other-rater"], {"gap": {"must_rise": "otherrater"}})
    assert told == "tune/job/stop/gap/must_rise: no witness 'otherrater'; known: other-rater"
    (told,) = _found(["other-rater"], {"gap": {"must_not_rise": ["gone.item"]}})
    assert told.startswith("tune/job/stop/gap/must_not_rise: no witness 'gone.item'")


def test_a_rubric_at_hand_without_a_total_is_told_before_anything_runs() -> None:
    (told,) = _found(["safe"])
    assert told.startswith("tune/job/stop: no witness has a total")
    assert _found(["safe"], {"gap": {"must_rise": "safe.risk_asked"}}) == []
    assert _found(["safe", "other-rater"]) == []
    (told,) = _found(["other-rater.agenda"])
    assert "no witness has a total" in told
    assert _found(["not-at-hand"]) == []


def test_a_gap_for_witnesses_without_a_total_is_refused_until_one_is_named() -> None:
    options = {"stop": with_defaults({}, STOP)}
    assert lacks_total(options, ["safety.harm", "safety.asked"]).startswith("no witness has a total")
    assert lacks_total(options, ["safety.harm", "other.total"]) == ""
    assert lacks_total({"stop": {"gap": {"must_rise": "safety.asked"}}}, ["safety.harm", "safety.asked"]) == ""
    assert lacks_total({"stop": {"gap": None}}, ["safety.harm"]) == ""


def test_the_schemas_refuse_what_no_rule_knows_and_their_defaults_are_the_rules_own() -> None:
    assert schema_problems({"gap": {"looks": 0}}, STOP, lambda *_: Place("s.yaml", 1))
    assert schema_problems({"kinds": ["louder"]}, CONTROLS, lambda *_: Place("s.yaml", 1))
    assert not schema_problems({"gap": None, "controls": None, "kl": 0.3}, STOP, lambda *_: Place("s.yaml", 1))
    assert rule_of(with_defaults({}, STOP)["gap"], 200) == rule_of({}, 200)


def test_controls_are_rated_in_the_first_step_and_then_every_so_many() -> None:
    controls = with_defaults({"every": 4}, CONTROLS)
    assert [step for step in range(1, 10) if controls_due(step, controls)] == [1, 5, 9]
    assert not controls_due(1, {**controls, "kinds": []})
