"""A plugin's fault names plugin, block and line in few lines, and its traceback lies in the run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
