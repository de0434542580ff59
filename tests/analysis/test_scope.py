"""What a claim holds for, from the study's design and the model's random terms."""

from __future__ import annotations

from typing import Any

import pytest

from cbtrun.analysis.headline import headline_of
from cbtrun.analysis.scope import scope_of
from cbtrun.analysis.whole_study import told, whole_study
from cbtrun.contract.records import Bounds, Comparison, Group, Interval
from cbtrun.contract.study_view import StudyView

ONE = {"ctrs": ["rater"]}


def a_study(seeds: tuple[int, ...] = (1,), **more: Any) -> StudyView:
    return StudyView(
        {
            "models": {"tiny": {"using": "x"}},
            "tune": {"job": {"seeds": list(seeds)}, "other": {"seeds": [7]}},
            "arms": {
                "untuned": {"therapist": "tiny", "factors": {"tuning": "none"}},
                "cbt": {"therapist": "job", "factors": {"tuning": "cbt"}},
                "warm": {"therapist": "other", "factors": {"tuning": "warm"}},
            },
            "sessions": {"using": "dialogue", "personas": "eval"},
            **more,
        }
    )


def a_comparison(*levels: str, analysis: str = "main", **more: Any) -> Comparison:
    groups = tuple(Group(level=level, n=9, missing=0, mean=1.0, sd=1.0, median=1.0) for level in levels)
    fields: dict[str, Any] = {
        "design": "paired",
        "outcome": "ctrs.total",
        "factor": "tuning",
        "levels": levels,
        "groups": groups,
        "n": 9,
        "unit_of_analysis": "pair of one persona",
        "estimate": 2.0,
        "interval": Interval(low=1, high=3, method="paired t"),
        "sentence": "",
    }
    return Comparison(analysis=analysis, **{**fields, **more})


def test_one_tuning_one_rater_and_simulated_patients() -> None:
    found = scope_of(a_comparison("cbt", "none"), a_study(), ONE)
    assert found == ("for this one tuning", "as this one rater sees it", "among these simulated patients")


def test_a_contrast_of_two_tuned_levels_rests_on_one_tuning_of_each() -> None:
    assert scope_of(a_comparison("cbt", "warm"), a_study(), ONE)[0] == "for this one tuning of each"
    assert scope_of(a_comparison("cbt", "warm"), a_study((1, 2, 3)), ONE)[0] == (
        "for these tunings (3 of job, 1 of other)"
    )


def test_several_tunings_are_named_and_reached_beyond_only_by_a_random_term() -> None:
    study = a_study((1, 2, 3))
    assert scope_of(a_comparison("cbt", "none"), study, ONE)[0] == "for these three tunings"
    mixed = a_comparison("cbt", "none", covers=("persona", "seed"))
    assert scope_of(mixed, study, ONE)[0] == "for tunings like these three"
    assert scope_of(a_comparison("cbt", "none", where={"seed": ("2",)}), study, ONE)[0] == "for this one tuning"


def test_an_arm_that_names_one_of_the_tunings_counts_and_levels_may_be_arms_or_cells() -> None:
    study = a_study(arms={"a": {"therapist": "job@1", "factors": {"tuning": "cbt", "family": "x"}}})
    assert scope_of(a_comparison("a", "b", factor="arm"), study, ONE)[0] == "for this one tuning"
    cells = a_comparison("cbt / x", "none / x", factor="tuning x family")
    assert scope_of(cells, study, ONE)[0] == "for this one tuning"


def test_a_test_of_interaction_rests_on_the_tunings_of_what_it_is_between() -> None:
    one = a_comparison("none", "some", factor="persona.risk", moderated=("cbt", "none"))
    assert scope_of(one, a_study(), ONE)[0] == "for this one tuning"


def test_raters_are_these_unless_the_model_lets_them_favour_levels() -> None:
    two = {"ctrs": ["r1", "r2"]}
    assert "as these two raters see it" in scope_of(a_comparison("cbt", "none"), a_study(), two)
    intercept = a_comparison("cbt", "none", covers=("persona",))
    assert "as these two raters see it" in scope_of(intercept, a_study(), two)  # severity cancels in a difference
    favour = a_comparison("cbt", "none", covers=("persona", "rater"))
    assert "as raters like these two see it" in scope_of(favour, a_study(), two)
    assert "as these 12 raters see it" in scope_of(a_comparison("cbt", "none"), a_study(), {"ctrs": ["x"] * 12})


def test_wordings_that_raters_were_asked_with_are_told_where_there_are_several() -> None:
    ways = {
        "ctrs": {
            "using": "rubric",
            "rubric": "ctrs",
            "wordings": [{"name": "shipped"}, {"name": "short", "text": "Rate."}],
        }
    }
    told = scope_of(a_comparison("cbt", "none"), a_study(ratings=ways), ONE)
    assert told[1] == "as this one rater sees it, asked in these two ways"
    ways["ctrs"]["wordings"] = [{"name": "shipped"}]
    assert scope_of(a_comparison("cbt", "none"), a_study(ratings=ways), ONE)[1] == "as this one rater sees it"


def test_existing_sessions_have_people_where_their_file_tells_them_apart() -> None:
    study = a_study(sessions={"using": "import", "columns": {}}, tune={}, arms={})
    assert scope_of(a_comparison("high", "low", factor="quality"), study, ONE)[-1] == "in these sessions"
    known = a_comparison("high", "low", factor="quality", personas=12)
    assert scope_of(known, study, ONE)[-1] == "among the people of these sessions"


def test_any_plugin_s_comparison_gets_scope_missing_and_bounds_in_front_of_and_behind_its_words() -> None:
    groups = tuple(
        Group(level=level, n=7, missing=2, unscored=lost, mean=1, sd=1, median=1)
        for level, lost in (("cbt", 2), ("none", 0))
    )
    theirs = a_comparison("cbt", "none", groups=groups, sentence="The medians are 2 points apart.")
    theirs = theirs.model_copy(update={"worst_case": Bounds(low=-3.0, high=4.5, values=2)})
    (found,) = whole_study([theirs], a_study(), ONE, lambda one: one.sentence)
    assert found.sentence == (
        "For this one tuning, as this one rater sees it, among these simulated patients: the medians are 2 points apart. "
        "2 sessions of `cbt` have no score, 0 of `none`. Were every missing score at the worst end of its scale, the "
        "difference would lie anywhere from -3.0 to 4.5 points: what is missing could change its sign."
    )


def test_bounds_that_keep_the_sign_stay_out_of_the_sentence() -> None:
    one = a_comparison("cbt", "none", worst_case=Bounds(low=0.5, high=4.5, values=2), scope=())
    assert told(one, "Said.") == "Said."


def test_a_plugin_may_say_that_its_claim_has_no_such_limits() -> None:
    one = a_comparison("cbt", "none", scope=(), sentence="It may be used.")
    (found,) = whole_study([one], a_study(), ONE, lambda one: one.sentence)
    assert found.sentence == "It may be used."


@pytest.mark.parametrize(
    ("seeds", "named", "first"), [((1, 2), "", "mix"), ((1,), "", "main"), ((1, 2), "main", "main")]
)
def test_with_several_tunings_the_model_that_has_them_as_random_speaks_first(
    seeds: tuple[int, ...], named: str, first: str
) -> None:
    found = [
        a_comparison("cbt", "none"),
        a_comparison("cbt", "none", analysis="items", outcome="ctrs.agenda", covers=("seed",)),
        a_comparison("none", "cbt", analysis="mix", covers=("seed",)),
    ]
    headline = headline_of(found, a_study(seeds), named)
    assert headline is not None
    assert headline.analysis == first
    assert headline_of([], a_study()) is None


TRAINED = {
    "models": {
        "tiny": {"using": "x"},
        "rater": {"using": "lexical-rater"},
        "again": {"using": "lexical-rater"},
        "big": {"using": "openai", "model": "big"},
    },
    "ratings": {
        "ctrs": {"using": "rubric", "rubric": "ctrs", "raters": ["rater"]},
        "renamed": {"using": "rubric", "rubric": "ctrs", "raters": ["again", "big"]},
        "other": {"using": "rubric", "rubric": "ctrs", "raters": ["big"]},
        "miti": {"using": "rubric", "rubric": "miti", "raters": ["rater"]},
        "apart": {"using": "rubric", "rubric": "miti", "raters": ["big"]},
    },
    "corpus": {"pairs": {"using": "compared-turns", "rater": "rater", "rubric": "ctrs"}, "plain": {"using": "files"}},
}
REWARDED = {"using": "grpo", "start": "tiny", "reward": {"rating": "ctrs"}, "witness": ["apart"]}
PREFERRED = {"using": "preference", "base": "tiny", "corpus": "pairs"}
GONE_ON = {"using": "grpo", "start": "other@7", "reward": {"rating": "apart"}}


def _on(outcome: str, job: dict[str, Any], other: dict[str, Any] | None = None) -> tuple[str, ...]:
    study = a_study(**TRAINED, tune={"job": job, "other": other or {"using": "sft", "corpus": "plain"}})
    return scope_of(a_comparison("cbt", "none", outcome=f"{outcome}.total"), study, {outcome: ["rater"]})


@pytest.mark.parametrize("job", [REWARDED, PREFERRED], ids=["rewarded", "preferred"])
def test_a_claim_on_the_score_that_an_arm_was_trained_to_raise_says_so(job: dict[str, Any]) -> None:
    assert "on the score that job was trained to raise" in _on("ctrs", job)
    assert "on the score that job was trained to raise" in _on("renamed", job), "one of its raters is the same model"
    assert "on the rubric that job was trained on, by another rater" in _on("other", job)
    assert "by a rater that also judged job in its training, on another rubric" in _on("miti", job)
    assert not any("train" in part for part in _on("apart", job)), "a witness is what decides"


def test_a_job_that_starts_from_another_has_that_ones_judges_too() -> None:
    assert "on the score that job was trained to raise" in _on("ctrs", GONE_ON, PREFERRED)
    assert "on the score that job was trained to raise" in _on("apart", GONE_ON, PREFERRED)
    assert not any("train" in part for part in _on("ctrs", {"using": "sft", "corpus": "plain"}))


def test_a_veto_is_trained_on_like_a_reward() -> None:
    assert "on the score that job was trained to raise" in _on("miti", {**REWARDED, "veto": "miti.empathy"})
