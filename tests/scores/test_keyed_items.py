"""Reverse-keyed items and weights: in totals, subscales, ends, outcomes and what unscored items leave open."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbtrun.contract.records import ItemScore, Rating
from cbtrun.errors import SpecError
from cbtrun.ratings.request import rating_brief
from cbtrun.ratings.rubric import Rubric, rubric_digest
from cbtrun.ratings.rubric_facts import rubric_facts
from cbtrun.ratings.rubric_file import read_rubric
from cbtrun.scores.making import scores_of
from cbtrun.scores.scale import outcome_ends

RUBRIC = """
name: keyed
title: Keyed
version: "1"
source: a test
licence: none
validation: none
total: {low: 0, high: 27}
subscales: {style: {title: Style}}
items:
  - {id: warm, name: Warm, asks: Whether warm., high: 6, subscale: style}
  - {id: cold, name: Cold, asks: Whether cold., high: 6, reverse: true, subscale: style}
  - {id: plan, name: Plan, asks: Whether planned., low: 1, high: 6, weight: 2.5}
"""
RUBRIC = RUBRIC.replace("low: 0, high: 27", "low: 2.5, high: 27")


def made(tmp_path: Path, text: str = RUBRIC) -> Rubric:
    path = tmp_path / "keyed.yaml"
    path.write_text(text, encoding="utf-8")
    return read_rubric(path)


def scores(rubric: Rubric, **points: int | None) -> dict[str, tuple[float | None, ...]]:
    """Outcome -> value, prorated, lowest, highest of one session."""
    rating = Rating(
        session="s",
        set="k",
        rubric=rubric.name,
        rubric_version=rubric.version,
        rubric_digest=rubric_digest(rubric),
        rater="r",
        scores=tuple(
            ItemScore(item=item, score=score, reason=None if score is not None else "unclear")
            for item, score in points.items()
        ),
    )
    return {one.outcome: (one.value, one.prorated, one.lowest, one.highest) for one in scores_of("k", [rating], rubric)}


def test_a_reverse_keyed_item_counts_from_the_top_of_its_scale_everywhere(tmp_path: Path) -> None:
    found = scores(made(tmp_path), warm=5, cold=2, plan=4)
    assert found["cold"][0] == 4
    assert found["style"][0] == 9
    assert found["total"][0] == 5 + 4 + 2.5 * 4


def test_ends_of_totals_and_subscales_are_by_weight(tmp_path: Path) -> None:
    rubric = made(tmp_path)
    assert outcome_ends(rubric, "total") == (2.5, 27)
    assert outcome_ends(rubric, "style") == (0, 12)


def test_what_an_unscored_item_leaves_open_goes_by_key_and_weight(tmp_path: Path) -> None:
    """Plan unscored: of 12 points 9 are reached, so 1 + 0.75 x 5 = 4.75 for it; 9 + 2.5 x (4.75, 1, 6)."""
    found = scores(made(tmp_path), warm=5, cold=2, plan=None)
    assert found["total"] == (None, pytest.approx(9 + 2.5 * 4.75), 11.5, 24)


def test_a_mean_is_weighted(tmp_path: Path) -> None:
    text = RUBRIC.replace("{low: 2.5, high: 27}", "{method: mean, low: 0.5555555555555556, high: 6}")
    assert scores(made(tmp_path, text), warm=5, cold=2, plan=4)["total"][0] == pytest.approx(19 / 4.5)


def test_the_rater_is_told_that_a_higher_score_is_worse_and_the_reader_that_it_was_turned(tmp_path: Path) -> None:
    rubric = made(tmp_path)
    brief = rating_brief(rubric, rubric.items).rubric
    assert brief.count("A higher score is worse here") == 1
    assert [one.title for one in rubric_facts(rubric).items if one.kind == "item"] == [
        "Warm",
        "Cold (reverse-keyed)",
        "Plan",
    ]


def test_a_rubric_without_them_has_the_digest_and_brief_that_it_had(tmp_path: Path) -> None:
    plain = (
        RUBRIC.replace(", reverse: true", "")
        .replace(", weight: 2.5", "")
        .replace("low: 2.5, high: 27", "low: 1, high: 18")
    )
    rubric = made(tmp_path, plain)
    said = made(tmp_path, plain.replace("asks: Whether warm.,", "asks: Whether warm., reverse: false, weight: 1,"))
    assert (
        rubric_digest(rubric)
        == rubric_digest(said)
        == "823173df469b830150a34bf391d398e6775ae3d8b2ef00585ba3cc1c49c23cfb"
    )
    assert rubric_digest(made(tmp_path)) != rubric_digest(rubric)
    assert "worse" not in rating_brief(rubric, rubric.items).rubric


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("high: 27", "high: 18", "the weighted sum of the items is at most 27, not 18"),
        ("weight: 2.5", "weight: 0", "expected more than 0"),
        ("weight: 2.5", "weight: 2.5, in_total: false", "a weight does nothing"),
        ("high: 6, reverse: true", "type: count, reverse: true", "only an item with points and a highest score"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, old: str, new: str, what: str) -> None:
    with pytest.raises(SpecError, match=what):
        made(tmp_path, RUBRIC.replace(old, new, 1))
