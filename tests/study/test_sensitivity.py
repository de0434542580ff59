"""Assumptions as settings that another run can vary."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path

from cbtrun.plugins.report.write import write_all
from cbtrun.registry import load_registry
from cbtrun.study.load import load_study
from cbtrun.study.variations import variables, variation_command
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT
from tests.helpers.report_studies import made_up_study

MakeProject = Callable[[Mapping[str, str]], StudyProject]

PAPER = ROOT / "specs" / "paper.yaml"


def test_every_assumption_of_the_paper_is_a_setting_that_changes_nothing_as_it_stands() -> None:
    registry = load_registry()
    study = load_study(PAPER, registry=registry)
    found = variables(study.data)
    assert [one.path for one in found] == list(study.data["assumptions"])
    sets = [argument for one in found for argument in shlex.split(one.setting) if argument != "--set"]
    assert len(sets) == len(found)
    assert load_study(PAPER, sets, registry=registry).data == study.data


def test_values_are_quoted_for_the_shell() -> None:
    study = {"a.b": {"c": "it's {x}: 1"}, "assumptions": {"a.b.c": "why"}}
    (one,) = variables(study)
    option, setting = shlex.split(one.setting)
    assert (option, setting) == ("--set", "a.b.c='it''s {x}: 1'")


def test_what_the_study_has_no_path_to_has_no_setting() -> None:
    assert variables({"assumptions": {"sessions.max_turns": "why"}})[0].setting == ""
    assert variables({}) == []


def test_a_variation_runs_into_a_study_of_its_own() -> None:
    assert variation_command({"study": "paper"}, "my study.yaml") == (
        "cbtrun 'my study.yaml' --set study=paper-varied --set PATH=VALUE"
    )


def test_the_report_lists_what_can_be_varied_with_its_present_value(tmp_path: Path) -> None:
    write_all(made_up_study(4, figures=()), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = unescape(page[page.index('id="assumptions"') :].split("</section>")[0])
    assert re.findall(r'class="setting">([^<]*)<', section) == [
        "cbtrun STUDY.yaml --set study=paper-varied --set PATH=VALUE",
        "--set sessions.max_turns=24",
    ]
    assert "The paper gives no limit" in section


def test_the_plan_ends_with_what_can_be_varied(study_project: MakeProject) -> None:
    text = f"extends: {ROOT}/specs/quickstart.yaml\nstudy: varied\nassumptions: {{sessions.max_turns: chosen}}\n"
    project = study_project({"study.yaml": text})
    study = load_study(project.folder / "study.yaml", registry=load_registry())
    told = [line for line in project.run("plan", "study.yaml").out.splitlines() if "warning" not in line]
    assert told[-2:] == [
        "  sensitivity: to vary an assumption, cbtrun study.yaml --set study=varied-varied --set PATH=VALUE",
        f"    --set sessions.max_turns={study.data['sessions']['max_turns']}",
    ]
