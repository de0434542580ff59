"""A plugin's fault names plugin, block and line in few lines, and its traceback lies in the run folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS

BROKEN = """
from cbtrun.plugin import hookimpl

class Broken:
    identity = {"plugin": "broken"}
    async def reply(self, request):
        return 1 / 0
    async def close(self): ...

@hookimpl
def options_schema(stage):
    return {"type": "object", "properties": {}} if stage == "models" else None

@hookimpl
def open_model(context):
    return Broken()
"""


def test_a_fault_of_a_plugin_is_told_in_ten_lines(study_project: Callable[[Mapping[str, str]], StudyProject]) -> None:
    study = STUDY.replace("using: lexical-rater", "using: broken") + "plugins: [broken.py]\n"
    project = study_project({"study.yaml": study, "t.csv": TRANSCRIPTS, "broken.py": BROKEN})
    outcome = project.run("study.yaml", "--allow-local-plugins")
    assert outcome.code == 1
    told = outcome.err[outcome.err.index("broken.py:") :] if "broken.py:" in outcome.err else outcome.err
    assert told.startswith("broken.py:7: ZeroDivisionError: division by zero")
    assert len(told.strip().splitlines()) <= 10
    assert "`ratings.ctrs`" in told
    assert "Traceback" not in outcome.err
    assert "Traceback" in project.read("runs/s/traceback.txt")


FAULTY = """
import json
from cbtrun.plugin import hookimpl

@hookimpl
def options_schema(stage):
    return {"type": "object", "properties": {}} if stage in ("personas", "report") else None

@hookimpl
def HOOK:
    return json.loads("{")

@hookimpl
def make_personas(context):
    return []
"""
PEOPLE = "cbtrun: 1\nstudy: s\npersonas: {people: {using: faulty}}\nplugins: [faulty.py]\n"
ProjectOf = Callable[[Mapping[str, str]], StudyProject]


@pytest.fixture
def folder_of_tracebacks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands without a run folder put their tracebacks."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("command", "hook"),
    [
        ("validate", "check_block(context)"),
        ("plan", "check_block(context)"),
        ("plan", "plan_block(context)"),
        ("plan", "lacking_here(context)"),
        ("doctor", "check_block(context)"),
        ("doctor", "doctor_checks(context)"),
        ("run", "check_block(context)"),
        ("validate", "rubric_folders()"),
    ],
)
def test_every_command_tells_a_plugins_fault_in_few_lines_and_where_its_traceback_lies(
    study_project: ProjectOf, folder_of_tracebacks: Path, command: str, hook: str
) -> None:
    project = study_project({"study.yaml": PEOPLE, "faulty.py": FAULTY.replace("HOOK", hook)})
    outcome = project.run(command, "study.yaml", "--allow-local-plugins")
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    assert len(outcome.err.strip().splitlines()) <= 10
    assert re.search(r"faulty\.py:11: JSONDecodeError", outcome.err)  # the plugin's line, not the library's
    assert "the plugin `faulty`" in outcome.err
    assert ("`personas.people`" in outcome.err) == ("context" in hook)
    written = re.search(r"The whole traceback: (.+)", outcome.err)
    assert written is not None
    assert Path(written[1]).parent == folder_of_tracebacks
    assert "Traceback" in Path(written[1]).read_text(encoding="utf-8")


def test_a_plugin_that_cannot_be_imported_is_told_with_its_line(
    study_project: ProjectOf, folder_of_tracebacks: Path
) -> None:
    project = study_project({"study.yaml": PEOPLE, "faulty.py": "import json\njson.loads('{')\n"})
    outcome = project.run("validate", "study.yaml", "--allow-local-plugins")
    assert outcome.code == 2
    assert re.match(r"plugin 'faulty' \(.*faulty.py\) cannot be loaded: .*: JSONDecodeError", outcome.err)
    assert "faulty.py:2" in outcome.err
    assert len([*folder_of_tracebacks.iterdir()]) == 1


def test_a_model_plugins_fault_names_it_beside_the_plugin_that_asked(study_project: ProjectOf) -> None:
    study = STUDY.replace("using: lexical-rater", "using: broken") + "plugins: [broken.py]\n"
    project = study_project({"study.yaml": study, "t.csv": TRANSCRIPTS, "broken.py": BROKEN})
    told = project.run("study.yaml", "--allow-local-plugins").err
    assert "in the block `ratings.ctrs`, done by the plugin `rubric`" in told
    assert "raised in the plugin `broken`" in told


def test_the_fault_of_a_report_plugin_lies_in_its_run_folder(study_project: ProjectOf) -> None:
    study = STUDY + "report: {using: faulty}\nplugins: [faulty.py]\n"
    study = study.replace("report: {using: html}\n", "")
    project = study_project(
        {"study.yaml": study, "t.csv": TRANSCRIPTS, "faulty.py": FAULTY.replace("HOOK", "write_report(context)")}
    )
    project.run("study.yaml", "--allow-local-plugins")
    (project.folder / "runs/s/traceback.txt").unlink()
    outcome = project.run("report", "runs/s", "--allow-local-plugins")
    assert outcome.code == 1
    assert "in the block `report`, done by the plugin `faulty`" in outcome.err
    assert "Traceback" in project.read("runs/s/traceback.txt")


def test_an_installed_plugin_is_named_not_the_library_that_it_calls(
    study_project: ProjectOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "lib/site-packages"
    project = study_project(
        {
            "study.yaml": "cbtrun: 1\nstudy: s\npersonas: {people: {using: acme}}\n",
            "lib/site-packages/acme_library.py": "def deep():\n    return [][1]\n",
            "lib/site-packages/acme_cbt/__init__.py": "",
            "lib/site-packages/acme_cbt/work.py": "import acme_library\ndef work():\n    return acme_library.deep()\n",
            "lib/site-packages/acme_cbt/plug.py": "from acme_cbt.work import work\nfrom cbtrun.plugin import hookimpl\n"
            "@hookimpl\ndef make_personas(context):\n    return work()\n",
            "lib/site-packages/acme_cbt-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-cbt\nVersion: 1.0\n",
            "lib/site-packages/acme_cbt-1.0.dist-info/entry_points.txt": "[cbtrun]\nacme = acme_cbt.plug\n",
        }
    )
    monkeypatch.syspath_prepend(str(site))
    try:
        outcome = project.run("study.yaml")
    finally:
        for name in ("acme_cbt", "acme_cbt.work", "acme_cbt.plug", "acme_library"):
            sys.modules.pop(name, None)
    told = outcome.err
    assert outcome.code == 1
    assert "acme_cbt/work.py:3: IndexError" in told
    assert "in the block `personas.people`, done by the plugin `acme`" in told
    assert "acme_library.py" not in told
