"""results.json: what a study found, and nothing about where or when it ran."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from cbtrun.ratings.reasons import reason_kind
from cbtrun.ratings.rubric_facts import rubric_facts
from cbtrun.results.build import build_results
from cbtrun.results.groups import describe, grouping_levels
from cbtrun.results.records import Results, read_results, results_bytes, results_schema
from cbtrun.statistics.clustered import clustered_interval
from tests.helpers.report_studies import ctrs, made_up_study


def test_same_study_gives_the_same_bytes() -> None:
    assert results_bytes(made_up_study(6).results) == results_bytes(made_up_study(6).results)


def test_results_survive_writing_and_reading() -> None:
    results = made_up_study(6).results
    assert read_results(results_bytes(results)) == results


def test_results_follow_the_committed_schema() -> None:
    schema = json.loads(files("cbtrun.schemas").joinpath("results.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(results_bytes(made_up_study(6).results)), schema)


def test_results_hold_no_times_costs_or_machine_facts() -> None:
    text = results_bytes(made_up_study(6).results).decode()
    for word in ("seconds", "usd", "started", "hardware", "processor", "tokens"):
        assert f'"{word}' not in text


def test_nan_is_refused() -> None:
    results = made_up_study(6).results
    broken = results.model_copy(
        update={"comparisons": (results.comparisons[0].model_copy(update={"estimate": math.nan}),)}
    )
    with pytest.raises(ValueError, match="JSON compliant"):
        results_bytes(broken)


def test_missing_sessions_are_counted_with_their_reasons_and_never_as_zero() -> None:
    given = made_up_study(40)
    everyone = _total(given.results).groups["all"][0]
    unscored = sum(score.score is None for rating in given.rated["ctrs"].ratings for score in rating.scores)
    assert unscored > 0
    assert everyone.missing == unscored
    assert everyone.n + everyone.missing == 120
    assert sum(everyone.reasons.values()) == everyone.missing
    assert everyone.low is not None
    assert everyone.low > 0


def test_session_without_a_rating_is_missing_as_not_rated() -> None:
    given = made_up_study(4)
    one = given.sessions[0]
    group = describe("all", {}, {}, [one])
    assert (group.n, group.missing, group.reasons) == (0, 1, {"not rated": 1})
    assert group.mean is None
    assert group.interval is None


def test_reasons_lose_what_may_quote_a_session() -> None:
    assert reason_kind("evidence not found: “my brother said”") == "evidence not found"
    assert made_up_study(40).results.counts.unscored.keys() == {"quote not found"}


def test_interval_of_single_sessions_is_the_t_interval() -> None:
    # By hand: mean 4, SD sqrt(12.5), t(0.975, 4 df) = 2.776445 from any table; 4 -+ 2.776445 * sqrt(12.5 / 5).
    found = clustered_interval([1, 2, 3, 4, 10], list("abcde"))
    assert found is not None
    assert found.low == pytest.approx(-0.389945, abs=1e-5)
    assert found.high == pytest.approx(8.389945, abs=1e-5)


def test_sessions_of_one_persona_are_not_independent() -> None:
    points, personas = [1.0, 1.0, 5.0, 5.0, 9.0, 9.0], list("aabbcc")
    clustered, naive = clustered_interval(points, personas), clustered_interval(points, list("abcdef"))
    of_means = clustered_interval([1, 5, 9], list("abc"))
    assert clustered is not None
    assert naive is not None
    assert of_means is not None
    assert (clustered.low, clustered.high) == pytest.approx((of_means.low, of_means.high))
    assert clustered.high - clustered.low > naive.high - naive.low
    assert clustered.method == "t, clustered by persona"


def test_one_cluster_has_no_interval() -> None:
    assert clustered_interval([1, 2, 3], list("aaa")) is None


def test_levels_stand_in_the_order_of_the_analysis_then_of_the_arms() -> None:
    given = made_up_study(4)
    levels = grouping_levels(given.study, given.sessions)
    assert levels == {"all": ("all",), "arm": ("untuned", "cbt", "supportive"), "tuning": ("cbt", "none", "supportive")}


def test_outcomes_are_total_then_subscales_then_items() -> None:
    kinds = [outcome.kind for outcome in made_up_study(4).results.ratings["ctrs"].outcomes]
    assert kinds == ["total", "subscale", "subscale", *["item"] * 11]


def test_rubric_facts_carry_threshold_scale_and_validation() -> None:
    facts = rubric_facts(ctrs())
    assert (facts.low, facts.high, facts.threshold) == (0, 66, 40)
    assert facts.validation == "not validated for CBT against clinicians"
    assert {(item.low, item.high) for item in facts.items if item.kind == "item"} == {(0, 6)}


def test_rubric_without_a_total_gives_none() -> None:
    given = made_up_study(4)
    facts = given.rated["ctrs"].rubric.model_copy(update={"has_total": False})
    rated = {"ctrs": replace(given.rated["ctrs"], rubric=facts)}
    results = build_results(given.study, "digest", given.sessions, rated, [])
    assert "total" not in {outcome.kind for outcome in results.ratings["ctrs"].outcomes}


def test_schema_of_results_describes_its_fields() -> None:
    assert results_schema()["properties"]["spec_digest"]["description"].startswith("SHA-256")


def _total(results: Results):  # type: ignore[no-untyped-def]  # the outcome's type is what the test reads
    return next(outcome for outcome in results.ratings["ctrs"].outcomes if outcome.kind == "total")
