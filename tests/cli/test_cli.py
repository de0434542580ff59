"""The command line is quick, and says what to do next."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS
from tests.helpers.places import SPECS

Make = Callable[[Mapping[str, str]], StudyProject]

HEAVY = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "scipy",
    "pandas",
    "matplotlib",
    "instructor",
    "openai",
    "vllm",
)


def imported(*arguments: str) -> set[str]:
    """Heavy modules that a command imports."""
    program = f"""
import sys
from cbtrun.cli.main import main
try:
    main({list(arguments)!r})
except SystemExit as ended:
    assert not ended.code, ended.code
print("\\n" + " ".join(sorted(sys.modules)), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {*ended.stderr.splitlines()[-1].split()} & {*HEAVY}


def test_help_imports_nothing_heavy() -> None:
    assert imported("--help") == set()


@pytest.mark.parametrize("spec", sorted(path.name for path in SPECS.glob("*.yaml")))
def test_validating_a_shipped_study_finds_no_problem_and_imports_nothing_heavy(spec: str) -> None:
    assert imported("validate", str(SPECS / spec)) == set()


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_a_command_that_runs_nothing_writes_nothing(study_project: Make, command: str) -> None:
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS})
    assert project.run(command, "study.yaml").code == 0
    assert sorted(path.name for path in project.folder.iterdir()) == ["study.yaml", "t.csv"]


def test_a_plan_counts_calls_and_says_what_is_done(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS})
    before = project.run("plan", "study.yaml").out
    assert "ratings.ctrs" in before
    assert "4 calls" in before
    project.run()
    assert "to do" not in project.run("plan", "study.yaml").out


def test_status_says_what_is_done_and_what_the_calls_came_to(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS})
    project.run()
    out = project.run("status", "runs/s").out
    assert "not running" in out
    assert "rater: 4 calls" in out


def test_the_report_can_be_made_again_by_itself(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY + "report: {using: html}\n", "t.csv": TRANSCRIPTS})
    project.run()
    (project.folder / "runs/s/report.html").unlink()
    (project.folder / "study.yaml").unlink()
    outcome = project.run("report", "runs/s")
    assert outcome.code == 0, outcome.err
    assert "came with cbtrun" in (project.folder / "runs/s/report.html").read_text()


def test_the_printed_schema_knows_the_options_of_every_plugin(study_project: Make) -> None:
    schema = json.loads(study_project({}).run("schema").out)
    assert "ratings.rubric" in schema["$defs"]


def test_plugins_are_listed_with_their_stages(study_project: Make) -> None:
    lines = study_project({}).run("plugins").out.splitlines()
    assert ["lexical-rater", "models"] in [line.split() for line in lines]


def test_a_new_study_runs_as_it_is_written(study_project: Make) -> None:
    project = study_project({})
    assert project.run("new", "study", "mine").code == 0
    assert project.run("mine.yaml").code == 0
    assert json.loads(project.read(".cbtrun/study.schema.json"))["$defs"]


def test_a_new_rubric_can_be_used_as_it_is_written(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY.replace("rubric: ctrs,", "rubric: ./own.yaml,"), "t.csv": TRANSCRIPTS})
    assert project.run("new", "rubric", "own").code == 0
    assert project.run().code == 0


def test_new_overwrites_nothing(study_project: Make) -> None:
    project = study_project({"own.yaml": "mine"})
    outcome = project.run("new", "rubric", "own")
    assert outcome.code == 2
    assert "is there already" in outcome.err
    assert project.read("own.yaml") == "mine"


def test_a_new_plugin_passes_its_own_test_and_can_be_named_in_a_study(study_project: Make) -> None:
    from cbtrun.registry import load_registry

    project = study_project({})
    assert project.run("new", "plugin", "greeter").code == 0
    registry = load_registry([project.folder / "greeter/cbtrun_greeter.py"])
    assert "cbtrun-greeter" in registry.names("models")
    assert registry.schema("models", "cbtrun-greeter")["properties"]["greeting"]["default"] == "Hello"


def test_an_unknown_option_is_a_users_error(study_project: Make) -> None:
    outcome = study_project({}).run("validate", "--nonsense")
    assert outcome.code == 2
    assert "--nonsense" in outcome.err


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_command_reads_each_file_of_the_study_once(
    study_project: Make, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    from cbtrun.study import overrides

    project = study_project({"study.yaml": STUDY, "more.yaml": "extends: study.yaml\n", "t.csv": TRANSCRIPTS})
    seen: list[str] = []
    read = overrides.read_yaml
    monkeypatch.setattr(overrides, "read_yaml", lambda path: seen.append(str(path)) or read(path))
    assert project.run(command, "more.yaml").code == 0
    assert sorted(seen) == ["more.yaml", "study.yaml"]
