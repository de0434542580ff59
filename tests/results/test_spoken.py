"""Points say of how many they are, wherever a sentence tells a result."""

from __future__ import annotations

import pytest

from cbtrun.results.spoken import ends_of, on_its_scale, on_their_scales, scale_words
from tests.helpers.report_studies import made_up_study

HIGHER = "`cbt` scored 8.9 points higher than `3.0 points` (95 % CI 4.1 to 13.7; n = 20; mean difference 8.9 points)."


@pytest.mark.parametrize(
    ("ends", "words"),
    [((0.0, 66.0), "of 66"), ((11.0, 77.0), "of 11 to 77"), ((0.0, None), ""), ((None, None), ""), ((0.0, 4.5), "of 4.5")],
)  # fmt: skip
def test_a_scale_is_told_by_its_end_and_by_both_where_it_does_not_begin_at_0(
    ends: tuple[float | None, float | None], words: str
) -> None:
    assert scale_words(ends) == words


def test_the_first_points_of_a_sentence_say_of_how_many() -> None:
    assert on_its_scale(HIGHER, (0, 66)) == HIGHER.replace("8.9 points higher", "8.9 of 66 points higher")
    assert on_its_scale("`a` scored 1 point higher than `b`.", (0, 6)) == "`a` scored 1 of 6 points higher than `b`."
    assert on_its_scale(HIGHER, (0, None)) == HIGHER


def test_a_sentence_about_ranks_keeps_its_shares() -> None:
    ranks = "`a` stood higher than `b` in 71 % of pairs, ties half (n = 20; mean difference 2.0 points, no interval)."
    assert "71 % of pairs, ties half (n = 20; mean difference 2.0 of 6 points," in on_its_scale(ranks, (0, 6))


def test_results_know_the_ends_of_totals_and_items() -> None:
    results = made_up_study(4, transcripts=False).results
    assert (ends_of(results)["ctrs.total"], ends_of(results)["ctrs.agenda"]) == ((0, 66), (0, 6))
    first = results.comparisons[0].model_copy(update={"sentence": HIGHER})
    told = on_their_scales(results.model_copy(update={"comparisons": (first,)})).comparisons[0]
    assert "8.9 of 66 points higher" in told.sentence
