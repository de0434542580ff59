"""Prompt templates of a study: plain values, what is on the list, and an end."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml

from cbtrun.plugins.dialogue.prompts import Place, patient_variables, reminder_text, therapist_variables
from cbtrun.plugins.dialogue.template_checks import sample_persona
from cbtrun.templates.limits import check_plain
from cbtrun.templates.prompts import TemplateFault, compiled, filled, static_faults, template_faults
from tests.helpers.hostile_templates import HOSTILE, REACHING

SAMPLE = sample_persona()
VARIABLES = patient_variables(SAMPLE, 24, Place(2, 3, "We spoke of sleep."))

LEGAL = {
    "You are {{ persona.name }}, {{ persona.age + 1 }}.": "You are Sam, 41.",
    "{% for s in persona.symptoms %}{{ loop.index }}. {{ s }}{% if not loop.last %}, {% endif %}{% endfor %}": "1. I wake at four",
    "{{ persona.situations[0].event }} {{ persona.situations[0]['thought']|upper }}": "a call I WILL FAIL",
    "{{ persona.goals|join(', ') }} {{ persona.nickname|default('none') }}": "to sleep none",
    "{{ persona.strengths|tojson }} {{ persona.goals }}": "[\"patience\"] ['to sleep']",
    "{% set turns = max_turns // 2 %}{{ turns }} of {{ max_turns }}": "12 of 24",
    "{{ 'later' if session_number > 1 else 'first' }}: {{ before|length }}": "later: 18",
    "{% if persona.phq9 is divisibleby 7 and persona.risk != 'none' %}a{% elif 'wake' in persona.symptoms[0] %}b{% endif %}": "b",
    "{{ persona.name|lower|replace('s', 'p')|trim|capitalize ~ '!' }}": "Pam!",
    "{% for a in range(3) %}{{ loop.cycle('x', 'y') }}{% endfor %}": "xyx",
    "{% set ns = namespace(n=0) %}{% for g in persona.goals %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}": "1",
    "{{ persona.items|default('no method') }}": "no method",
    "{{ (persona.phq9 / 27 * 100)|round|int }} %": "52 %",
    "{% for k, v in persona.situations[0]|dictsort %}{{ k }}={{ v }};{% endfor %}": "behaviour=I hid;event=a call;feeling=fear;thought=I will fail;",
    "{% filter upper %}{{ persona.name }}{% endfilter %}{% with x = 1 %}{{ x }}{% endwith %}{# note #}": "SAM1",
    "{{ persona.symptoms|map('title')|first }} {{ persona.situations|map(attribute='event')|list }}": "I Wake At Four ['a call']",
    "{{ '%s of %d' % (session_number, sessions) }} {{ '-' * 3 }}": "2 of 3 ---",
    "No braces, {and} one.": "No braces, {and} one.",
}


@pytest.mark.parametrize("template", HOSTILE, ids=lambda text: text[:40])
def test_a_hostile_template_is_refused_with_words(template: str) -> None:
    faults = template_faults(template, {"": VARIABLES})
    assert faults
    assert all("Traceback" not in fault and "\n" not in fault and len(fault) < 600 for fault in faults)


@pytest.mark.parametrize("template", HOSTILE, ids=lambda text: text[:40])
def test_a_hostile_template_that_was_never_checked_fails_its_session_alone(template: str) -> None:
    with pytest.raises(TemplateFault):
        filled(template, VARIABLES)


@pytest.mark.parametrize(("template", "text"), LEGAL.items(), ids=lambda text: text[:30])
def test_a_legal_template_is_filled_in(template: str, text: str) -> None:
    assert not template_faults(template, {"": VARIABLES})
    assert filled(template, VARIABLES) == text


def test_nothing_that_can_be_called_is_reachable_from_what_a_template_sees() -> None:
    check_plain(VARIABLES)
    check_plain(therapist_variables(24, Place()))
    with pytest.raises(TypeError, match="may not see a FullPersona"):
        filled("{{ persona }}", {"persona": SAMPLE})
    environment: Any = compiled("{{ persona }}").environment
    for value in (SAMPLE, "text", [1], {"a": 1}, 1, compiled):
        for name in dir(value):
            assert type(environment.getattr(value, name)).__name__ == "StrictUndefined"
            assert type(environment.getitem(value, name)).__name__ == "StrictUndefined"


def test_a_refusal_names_the_line_and_what_there_is() -> None:
    fault = template_faults("One.\n{{ persona.name|attr('x') }}", {"": VARIABLES})[0]
    assert fault.startswith("line 2 of the template: unknown filter 'attr'; there are: abs, batch, capitalize")
    assert template_faults("{{ persona.nmae }}", {"": VARIABLES})[0].startswith(
        "line 1 of the template: there is no 'nmae' here; there are: id, name, age"
    )


def test_all_that_is_wrong_by_itself_is_told_at_once() -> None:
    faults = static_faults("{{ a.b() }}\n{% include 'x' %}\n{{ 1|attr }}", frozenset())
    assert [fault.split(" of")[0] for fault in faults] == ["line 1", "line 2", "line 3"]


STUDY: dict[str, Any] = {
    "cbtrun": 1, "study": "templates", "seed": 1, "contains": "none",
    "models": {"patient": {"using": "scripted-patient"}, "therapist": {"using": "careful-control"}},
    "personas": {"eval": {"using": "sampled", "attributes": "depression", "count": 1}},
    "arms": {"one": {"therapist": "therapist"}},
    "sessions": {"using": "dialogue", "patient": "patient", "personas": "eval", "max_turns": 2},
}  # fmt: skip


def test_validate_places_every_hostile_template_of_a_study(study_project: Any) -> None:
    arms = {f"arm{number}": {"therapist": "therapist", "reminder": text} for number, text in enumerate(REACHING)}
    sessions = {**STUDY["sessions"], "reminder": "{{ 1 / 0 }}", "patient_system": "{{ 'a' * 10 ** 10 }}"}
    project = study_project({"study.yaml": yaml.safe_dump({**STUDY, "arms": arms, "sessions": sessions}, width=9999)})
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == 2
    for number in range(len(REACHING)):
        assert f": arms/arm{number}/reminder: " in outcome.err
    assert ": sessions/reminder: line 1 of the template: it divides by zero" in outcome.err
    assert ": sessions/patient_system: line 1 of the template: a value in it is too large" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_persona_file_is_tried_row_by_row(study_project: Any) -> None:
    personas = [SAMPLE.model_dump(mode="json"), {**SAMPLE.model_dump(mode="json"), "id": "bare", "goals": []}]
    study = {**STUDY, "personas": {"eval": {"using": "files", "path": "people.yaml"}}}
    study["sessions"] = {**STUDY["sessions"], "reminder": "You want {{ persona.goals[0] }}."}
    project = study_project({"study.yaml": yaml.safe_dump(study), "people.yaml": yaml.safe_dump(personas)})
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == 2
    assert "sessions/reminder: with 'bare' as the patient: line 1 of the template: a list has no '0'" in outcome.err


def test_a_template_that_fails_for_one_persona_fails_that_session(study_project: Any) -> None:
    study = {**STUDY, "personas": {"eval": {**STUDY["personas"]["eval"], "count": 3}}}
    study["sessions"] = {
        **STUDY["sessions"],
        "reminder": "{% if persona.name != 'Sam' %}{{ persona.situations[99].event }}{% endif %}",
    }
    project = study_project({"study.yaml": yaml.safe_dump(study)})
    outcome = project.run("study.yaml")
    assert outcome.code == 3
    assert "a list has no '99'" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


def test_a_patients_template_gives_what_it_gave() -> None:
    text = reminder_text("{{ persona.name }} {{ persona_json|length > 100 }}", SAMPLE, 24, Place())
    assert text == "Sam True"


def test_a_study_without_templates_of_its_own_is_checked_without_jinja() -> None:
    code = (
        "import sys; from cbtrun.cli.main import main; sys.argv = ['cbtrun', 'validate', 'specs/quickstart.yaml']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\nassert 'jinja2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
