"""`cbtrun preregister`: the promise lies beside the study, goes with every run, and the report holds the run to it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cbtrun.contexts import Promise
from cbtrun.files.run_folder import RunFolder
from cbtrun.registry import load_registry
from cbtrun.run.promise import keep_registration, promise_of
from cbtrun.study.load import load_study
from cbtrun.testing.projects import StudyProject

MakeProject = Callable[[Mapping[str, str]], StudyProject]
ROOT = Path(__file__).parents[1]
QUICK = f"""
extends: {ROOT}/specs/transcripts.yaml
study: demo
report: {{figures: [], tables: [csv]}}
"""


def promise_in(project: StudyProject) -> str:
    """What the report says of the registration."""
    page = project.read("runs/demo/report.html")
    return page[page.index("<h2>Assumptions and deviations</h2>") : page.index('<section id="methods">')]


def kept_promise(project: StudyProject, first_run: float) -> Promise:
    """The promise of the project's study, as a run that began at a time would report it."""
    study = load_study(project.folder / "study.yaml", registry=load_registry())
    folder = RunFolder(project.folder / "runs" / "demo")
    folder.path.mkdir(parents=True, exist_ok=True)
    keep_registration(study, folder)
    promise = promise_of(study, folder, first_run)
    assert promise is not None
    return promise


def test_a_registered_study_is_analysed_as_registered(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": QUICK})
    done = project.run("preregister", "study.yaml")
    assert done.code == 0, done.err
    registration = json.loads(project.read("study.registration.json"))
    assert registration["digest"] in done.out
    assert set(registration["blocks"]) == {"analysis", "arms", "corpus", "models", "personas", "ratings", "seed", "sessions", "tune"}  # fmt: skip
    assert set(registration["rubrics"]) == {"ctrs"}
    promise = kept_promise(project, first_run=time.time() + 60)
    assert promise.words.startswith(f"Analysed as registered on {registration['registered_at']}")
    assert promise.deviations == ()
    assert project.read("runs/demo/registration.json") == project.read("study.registration.json")


def test_a_promise_made_after_the_data_says_so(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": QUICK})
    project.run("preregister", "study.yaml")
    promise = kept_promise(project, first_run=0.0)
    assert promise.words.endswith("1 deviation, listed below.")
    assert promise.deviations == (
        "it was registered after the first run had begun (1970-01-01T00:00:00+00:00): data may have been seen before",
    )


def test_every_deviation_stands_in_the_report(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": QUICK})
    project.run("preregister", "study.yaml")
    project.write("study.yaml", f"{QUICK}\nanalysis: {{quality: {{tests: [welch]}}}}\ntitle: Another title\n")
    assert project.run().code == 0
    told = promise_in(project)
    assert "1 deviation, listed below" in told
    assert (
        "analysis/quality/tests: registered as [&#34;welch&#34;,&#34;mann-whitney&#34;], now [&#34;welch&#34;]" in told
    )


def test_an_edited_registration_is_refused(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": QUICK})
    project.run("preregister", "study.yaml")
    edited = project.read("study.registration.json").replace('"high"', '"low"')
    project.write("study.registration.json", edited)
    done = project.run()
    assert done.code == 2
    assert "was edited after it was registered" in done.err


def test_a_registration_is_not_overwritten(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": QUICK})
    project.run("preregister", "study.yaml")
    before = project.read("study.registration.json")
    again = project.run("preregister", "study.yaml")
    assert (again.code, again.err) == (
        2,
        "study.registration.json is there already: a registration is not overwritten; give another name\n",
    )
    assert project.read("study.registration.json") == before


def test_personas_are_frozen_by_what_they_will_be(tmp_path: Path) -> None:
    target = tmp_path / "promise.json"
    command = [sys.executable, "-m", "cbtrun.cli.main", "preregister", str(ROOT / "specs" / "quickstart.yaml")]
    done = subprocess.run([*command, "--to", str(target)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    frozen = json.loads(target.read_text())["personas"]
    assert set(frozen) == {"train", "eval"}
    other = tmp_path / "other.json"
    subprocess.run([*command, "--set", "seed=1", "--to", str(other)], capture_output=True, timeout=120, check=True)
    assert json.loads(other.read_text())["personas"] != frozen
    assert not (tmp_path / "runs").exists()
