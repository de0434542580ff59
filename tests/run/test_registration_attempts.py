"""Ways to get round a registration: each is reported with what differs, whatever was deleted on the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.contexts import Promise
from cbtrun.files.run_folder import RunFolder
from cbtrun.registry import load_registry
from cbtrun.run.promise import keep_registration, note_made, promise_of
from cbtrun.run.register import FILE, RegisterLine, entries_of, note, registers
from cbtrun.study import frozen
from cbtrun.study.checks import check_study
from cbtrun.study.load import local_plugins
from cbtrun.study.overrides import read_study
from cbtrun.testing.projects import StudyProject

MakeProject = Callable[[Mapping[str, str]], StudyProject]
ANALYSIS = "{using: independent, outcome: ctrs.total, factor: level, levels: [A, B], items: false}"
OTHER = ANALYSIS.replace("[A, B]", "[B, A]")
STUDY = """
cbtrun: 1
study: st
contains: none
plugins: [coded.py]
models: {r: {using: coded, base_url: "http://${JUDGE_HOST}/v1"}}
sessions:
  using: import
  path: st.csv
  columns: {session: session, speaker: speaker, text: text, persona: persona}
  speakers: {T: therapist, C: patient}
  factors: {level: level}
ratings: {ctrs: {using: rubric, rubric: mine.yaml, raters: [r]}}
"""
BLOCKS = f"analysis:\n  first: {ANALYSIS}\n  second: {OTHER}\nreport: {{using: html, page: false, tables: [], figures: []}}\n"
TABLE = "session,speaker,text,persona,level\n" + "".join(
    f"{level}{n},{speaker},{'How was your week?' if speaker == 'T' else 'Not so good.'},p{n},{level}\n"
    for level in "AB"
    for n in range(4)
    for speaker in "TC"
)
RUBRIC = """
name: mine
title: Mine
version: "1"
source: Nobody
licence: free
validation: none
items:
  - {id: warmth, name: Warmth, asks: Is it warm?, type: scale, low: 0, high: 6, anchors: {0: none, 6: all}}
total: {low: 0, high: 6}
"""
CODED = """
import json, scale
from cbtrun.plugin import Reply, hookimpl

class Coded:
    identity = {"plugin": "coded"}
    async def reply(self, request):
        score = {"rationale": "r", "evidence": [], "absent": True, "score": scale.LOW, "unscored_reason": None}
        return Reply(json.dumps({"items": {"warmth": score}}))
    async def close(self): ...

@hookimpl
def options_schema(stage):
    return {"type": "object", "properties": {"base_url": {"type": "string", "x-env": True}}} if stage == "models" else None

@hookimpl
def open_model(context):
    return Coded()
"""
FILES = {
    "st.yaml": STUDY + BLOCKS,
    "st.csv": TABLE,
    "mine.yaml": RUBRIC,
    "coded.py": CODED,
    "scale.py": "LOW = 1\n",
}


@pytest.fixture
def project(study_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> StudyProject:
    """A registered study that ran once as far as the register is concerned."""
    monkeypatch.setenv("JUDGE_HOST", "judge.example")
    monkeypatch.setattr(frozen, "_our_digest", lambda: "e" * 64)  # 600 files, which another test reads
    made = study_project(FILES)
    monkeypatch.chdir(made.folder)
    monkeypatch.syspath_prepend(str(made.folder))
    preregister(made)
    assert begun(made).deviations == ()
    return made


def preregister(project: StudyProject, *more: str) -> str:
    done = project.run("preregister", "st.yaml", "--allow-local-plugins", *more)
    assert done.code == 0, done.err
    return done.out


def begun(project: StudyProject, runs: str = "runs") -> Promise:
    """How a run that begins now keeps to the registration."""
    written = read_study(Path("st.yaml"))
    registry = load_registry(local_plugins(written))
    study = check_study(written, registry)
    folder = RunFolder(project.folder / runs / "st")
    folder.path.mkdir(parents=True, exist_ok=True)
    keep_registration(study, folder)
    promise = promise_of(study, registry, folder, None)
    assert promise is not None
    return promise


def paths(promise: Promise) -> list[str]:
    return [one.partition(":")[0] for one in promise.deviations]


@pytest.mark.parametrize(
    ("file", "before", "after", "told"),
    [
        ("st.yaml", "figures: []", "figures: [], headline: second", ["report/headline"]),
        ("st.yaml", BLOCKS, BLOCKS.replace(f"  first: {ANALYSIS}\n", "").replace("report:", f"  first: {ANALYSIS}\nreport:"), ["order of analysis", "report/headline"]),
        ("st.yaml", "study: st\n", "study: st\ntitle: A is better\n", ["title"]),
        ("st.yaml", "[A, B], items: false", "[B, A], items: false", ["analysis/first/levels"]),
        ("st.csv", "A3,T,How was your week?,p3,A\nA3,C,Not so good.,p3,A\n", "", ["files/st.csv"]),
        ("st.csv", "Not so good.,p0,A", "Splendid.,p0,A", ["files/st.csv"]),
        ("coded.py", "scale.LOW", "scale.LOW + 1", ["files/coded.py"]),
        ("scale.py", "LOW = 1", "LOW = 2", ["files/scale.py"]),
        ("mine.yaml", "Is it warm?", "Is it nice?", ["rubrics/mine.yaml"]),
    ],
)  # fmt: skip
def test_what_was_changed_after_the_data_is_told(
    project: StudyProject, file: str, before: str, after: str, told: list[str]
) -> None:
    text = project.read(file)
    assert before in text
    project.write(file, text.replace(before, after, 1))
    assert paths(begun(project)) == told
    shutil.rmtree(project.folder / "runs")
    assert paths(begun(project)) == told


def test_a_comment_is_told_and_is_no_deviation(project: StudyProject) -> None:
    project.write("st.yaml", f"# a word\n{project.read('st.yaml')}")
    promise = begun(project)
    assert promise.deviations == ()
    assert promise.words.startswith("Analysed as registered on ")
    assert "files/st.yaml: registered as" in promise.notes[1]


def test_published_values_that_were_chosen_afterwards_are_told(project: StudyProject) -> None:
    source = "{source: x, outcome: ctrs.total, factor: level, contrast: {levels: [A, B], difference: 1.0}}"
    project.write("st.yaml", f"{project.read('st.yaml')}compare_with: {{p: {source}}}\n")
    assert paths(begun(project)) == ["compare_with"]


def test_another_address_behind_a_variable_is_told_without_the_address(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_HOST", "elsewhere.example")
    promise = begun(project)
    assert paths(promise) == ["addresses/r"]
    assert "elsewhere" not in str(promise)
    assert "judge.example" not in project.read("st.registration.json")


@pytest.mark.parametrize("runs", ["runs", "other-runs"])
def test_a_folder_deleted_and_another_promise_made_is_told(project: StudyProject, runs: str) -> None:
    shutil.rmtree(project.folder / "runs")
    (project.folder / "st.registration.json").unlink()
    _age(project)
    project.write("st.yaml", STUDY + BLOCKS.replace(f"  first: {ANALYSIS}\n", ""))
    said = preregister(project)
    assert "Not the first that this machine knows of" in said
    promise = begun(project, runs)
    assert promise.words.endswith("3 deviations, listed below.")
    late, gone, headline = promise.deviations
    assert late.startswith("it was registered after the first run had begun (2026-01-02T")
    assert "registered before, on 2026-01-01T00:00:00+00:00" in gone
    assert 'analysis/first was {"' in gone
    assert gone.endswith("became (not there)")
    assert headline.endswith('report/headline was "first", became "second"')


def test_the_same_promise_made_anew_counts_from_the_first(project: StudyProject) -> None:
    shutil.rmtree(project.folder / "runs")
    (project.folder / "st.registration.json").unlink()
    _age(project)
    assert "Not the first" not in preregister(project)
    assert begun(project).deviations == ()


def test_without_a_home_the_lines_beside_the_run_folders_are_enough(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    _age(project)
    monkeypatch.setenv("XDG_STATE_HOME", str(project.folder / "nothing-here"))
    shutil.rmtree(project.folder / "runs" / "st")
    (project.folder / "st.registration.json").unlink()
    project.write("st.yaml", STUDY + BLOCKS.replace(f"  first: {ANALYSIS}\n", ""))
    preregister(project)
    assert len(begun(project).deviations) == 3


def test_personas_and_corpora_count_as_they_were_first_made(project: StudyProject) -> None:
    study = "personas: {eval: {using: sampled, attributes: depression, count: 2}}\n"
    project.write("st.yaml", project.read("st.yaml") + study)
    (project.folder / "st.registration.json").unlink()
    shutil.rmtree(project.folder / "runs")
    written = read_study(Path("st.yaml"))
    registry = load_registry(local_plugins(written))
    checked = check_study(written, registry)
    preregister(project)
    begun(project)
    folder = RunFolder(project.folder / "runs" / "st")
    note_made(checked, folder, "personas.eval", "a" * 64)
    note_made(checked, folder, "personas.eval", "b" * 64)
    project.write("runs/st/personas/eval.jsonl", "")
    told = [one for one in begun(project).deviations if one.startswith("personas.eval")]
    assert len(told) == 1
    assert told[0].startswith(f"personas.eval: first made as {'a' * 64} (")


def test_where_a_registration_was_published_stands_in_the_report(project: StudyProject) -> None:
    said = preregister(project, "--published", "https://osf.io/abcde")
    assert "lies at https://osf.io/abcde" in said
    assert "is said to lie at https://osf.io/abcde" in begun(project).notes[0]


def test_the_prose_of_a_registration_answers_both_forms(project: StudyProject) -> None:
    digest = preregister(project, "--published", "here").split()[1]
    preregister(project, "--text")  # of the registration that is there: it is not made anew
    text = project.read("st.registration.md")
    assert digest in text
    for heading in ("Hypotheses", "Statistical models", "Inference criteria", "Data exclusion", "Existing data"):
        assert f"\n### {heading}\n" in text
    assert "### 1) Have any data been collected for this study already?\n\nYes. The sessions exist already" in text
    first = "1. `first`: design `independent`; outcome `ctrs.total`; compares `level` (`A`, `B`)"
    assert text.index(first) < text.index("2. `second`")
    assert "`st.csv`: SHA-256" in text


def test_a_register_that_is_a_link_or_holds_nonsense_stops_nothing(project: StudyProject) -> None:
    beside = project.folder / "runs" / FILE
    beside.write_text('{"event": "run"}\nnonsense\n[[[[\n{"event":"run","at":"never","study":"st","file":"x"}\n')
    assert begun(project).deviations == ()
    assert beside.read_text().count("\n") > 4
    beside.unlink()
    beside.symlink_to(project.folder / "st.csv")
    before = project.read("st.csv")
    assert begun(project).deviations == ()
    assert project.read("st.csv") == before


def test_a_first_run_is_noted_once_and_a_rehearsal_never(project: StudyProject) -> None:
    entry = RegisterLine(event="run", at="2026-05-05T00:00:00+00:00", study="st", file="/x/st.yaml")
    for _ in range(3):
        note(entry, None)
    assert [one.event for one in entries_of("/x/st.yaml", "st", None)] == ["run"]
    (own,) = registers(None)
    assert own.stat().st_mode & 0o077 == 0


def _age(project: StudyProject) -> None:
    """As if the registration in the register were of January 1, and the first run of January 2."""
    for path in registers(project.folder / "runs"):
        if path.exists():
            lines = [RegisterLine.model_validate_json(line) for line in path.read_text().splitlines()]
            path.write_text("".join(f"{_aged(one).model_dump_json(exclude_defaults=True)}\n" for one in lines))


def _aged(entry: RegisterLine) -> RegisterLine:
    at = "2026-01-02T00:00:00+00:00" if entry.event == "run" else "2026-01-01T00:00:00+00:00"
    registration = entry.registration and {**entry.registration, "registered_at": at}
    return entry.model_copy(update={"at": at, "registration": registration})
