"""`cbtrun import` as people call it: it tells, writes what runs, and harms neither a terminal nor a file that is there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from cbtrun.testing.projects import StudyProject
from tests.helpers.intake_files import turns
from tests.helpers.places import ROOT

Make = Callable[[Mapping[str, str]], StudyProject]
PAGE = (ROOT / "docs/bring-what-you-have.md").read_text(encoding="utf-8")
NO_PAGE = ("--set", "report={using: html, page: false, tables: [csv], figures: []}")


def walk() -> list[tuple[str, str]]:
    """(command, what it prints) of the first walk on the page."""
    block = PAGE.split("### A first walk", 1)[1].split("```console\n", 1)[1].split("```", 1)[0]
    parts = re.split(r"^\$ cbtrun (.+)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def walked(project: StudyProject, *more: str) -> None:
    """Go as the page says; `more` goes to the last command, of which the report's place is not looked at then."""
    shutil.copytree(ROOT / "tests/fixtures/first_walk", project.folder, dirs_exist_ok=True)
    commands = walk()
    assert len(commands) == 3
    for number, (command, printed) in enumerate(commands):
        done = project.run(*command.split(), *(more if number == 2 else ()))
        assert done.code == 0, done.err
        if number < 2 or not more:
            assert done.out == printed
        else:
            assert done.out.splitlines()[:2] == printed.splitlines()[:2]


def test_the_first_walk_goes_as_the_page_says(study_project: Make) -> None:
    walked(study_project({}), *NO_PAGE)


@pytest.mark.slow
def test_the_first_walk_ends_with_a_report(study_project: Make, tmp_path: Path) -> None:
    walked(study_project({}))
    assert (tmp_path / "runs/study/report.html").stat().st_size > 10_000


def test_without_a_file_the_yaml_alone_goes_to_standard_output(study_project: Make) -> None:
    project = study_project({"t.csv": turns()})
    done = project.run("import", "t.csv", "--block")
    assert yaml.safe_load(done.out) == {
        "sessions": {
            "using": "import",
            "path": "t.csv",
            "columns": {"session": "session", "speaker": "speaker", "text": "text"},
            "speakers": {"T": "therapist", "C": "patient"},
        }
    }
    assert "read:     3 sessions, 12 turns" in done.err


def test_a_file_that_is_there_is_not_written_over(study_project: Make) -> None:
    project = study_project({"t.csv": turns(), "study.yaml": "mine"})
    done = project.run("import", "t.csv", "-o", "study.yaml")
    assert (done.code, done.out) == (2, "")
    assert "study.yaml: is there already; --force writes over it" in done.err
    assert project.read("study.yaml") == "mine"
    assert project.run("import", "t.csv", "-o", "study.yaml", "--force").code == 0
    assert project.run("validate", "study.yaml").code == 0
    assert "no such folder" in project.run("import", "t.csv", "-o", "nowhere/study.yaml").err


def test_the_path_starts_from_the_folder_of_the_study(study_project: Make) -> None:
    project = study_project({"given/t.csv": turns(), "studies/README": ""})
    assert project.run("import", "given/t.csv", "-o", "studies/mine.yaml").code == 0
    assert "path: ../given/t.csv" in project.read("studies/mine.yaml")
    assert project.run("validate", "studies/mine.yaml").code == 0


def test_words_of_strangers_neither_draw_on_a_terminal_nor_write_yaml(study_project: Make) -> None:
    bad = "Client\nplugins: [x.py]\x1b[2J"
    rows = "".join(
        f's1,"{who}","\x1b]0;x\x07\x1b[31mred\u202e {n} {who[:2]}"\n' for n in range(3) for who in ("Therapist", bad)
    )
    project = study_project({"t.csv": f"session,speaker,text\n{rows}"})
    done = project.run("import", "t.csv", "-o", "study.yaml")
    assert done.code == 0, done.err
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.out + project.read("study.yaml"))
    assert "plugins" not in yaml.safe_load(project.read("study.yaml"))


def test_a_session_in_which_one_side_never_speaks_is_left_out_by_a_declared_rule_and_counted(
    study_project: Make,
) -> None:
    project = study_project({"t.csv": turns() + "s9,T,Hello?\n"})
    done = project.run("import", "t.csv", "-o", "study.yaml")
    assert done.code == 0, done.err
    assert "not_text: drop    # what is no text, and sessions in which one side says nothing" in project.read(
        "study.yaml"
    )
    assert "  - sessions left out in which the patient says nothing: 1\n" in done.out
    alone = study_project({"u.csv": "session,speaker,text\ns1,T,Hello?\ns2,T,Hello?\n"})
    assert "who is the patient cannot be known" in alone.run("import", "u.csv").err


def test_a_study_to_agree_on_names_the_command_that_compares(study_project: Make) -> None:
    project = study_project({"t.csv": turns(), "people.csv": "session,coder,total\ns0,A,20\ns1,A,22\ns2,A,9\n"})
    done = project.run("import", "t.csv", "--ratings", "people.csv", "-o", "study.yaml")
    assert done.code == 0, done.err
    assert "people:   scored 3 of 3 sessions here" in done.out
    assert done.out.endswith("      cbtrun agree runs/study people.csv --column rater=coder\n")
    project.write("people.csv", "session,coder,total\nx,A,20\n")
    other = project.run("import", "t.csv", "--ratings", "people.csv", "-o", "b.yaml")
    assert (other.code, "is a session of t.csv" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("content", "to", "stages"),
    [
        (turns(), "tune", "personas.eval, corpus.these, tune.tuned, sessions, ratings.ctrs, analysis.main, report"),
        (
            "id,name,history\n1,Ann,Lost her job\n2,Bo,Drinks\n",
            "personas",
            "personas.clients, sessions, ratings.ctrs, report",
        ),
    ],
)
def test_studies_of_other_purposes_are_valid(study_project: Make, content: str, to: str, stages: str) -> None:
    project = study_project({"t.csv": content})
    assert project.run("import", "t.csv", "--to", to, "-o", "study.yaml").code == 0
    assert stages in project.run("validate", "study.yaml").out


def test_sessions_in_another_language_are_told(study_project: Make) -> None:
    german = "Wie ist es Ihnen in der letzten Woche ergangen, und was hat Ihnen dabei geholfen?"
    project = study_project(
        {"t.csv": f'session,speaker,text\ns,T,"{german}"\ns,C,"Mir ging es leider nicht besonders gut."\n'}
    )
    assert "in another language than English (German)" in project.run("import", "t.csv").err
