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
from cbtrun.version import __version__
from tests.helpers.places import ROOT

MakeProject = Callable[[Mapping[str, str]], StudyProject]

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
    promise = promise_of(study, load_registry(), folder, first_run)
    assert promise is not None
    return promise


def test_a_registered_study_is_analysed_as_registered(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": QUICK})
    done = project.run("preregister", "study.yaml")
    assert done.code == 0, done.err
    registration = json.loads(project.read("study.registration.json"))
    assert registration["digest"] in done.out
    assert set(registration["blocks"]) == {"analysis", "models", "ratings", "seed", "sessions", "title"}
    assert set(registration["rubrics"]) == {"ctrs"}
    frozen = registration["frozen"]
    assert set(frozen["texts"]) == {"study.yaml", "cbtrun.specs:transcripts.yaml", "cbtrun.rubrics:ctrs.yaml"}
    assert set(frozen["files"]) == {"cbtrun.specs:examples/transcripts.csv"}
    assert frozen["code"]["cbtrun"].startswith(f"{__version__} (SHA-256 ")
    promise = kept_promise(project, first_run=time.time() + 60)
    assert promise.words.startswith(f"Analysed as registered on {registration['registered_at']}")
    assert promise.deviations == ()
    assert "The time is this machine's own claim" in promise.notes[0]
    assert json.loads(project.read("runs/demo/registration.json")) == registration


def test_a_promise_made_after_the_data_says_so(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": QUICK})
    project.run("preregister", "study.yaml")
    promise = kept_promise(project, first_run=0.0)
    assert promise.words.endswith("1 deviation, listed below.")
    # A promise after the data is one, however early the folder says that it began.
    assert promise.deviations == (
        "it was registered after the first run had begun (1970-01-01T00:00:00+00:00): data may have been seen before",
    )


def test_every_deviation_stands_in_the_report(study_project: MakeProject) -> None:
    project = study_project({"study.yaml": QUICK})
    project.run("preregister", "study.yaml")
    project.write("study.yaml", f"{QUICK}\nanalysis: {{quality: {{tests: [welch]}}}}\ntitle: Another title\n")
    done = project.run()
    assert done.code == 0
    assert "2 deviations, all in the report" in done.out
    assert 'title: registered as "Does the rater' in done.err
    told = promise_in(project)
    assert "2 deviations, listed below" in told
    assert "title: registered as" in told
    assert "Other bytes than when it was registered" in told
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
    done = subprocess.run([*command, "--to", str(target)], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    made = json.loads(target.read_text())["made"]
    frozen = made["personas"]
    assert (set(frozen), set(made["corpus"])) == ({"train", "eval"}, {"cbt", "supportive", "shuffled"})
    other = tmp_path / "other.json"
    subprocess.run([*command, "--set", "seed=1", "--to", str(other)], capture_output=True, timeout=240, check=True)
    assert json.loads(other.read_text())["made"]["personas"] != frozen
    assert not (tmp_path / "runs").exists()
