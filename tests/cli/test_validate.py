"""`cbtrun validate` of everything that people write, and how it shows what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS
from tests.helpers.places import RUBRICS, SPECS

Make = Callable[[Mapping[str, str]], StudyProject]
FILES = {
    "rubric.yaml": RUBRICS / "ctrs.yaml",
    "attributes.yaml": SPECS / "personas/depression.yaml",
    "themes/work.yaml": SPECS / "personas/themes/work.yaml",
    "course.yaml": SPECS / "courses/depression-20.yaml",
    "practice.yaml": SPECS / "practices/motivational.yaml",
}


def test_each_kind_of_file_is_known_by_what_is_in_it(study_project: Make) -> None:
    project = study_project({name: path.read_text(encoding="utf-8") for name, path in FILES.items()})
    project.run("new", "personas", "people")
    checked = project.run("validate", *FILES, "people.yaml")
    assert checked.code == 0, checked.err
    for kind in ("rubric 'ctrs'", "persona attributes", "theme", "course", "practice", "personas"):
        assert f"no problems found in {kind}" in checked.out
    assert "6 files; not asked:" in checked.out.splitlines()[-1]


def test_a_folder_is_checked_with_all_that_lies_in_it_but_runs_and_other_yaml(study_project: Make) -> None:
    files = {
        "a/study.yaml": STUDY,
        "a/t.csv": TRANSCRIPTS,
        "b/own.yaml": FILES["rubric.yaml"].read_text(encoding="utf-8"),
    }
    others = {
        "docker.yaml": "services: {}\n",
        "runs/s/study.lock.yaml": "study: s\n",
        ".hidden/study.yaml": "study: [\n",
    }
    checked = study_project({**files, **others}).run("validate", ".")
    assert checked.code == 0, checked.err
    assert "2 files; not asked: keys, servers" in checked.out


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("rubric.yaml", "\nitems:", "\nitmes:", "unknown key 'itmes' (did you mean 'items'?)"),
        ("attributes.yaml", "\nseverity:", "\nsevrity:", "unknown key 'sevrity' (did you mean 'severity'?)"),
        ("themes/work.yaml", "\nages: [", "\nages: x # [", "ages: expected a list, got the word 'x'"),
        ("course.yaml", "{phase: assessment", "{phse: assessment", "unknown key 'phse' (did you mean 'phase'?)"),
        ("practice.yaml", "\nopening:", "\nopenng:", "unknown key 'openng' (did you mean 'opening'?)"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(
    study_project: Make, name: str, old: str, new: str, said: str
) -> None:
    text = FILES[name].read_text(encoding="utf-8").replace(old, new, 1)
    checked = study_project({name: text}).run("validate", name)
    assert checked.code == 2
    assert said in checked.err
    assert checked.err.startswith(f"{name}:")


def test_a_file_of_no_kind_is_refused_with_all_kinds(study_project: Make) -> None:
    checked = study_project({"odd.yaml": "a: 1\n"}).run("validate", "odd.yaml")
    assert checked.code == 2
    assert "is none of: study, rubric, personas" in checked.err


def test_problems_of_several_files_are_told_together(study_project: Make) -> None:
    wrong = STUDY.replace("rubric: ctrs", "rubric: ctrss")
    checked = study_project({"a.yaml": wrong, "b.yaml": wrong, "c.yaml": STUDY, "t.csv": TRANSCRIPTS}).run(
        "validate", "a.yaml", "b.yaml", "c.yaml"
    )
    assert "a.yaml:" in checked.err
    assert "b.yaml:" in checked.err
    assert "2 problems" in checked.err
    assert "c.yaml: no problems" in checked.out


def test_the_last_line_says_what_was_not_asked(study_project: Make) -> None:
    checked = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS}).run("validate", "study.yaml")
    assert checked.out.splitlines()[-1].endswith("cbtrun doctor study.yaml")
    assert "keys, servers" in checked.out.splitlines()[-1]


def test_a_problem_shows_its_line_and_a_caret_under_the_word(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY.replace("rubric: ctrs", "rubrik: ctrs"), "t.csv": TRANSCRIPTS})
    lines = project.run("validate", "study.yaml").err.splitlines()
    at = next(number for number, line in enumerate(lines) if "unknown key 'rubrik'" in line)
    line, caret = lines[at + 1], lines[at + 2]
    assert line.startswith("   12 | ratings:")
    assert line[caret.index("^") : caret.rindex("^") + 1] == "rubrik"


@pytest.mark.parametrize("before", ["x" * 300, "漢字" * 20, "é" * 3])
def test_the_caret_stands_under_the_word_in_long_and_wide_lines(study_project: Make, before: str) -> None:
    from cbtrun.cli.excerpts import _columns

    project = study_project({"study.yaml": f'{{title: "{before}", cbtrun: 1, sed: 4}}\n'})
    lines = project.run("validate", "study.yaml").err.splitlines()
    at = next(number for number, line in enumerate(lines) if "unknown key 'sed'" in line)
    line, caret = lines[at + 1], lines[at + 2]
    assert _columns(line[: line.index("sed")]) == caret.index("^")
    assert caret.count("^") == 3
    assert len(line) < 120


def test_no_word_of_a_person_is_shown(study_project: Make) -> None:
    person = '- {id: a, text: "My secret is here.", phq9: 99}\n- id: b\n  text: [My other secret]\n'
    checked = study_project({"people.yaml": person}).run("validate", "people.yaml")
    assert checked.code == 2
    assert "secret" not in checked.err
    assert "| " in checked.err


def test_a_rubric_that_lies_beside_is_named_by_its_path(study_project: Make) -> None:
    files = {"study.yaml": STUDY.replace("rubric: ctrs", "rubric: empathy"), "t.csv": TRANSCRIPTS}
    project = study_project({**files, "empathy.yaml": Path(RUBRICS / "ctrs.yaml").read_text(encoding="utf-8")})
    assert "there is ./empathy.yaml" in project.run("validate", "study.yaml").err


def test_attributes_that_lie_beside_are_named_by_their_path(study_project: Make) -> None:
    project = study_project({"mine.yaml": FILES["attributes.yaml"].read_text(encoding="utf-8")})
    project.run("new", "study", "s", "--like", "sessions")
    project.write("s.yaml", project.read("s.yaml").replace("attributes: depression", "attributes: mine"))
    assert "there is ./mine.yaml" in project.run("validate", "s.yaml").err


def test_for_programs_each_file_has_its_kind_and_a_study_its_stages(study_project: Make) -> None:
    rubric = FILES["rubric.yaml"].read_text(encoding="utf-8")
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS, "own.yaml": rubric})
    alone, both = (json.loads(project.run("validate", *given, "--json").out) for given in (["study.yaml"], ["."]))
    stages = ["sessions", "ratings.ctrs", "analysis.main"]
    of_study = {"file": "study.yaml", "kind": "study", "study": "s", "stages": stages}
    assert {name: alone[name] for name in ("command", "exit_code", "study", "stages", "files", "problems")} == {
        "command": "validate", "exit_code": 0, "study": "s", "stages": stages, "files": [of_study], "problems": [],
    }  # fmt: skip
    assert both["files"] == [{"file": "own.yaml", "kind": "rubric"}, of_study]
    assert "study" not in both


def test_for_programs_every_problem_has_its_place(study_project: Make) -> None:
    project = study_project(
        {
            "study.yaml": STUDY.replace("rubric: ctrs", "rubric: ctr").replace("lexical-rater", "lexcal-rater"),
            "t.csv": TRANSCRIPTS,
        }
    )
    checked = project.run("validate", "study.yaml", "--json")
    answer = json.loads(checked.out)
    assert (checked.code, answer["exit_code"], answer["state"]) == (2, 2, "error")
    told = [f"{one['file']}:{one['line']}:{one['column']}: {one['path']}: {one['what']}" for one in answer["problems"]]
    lines = [line for line in checked.err.splitlines() if line.startswith("study.yaml:")]
    assert [line.replace(": : ", ": ") for line in told] == lines
    assert len(lines) == 2
