"""What a sentence claims: what its own test shows, of its own estimate."""

from __future__ import annotations

from typing import Any

import pytest

from cbtrun.contract import records
from cbtrun.contract.records import Comparison, Effect, Group, Interval
from cbtrun.statistics.sentences import is_shown, sentence_of, two_levels_sentence, usual_sentence
from cbtrun.statistics.simultaneous import together
from cbtrun.statistics.wording import counts_text


def a_comparison(estimate: float | None = 3.0, low: float = 1.0, high: float = 5.0, **more: Any) -> Comparison:
    """`cbt` against `none` on 12 pairs."""
    span = Interval(low=low, high=high, method="paired t")
    groups = tuple(
        Group(level=level, n=12, missing=0, mean=1.0, sd=1.0, median=1.0, units=12) for level in ("cbt", "none")
    )
    fields: dict[str, Any] = {
        "analysis": "main",
        "design": "paired",
        "outcome": "ctrs.total",
        "factor": "tuning",
        "levels": ("cbt", "none"),
        "groups": groups,
        "n": 12,
        "unit_of_analysis": "pair of one persona",
        "estimate": estimate,
        "interval": span,
        "tests": (records.Test(name="t", statistic=3.3, df=11, p=0.007),),
        "effects": (Effect(name="dz", value=0.95),),
        "sentence": "",
    }
    return Comparison(**{**fields, **more})


def test_an_interval_without_zero_is_a_difference_with_its_direction() -> None:
    told = two_levels_sentence(a_comparison())
    assert told == (
        "`cbt` scored 3.0 points higher than `none` (95 % CI 1.0 to 5.0; n = 12 pairs; paired t p = 0.007; "
        "dz 0.95 [no interval])."
    )


def test_an_interval_with_zero_was_not_shown_to_be_a_difference() -> None:
    weak = (records.Test(name="t", statistic=-0.3, df=11, p=0.79),)
    told = two_levels_sentence(a_comparison(-0.33, -2.0, 1.4, tests=weak))
    assert told.startswith(
        "`cbt` was not shown to score higher or lower than `none` (difference -0.33 points, 95 % CI -2"
    )


def test_what_the_family_does_not_show_is_not_claimed_though_its_own_interval_leaves_zero_out() -> None:
    test = records.Test(name="t", statistic=2.3, df=11, p=0.04, p_adjusted=0.12)
    one = a_comparison(3.0, 0.2, 5.8, tests=(test,), family=3, correction="holm")
    assert not is_shown(one)
    wide = Interval(low=-0.6, high=6.6, level=1 - 0.05 / 3, method="paired t")
    told = two_levels_sentence(one.model_copy(update={"interval_adjusted": wide}))
    assert told.startswith("`cbt` was not shown to score higher or lower than `none` (difference 3.0 points")
    assert "paired t p = 0.040, adjusted p = 0.120, 98.33 % CI -0.6 to 6.6 over a family of 3" in told


def test_a_rank_test_speaks_of_ranks_and_says_that_means_point_the_other_way() -> None:
    ranks = (records.Test(name="mann-whitney", statistic=122, p=0.003),)
    area = Effect(name="auc", value=0.85, interval=Interval(low=0.6, high=0.95, method="DeLong, logit scale"))
    one = a_comparison(-1.9, -8.2, 4.4, tests=ranks, effects=(area,), unit_of_analysis="session", design="independent")
    told = two_levels_sentence(one)
    assert told.startswith(
        "`cbt` stood higher than `none` in 85 % of pairs, ties half (n = 12 and 12; Mann-Whitney p = 0.003"
    )
    assert "mean difference -1.9 points, 95 % CI -8.2 to 4.4; by means the other way: `cbt` scored lower" in told
    assert "scored 1.9 points lower" not in told  # the p is not that of a mean


def test_a_test_of_means_says_that_ranks_point_the_other_way() -> None:
    sizes = (Effect(name="dz", value=-0.07), Effect(name="rank_biserial", value=0.69))
    weak = (records.Test(name="t", statistic=-0.2, df=11, p=0.83),)
    told = two_levels_sentence(a_comparison(-0.67, -7.17, 5.83, tests=weak, effects=sizes))
    assert "; dz -0.07 [no interval]; by ranks the other way: `cbt` stood higher, rank-biserial 0.69" in told


def test_the_effect_size_is_that_of_the_test() -> None:
    sizes = (Effect(name="auc", value=0.8), Effect(name="hedges_g", value=1.1))
    welch = (records.Test(name="welch", statistic=3, df=20, p=0.007),)
    assert "Hedges' g 1.10" in two_levels_sentence(a_comparison(tests=welch, effects=sizes))
    ranks = (records.Test(name="mann-whitney", statistic=3, p=0.007),)
    assert "AUC 0.80" in two_levels_sentence(a_comparison(tests=ranks, effects=sizes))


@pytest.mark.parametrize(
    ("name", "statistic", "says"), [("dunn", -2.5, "stood lower"), ("nemenyi", 3.4, "differed by")]
)
def test_pairs_by_ranks_claim_a_direction_only_where_their_statistic_has_one(
    name: str, statistic: float, says: str
) -> None:
    test = records.Test(name=name, statistic=statistic, p=0.01)
    assert says in two_levels_sentence(a_comparison(tests=(test,), effects=()))


def test_n_says_how_many_there_would_be_and_what_is_missing_on_either_side() -> None:
    groups = (
        Group(level="A", n=7, missing=5, reasons={"no answer": 5}, unscored=5, mean=1, sd=1, median=1, units=7),
        Group(level="B", n=7, missing=5, reasons={"no partner": 5}, mean=1, sd=1, median=1, units=7),
    )
    one = a_comparison(n=7, possible=12, groups=groups)
    assert counts_text(one) == "n = 7 of 12 pairs; 5 sessions of `A` have no score, 0 of `B`"
    flagged = Group(level="B", n=6, missing=1, reasons={"excluded: short": 1}, mean=1, sd=1, median=1, units=6)
    some = one.model_copy(update={"groups": (groups[0], flagged)})
    assert counts_text(some).endswith("; 0 sessions of `A` are excluded, 1 of `B`")


def test_intervals_of_a_family_are_those_of_r_at_bonferronis_level() -> None:
    # R: t.test(x) and t.test(x, conf.level = 1 - 0.05 / 3) of twelve differences
    test = records.Test(name="t", statistic=3.19, df=11, p=0.00857820707155, p_adjusted=0.0257)
    one = a_comparison(1.49166666666667, 0.463067440585, 2.520265892748, tests=(test,))
    found = together(one, "holm", 3, 1)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.17376387752619, 2.80956945580714), abs=1e-9)
    assert found.level == pytest.approx(1 - 0.05 / 3)


def test_what_holms_steps_alone_show_ends_at_zero() -> None:
    # p = 0.020 of three: Bonferroni does not show it, Holm's second step does
    test = records.Test(name="t", statistic=3.19, df=11, p=0.00857820707155, p_adjusted=0.04)
    one = a_comparison(1.49166666666667, 0.463067440585, 2.520265892748, tests=(test,))
    found = together(one, "holm", 20, 1)
    assert found is not None
    assert found.low == 0 < found.high


def test_an_equivalence_has_twice_the_tail_and_stays_inside_its_margin_where_shown() -> None:
    # R: t.test(x, conf.level = 1 - 0.1 / 3); margin 2.5 is passed by the interval, yet Holm shows it
    span = Interval(low=0.653, high=2.330, level=0.9, method="paired t")
    one = a_comparison(
        1.49166666666667, tests=(records.Test(name="tost", statistic=-2.158, df=11, p=0.027, p_adjusted=0.04),)
    )
    error = 1.49166666666667 / 3.19186
    half = 1.7958848187 * error
    span = Interval(low=1.49166666666667 - half, high=1.49166666666667 + half, level=0.9, method="paired t")
    from scipy.stats import t

    p = float(t.sf((2.5 - 1.49166666666667) / error, 11))
    tests = (records.Test(name="tost", statistic=-2.158, df=11, p=p, p_adjusted=0.04),)
    found = together(one.model_copy(update={"interval": span, "margin": 2.5, "tests": tests}), "holm", 3, 3)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.355437179657, 2.5), abs=1e-4)
    assert found.level == pytest.approx(1 - 0.1 / 3)


def test_a_rank_test_has_no_interval_of_means_in_its_family() -> None:
    assert (
        together(
            a_comparison(tests=(records.Test(name="wilcoxon", statistic=60, p=0.01, p_adjusted=0.03),)), "holm", 3, 1
        )
        is None
    )


def test_a_filter_stands_before_any_sentence() -> None:
    one = a_comparison(where={"arm": ("a", "b")})
    assert sentence_of(one, usual_sentence).startswith("Among sessions with arm a or b: `cbt` scored")
