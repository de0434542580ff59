"""Rubrics as data: what a file must hold, and how its mistakes are told."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import SpecError
from cbtrun.ratings.rubric import Rubric, rubric_digest, rubric_schema
from cbtrun.ratings.rubric_file import find_rubric, read_rubric

CTRS = Path(str(files("cbtrun.rubrics").joinpath("ctrs.yaml")))

GREETING = """\
name: greeting
title: Greeting
version: "1"
source: these tests
licence: Apache-2.0
validation: not validated
items:
  - id: warm
    name: Warm
    asks: how warm
    high: 6
    anchors: {0: cold, 6: warm}
    signals: [{signal: hello, points: [[0, 0], [1, 6]]}]
  - {id: named, name: Named, asks: whether a name is used, type: yes_no}
total: {low: 0, high: 7, threshold: 4}
signals:
  hello: {kind: phrases, means: greetings, any: [hello]}
"""


def problems_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "greeting.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        read_rubric(file)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in raised.value.problems]


def read(tmp_path: Path, text: str) -> Rubric:
    file = tmp_path / "greeting.yaml"
    file.write_text(text, encoding="utf-8")
    return read_rubric(file)


def test_the_ctrs_has_eleven_items_of_0_to_6_and_a_threshold_of_40() -> None:
    ctrs = read_rubric(CTRS)
    assert [item.bounds for item in ctrs.items] == [(0, 6)] * 11
    assert ctrs.total is not None
    assert (ctrs.total.low, ctrs.total.high, ctrs.total.threshold) == (0, 66, 40)


def test_every_ctrs_item_has_anchors_at_0_2_4_6_and_signals() -> None:
    for item in read_rubric(CTRS).items:
        assert list(item.anchors) == [0, 2, 4, 6]
        assert item.signals


def test_the_ctrs_says_that_it_is_not_validated() -> None:
    assert read_rubric(CTRS).validation == "not validated for CBT against clinicians"


def test_the_ctrs_has_six_general_and_five_conceptual_items() -> None:
    items = read_rubric(CTRS).items
    assert [item.subscale for item in items] == ["general"] * 6 + ["conceptual"] * 5


def test_the_committed_schema_is_the_one_the_record_gives() -> None:
    committed = json.loads(files("cbtrun.schemas").joinpath("rubric.schema.json").read_text(encoding="utf-8"))
    del committed["$id"]  # where editors find it
    assert committed == rubric_schema(), (
        "write it anew: python -c 'import json; from cbtrun.ratings.rubric import rubric_schema; "
        "print(json.dumps(rubric_schema(), indent=2))' > schemas/rubric.schema.json"
    )


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every part of a schema that has properties."""
    if isinstance(schema, list):
        return [found for part in schema for found in objects(part)]
    if not isinstance(schema, dict):
        return []
    here = [schema] if "properties" in schema and schema.get("type") == "object" else []
    return here + [found for part in schema.values() for found in objects(part)]


def test_every_key_of_the_schema_is_described() -> None:
    for part in objects(rubric_schema()):
        for key, of in part["properties"].items():
            assert of.get("description"), key


def test_every_record_of_the_schema_refuses_unknown_keys() -> None:
    records = [rubric_schema(), *rubric_schema()["$defs"].values()]
    assert [part["title"] for part in records if part.get("additionalProperties") is not False] == []


def test_two_items_of_one_name_are_reported_with_their_line(tmp_path: Path) -> None:
    assert problems_of(tmp_path, GREETING.replace("id: named", "id: warm")) == [
        "greeting.yaml:14:10: items/1/id: two items are named 'warm'"
    ]


def test_an_anchor_outside_the_scale_is_reported(tmp_path: Path) -> None:
    assert problems_of(tmp_path, GREETING.replace("6: warm", "7: warm")) == [
        "greeting.yaml:12:5: items/0/anchors: anchor 7 is outside the scale 0 to 6"
    ]


def test_an_unknown_signal_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    assert problems_of(tmp_path, GREETING.replace("signal: hello", "signal: hallo")) == [
        "greeting.yaml:13:24: items/0/signals/0/signal: no signal 'hallo' (did you mean 'hello'?); known: hello"
    ]


def test_a_total_that_does_not_match_the_items_is_reported(tmp_path: Path) -> None:
    assert problems_of(tmp_path, GREETING.replace("high: 7", "high: 66")) == [
        "greeting.yaml:15:23: total/high: the sum of the items is at most 7, not 66"
    ]


def test_a_threshold_outside_the_total_is_reported(tmp_path: Path) -> None:
    assert problems_of(tmp_path, GREETING.replace("threshold: 4", "threshold: 40")) == [
        "greeting.yaml:15:37: total/threshold: threshold 40 is outside 0 to 7"
    ]


def test_an_unknown_key_of_a_signal_is_explained_by_its_kind_alone(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, GREETING.replace("means: greetings,", "means: greetings, windw: [0, 1],"))
    assert problem.startswith("greeting.yaml:17:44: signals/hello: unknown key 'windw' (did you mean 'window'?)")
    assert "shared_words" not in problem


def test_a_bad_regular_expression_is_reported_with_its_line(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, GREETING.replace("any: [hello]", "any: ['(hello']"))
    assert problem.startswith("greeting.yaml:17:50: signals/hello/any/0: '(hello' is not a regular expression")


def test_an_empty_window_is_reported(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, GREETING.replace("any: [hello]", "any: [hello], window: [0.5, 0.5]"))
    assert "window [0.5, 0.5] is empty" in problem


def test_a_signal_may_not_be_counted_from_one_below_it(tmp_path: Path) -> None:
    text = GREETING.replace("signals:\n", "signals:\n  share: {kind: ratio, means: x, of: hello, to: hello}\n")
    assert [problem.split(": ", 2)[2] for problem in problems_of(tmp_path, text)] == [
        "signal 'hello' must stand above 'share', which is counted from it"
    ] * 2


def test_points_whose_values_do_not_rise_are_reported(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, GREETING.replace("[1, 6]]", "[0, 6]]"))
    assert problem.endswith("items/0/signals/0/points: the measured values must rise; got 0, 0")


def test_an_item_may_not_be_named_total(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, GREETING.replace("id: named", "id: total"))
    assert "call the item something else" in problem


def test_the_digest_is_the_same_for_another_layout_of_the_file(tmp_path: Path) -> None:
    spread = GREETING.replace(
        "total: {low: 0, high: 7, threshold: 4}", "# the sum\ntotal:\n  threshold: 4\n  high: 7\n  low: 0"
    )
    assert rubric_digest(read(tmp_path, spread)) == rubric_digest(read(tmp_path, GREETING))


@pytest.mark.parametrize(
    "change", [("how warm", "how cold"), ("[[0, 0], [1, 6]]", "[[0, 0], [2, 6]]"), ("[hello]", "[hi]")]
)
def test_the_digest_changes_with_the_content(tmp_path: Path, change: tuple[str, str]) -> None:
    assert rubric_digest(read(tmp_path, GREETING.replace(*change))) != rubric_digest(read(tmp_path, GREETING))


def test_a_category_item_is_bounded_by_its_answers(tmp_path: Path) -> None:
    category = "type: category, categories: [{name: none, means: x, points: 0}, {name: full, means: y, points: 3}]"
    rubric = read(tmp_path, GREETING.replace("type: yes_no", category).replace("high: 7", "high: 9"))
    assert rubric.item("named").bounds == (0, 3)


def test_a_text_item_is_no_part_of_the_total(tmp_path: Path) -> None:
    rubric = read(tmp_path, GREETING.replace("type: yes_no", "type: text").replace("high: 7", "high: 6"))
    assert not rubric.item("named").counts


def test_a_count_item_leaves_the_total_without_an_upper_bound(tmp_path: Path) -> None:
    counted = GREETING.replace("type: yes_no", "type: count")
    (problem,) = problems_of(tmp_path, counted)
    assert problem.endswith("total/high: the sum of the items is at most any number, not 7")
    total = read(tmp_path, counted.replace("high: 7,", "high: null,")).total
    assert total is not None
    assert total.high is None


def test_a_mean_total_has_the_bounds_of_the_mean_item(tmp_path: Path) -> None:
    (problem,) = problems_of(
        tmp_path, GREETING.replace("{low: 0, high: 7, threshold: 4", "{method: mean, low: 0, high: 7, threshold: 3")
    )
    assert problem.endswith("total/high: the mean of the items is at most 3.5, not 7")


def test_a_rubric_is_found_by_name_in_the_first_folder_that_has_it(tmp_path: Path) -> None:
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for folder in (own, shipped):
        folder.mkdir()
        (folder / "greeting.yaml").write_text(GREETING, encoding="utf-8")
    assert find_rubric("greeting", [own, shipped]) == own / "greeting.yaml"


def test_a_rubric_is_found_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "greeting.yaml").write_text(GREETING, encoding="utf-8")
    assert find_rubric("mine/greeting.yaml", [tmp_path]) == tmp_path / "mine" / "greeting.yaml"


def test_an_unknown_rubric_is_reported_with_the_known_ones() -> None:
    with pytest.raises(FileNotFoundError, match=r"no rubric 'ctsr'; known: .*ctrs"):
        find_rubric("ctsr", [CTRS.parent])


def test_a_rubric_survives_the_way_through_json() -> None:
    ctrs = read_rubric(CTRS)
    again = Rubric.model_validate(json.loads(ctrs.model_dump_json()))
    assert rubric_digest(again) == rubric_digest(ctrs)
