"""Personas drawn from attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from cbtrun.contract.records import Persona
from cbtrun.errors import SpecError, StageError
from cbtrun.plugins.personas import sampled
from cbtrun.plugins.personas.attributes import Attributes, attributes_path, read_attributes
from cbtrun.plugins.personas.sampled import balance, draw_personas
from cbtrun.plugins.personas.thought_kinds import thought_kind
from cbtrun.study.persona_sets import content_digest, shared_personas


@pytest.fixture(scope="module")
def attributes() -> Attributes:
    path = attributes_path("depression", Path())
    assert path is not None
    return read_attributes(path)


@pytest.fixture(scope="module")
def people(attributes: Attributes) -> list[Persona]:
    return draw_personas(attributes, 400, 2412, "eval")


def made(options: Mapping[str, Any], name: str = "eval", taken: Sequence[Persona] = ()) -> list[Persona]:
    context: Any = SimpleNamespace(options=options, seed=2412, name=name, personas=lambda _: list(taken))
    return sampled.make_personas(context)


def test_a_higher_count_keeps_the_earlier_personas(attributes: Attributes) -> None:
    assert draw_personas(attributes, 30, 7, "eval")[:20] == draw_personas(attributes, 20, 7, "eval")


def test_another_seed_or_another_set_gives_other_people(attributes: Attributes) -> None:
    eval_set = draw_personas(attributes, 20, 7, "eval")
    assert not shared_personas(eval_set, draw_personas(attributes, 20, 8, "eval"))
    assert not shared_personas(eval_set, draw_personas(attributes, 20, 7, "train"))


def test_shared_personas_are_found_whatever_their_ids(people: list[Persona]) -> None:
    twin = people[3].model_copy(update={"id": "train-099"})
    assert shared_personas(people, [people[0].model_copy(update={"age": 99}), twin]) == ["eval-004 = train-099"]


def test_a_taken_persona_is_not_drawn_again(attributes: Attributes) -> None:
    first = draw_personas(attributes, 5, 7, "eval")
    again = draw_personas(attributes, 5, 7, "eval", taken=first[2:3])
    assert again[:2] == first[:2]
    assert not shared_personas(again, first[2:3])


def test_a_set_can_be_kept_disjoint_from_another(people: list[Persona]) -> None:
    options = {"attributes": "depression", "count": 3, "disjoint_from": ["train"]}
    first = made(options)
    assert not shared_personas(made(options, taken=first), first)


def test_a_seed_of_its_own_replaces_the_studys(attributes: Attributes) -> None:
    drawn = made({"attributes": "depression", "count": 2, "seed": 5})
    assert drawn == draw_personas(attributes, 2, 5, "eval")


@pytest.mark.slow
def test_ten_thousand_personas_are_all_different(attributes: Attributes) -> None:
    drawn = draw_personas(attributes, 10_000, 1, "many")
    assert len({content_digest(persona) for persona in drawn}) == 10_000


def test_people_fit_their_theme_age_and_home(attributes: Attributes, people: list[Persona]) -> None:
    ages = {job.value: job.ages for theme in attributes.stories.values() for job in theme.occupations}
    for persona in people:
        low, high = ages[persona.occupation]
        assert low <= persona.age <= high
        if "student halls" in persona.living_situation:
            assert persona.age <= 24
        if persona.living_situation.startswith("on my own"):
            told = " ".join(one.event for one in persona.situations)
            assert not any(f"my {word}" in told for word in ("husband", "wife", "partner"))


def test_no_template_is_left_unfilled(people: list[Persona]) -> None:
    for persona in people:
        text = persona.model_dump_json(exclude={"id"})[1:-1]
        assert not set("()|") & set(text), text
        for field in (persona.history, persona.presenting_problem, *persona.goals, *persona.strengths):
            assert "{" not in field


def test_one_persona_does_not_both_oversleep_and_lie_awake(people: list[Persona]) -> None:
    sleep = ("I wake at four", "I sleep ten hours", "it takes me two hours")
    assert all(sum(one.startswith(sleep) for one in persona.symptoms) <= 1 for persona in people)


def test_phq9_decides_the_number_of_symptoms(people: list[Persona]) -> None:
    wanted = {"1 mild": 3, "2 moderate": 4, "3 moderately severe": 5, "4 severe": 6}
    assert all(len(one.symptoms) == wanted[sampled.severity_band(one.phq9)] for one in people)


def test_nobody_carries_a_risk_that_the_attributes_do_not_ask_for(people: list[Persona]) -> None:
    assert {persona.risk for persona in people} == {"none"}


def test_the_shipped_attributes_have_many_themes_and_situations(attributes: Attributes) -> None:
    assert len(attributes.stories) >= 12
    assert all(len(theme.situations) >= 6 for theme in attributes.stories.values())


def test_balance_counts_every_persona_once_for_each_attribute(people: list[Persona]) -> None:
    table = balance(people)
    assert {sum(levels.values()) for levels in table.values()} == {len(people)}
    assert table["engagement_style"]["open"] == sum(one.engagement_style == "open" for one in people)


def test_weights_show_in_the_balance(people: list[Persona]) -> None:
    counts = balance(people)["gender"]
    assert counts["non-binary person"] < counts["man"] / 3


def own_attributes(folder: Path, **changes: Any) -> Path:
    shipped = attributes_path("depression", Path())
    assert shipped is not None
    content = yaml.safe_load(shipped.read_text(encoding="utf-8")) | changes
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_an_own_file_can_ask_for_risk(tmp_path: Path) -> None:
    path = own_attributes(tmp_path, risk={"active-ideation": 1})
    assert {one.risk for one in made({"attributes": str(path), "count": 5})} == {"active-ideation"}


def test_an_unknown_key_of_an_attributes_file_is_reported_with_its_place(tmp_path: Path) -> None:
    path = own_attributes(tmp_path, genders={"woman": 1})
    with pytest.raises(SpecError, match=r"mine\.yaml:\d+.*genders"):
        read_attributes(path)


def test_a_bracket_without_its_partner_is_reported(tmp_path: Path) -> None:
    path = own_attributes(tmp_path, goals=["see (Anna|Ben once a week"])
    with pytest.raises(SpecError, match="unbalanced"):
        read_attributes(path)


def test_an_unknown_theme_is_reported_with_the_known_ones(tmp_path: Path) -> None:
    path = own_attributes(tmp_path, themes={"wrk": 1})
    with pytest.raises(SpecError, match=r"no theme 'wrk'.*work"):
        read_attributes(path)


def test_attributes_that_allow_too_few_people_are_reported(attributes: Attributes, monkeypatch: Any) -> None:
    only = draw_personas(attributes, 1, 1, "eval")[0]
    monkeypatch.setattr(sampled, "draw_persona", lambda *_: only)
    with pytest.raises(StageError, match="no persona number 2"):
        draw_personas(attributes, 2, 1, "eval")


@pytest.mark.parametrize(
    ("thought", "kind"),
    [
        ("They all think I'm a fool", "mind reading"),
        ("I will never catch up", "fortune telling"),
        ("It's my fault that she is unhappy", "personalisation"),
        ("I ruin everything I touch", "all-or-nothing thinking"),
        ("I mustn't waste it", "should statements"),
        ("I'm a cruel person", "labelling"),
        ("The day hurts", "emotional reasoning"),
    ],
)
def test_a_thoughts_words_show_its_kind(thought: str, kind: str) -> None:
    assert thought_kind(thought) == kind
