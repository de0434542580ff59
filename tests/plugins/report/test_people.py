"""Who sat there: persona cards, prompts, and the pairs that a comparison rests on."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from cbtrun.plugins.report.behind import pair_link
from cbtrun.plugins.report.figure_style import page_svg
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.people import arm_prompts, headline_pairs, people_facts, persona_card
from cbtrun.plugins.report.plates import pairs_plates
from cbtrun.plugins.report.transcripts import pack_sessions
from tests.helpers.report_studies import made_up_study


@pytest.fixture(scope="module")
def given() -> ReportInput:
    """Three arms of 6 sessions under a prompt, one arm with its own."""
    study = made_up_study(6)
    spec: dict[str, Any] = {**study.study}
    spec["sessions"] = {**spec["sessions"], "system": "Listen.", "patient_system": "You are {{ persona_json }}"}
    spec["arms"] = {**spec["arms"], "cbt": {**spec["arms"]["cbt"], "system": "Do CBT."}}
    return replace(study, study=spec)


def test_every_arm_has_its_own_prompt_or_that_of_the_sessions(given: ReportInput) -> None:
    told = {arm: prompts["What the therapist was told"] for arm, prompts in arm_prompts(given).items()}
    assert told == {"untuned": "Listen.", "cbt": "Do CBT.", "supportive": "Listen."}
    assert arm_prompts(made_up_study(2)) == {}


def test_a_persona_card_has_all_that_is_known_and_nothing_else(given: ReportInput) -> None:
    persona = given.personas["p001"].model_copy(update={"occupation": "", "labels": {"clinic": "north"}})
    card = dict(persona_card(persona))
    assert card["Core beliefs"] == "I am a failure"
    assert card["clinic"] == "north"
    assert "Occupation" not in card


def test_people_stand_in_the_last_chunk_and_no_card_where_words_are_hidden(given: ReportInput) -> None:
    pack = pack_sessions(given)
    assert pack.people == len(pack.chunks) - 1
    facts = json.loads(gzip.decompress(base64.b64decode(pack.chunks[pack.people])))
    assert set(facts["personas"]) == {f"p{at:03}" for at in range(1, 7)}
    assert people_facts(replace(given, show_transcripts=False))["personas"] == {}


def test_every_pair_of_the_figure_opens_both_sessions(given: ReportInput) -> None:
    pairs = headline_pairs(given)
    assert len(pairs) == given.results.comparisons[0].n
    svg = page_svg(next(iter(pairs_plates(given))), 760)
    linked = set(re.findall(r'href="(#pair=[^"]*)"', svg))
    assert linked == {pair_link(*one) for one in pairs}
    assert 'aria-label="cbt-p001-1 and untuned-p001-1"' in svg
    assert 'role="img"' not in svg
