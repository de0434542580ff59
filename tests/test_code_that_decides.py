"""New code: what costs nothing is done again, what was paid for is not paid again, and nothing old stands beside new."""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.contract import sources
from cbtrun.contract.sources import read_source
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import CommandOutcome, StudyProject

Make = Callable[[Mapping[str, str]], StudyProject]
Change = Callable[[str], None]

STUDY = """
cbtrun: 1
study: code
seed: 1
contains: none
models: {rater: {using: lexical-rater}}
sessions:
  using: import
  path: t.csv
  columns: {session: session, speaker: speaker, text: text}
  speakers: {therapist: therapist, patient: patient}
  factors: {group: group}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
analysis: {main: {using: independent, outcome: ctrs.total, factor: group, levels: [a, b]}}
"""
TABLE = "session,group,speaker,text\n" + "".join(
    f"{n},{'ab'[n % 2]},therapist,What shall we put on our agenda today?\n{n},{'ab'[n % 2]},patient,I slept {n} hours.\n"
    for n in range(1, 9)
)


PAID = STUDY.replace("{using: lexical-rater}", '{using: openai, base_url: "${MOCK_URL}", model: m}')
EARLIER = Path(__file__).parent / "fixtures" / "run-of-format-2"
"""A run folder of PAID as the version wrote it whose journal has format 2."""


@pytest.fixture
def done(study_project: Make) -> StudyProject:
    """A finished run."""
    project = study_project({"study.yaml": STUDY, "t.csv": TABLE})
    outcome = project.run("study.yaml")
    assert outcome.code == 0, outcome.err
    return project


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Makes the engine find one statement more in a module, or in an ending ` # comment` only a comment more."""

    def with_one_more(module: str, statement: str = "CHANGED = 1") -> None:
        found, held = sources._file_of(module, None), sources._held
        assert found is not None
        more = read_source(found.read_bytes() + f"\n{statement}\n".encode())
        monkeypatch.setattr(sources, "_held", lambda path: more if path == found else held(path))

    return with_one_more


def worked(outcome: CommandOutcome) -> set[str]:
    """The stages that did something."""
    return {line.split()[0] for line in outcome.err.splitlines() if " done " in line}


def marks(project: StudyProject) -> dict[str, tuple[str, str]]:
    """Stage -> output and code, as the journal has them."""
    rows = sqlite3.connect(project.folder / "runs/code/journal.sqlite").execute(
        "SELECT stage, output, code FROM stages"
    )
    return {stage: (output, code) for stage, output, code in rows}


REACHES = {
    "cbtrun.ratings.answer": {"ratings.ctrs"},
    "cbtrun.scores.totals": {"analysis.main", "results"},
    "cbtrun.statistics.two_groups": {"analysis.main"},
    "cbtrun.reliability.icc": {"results"},
    "cbtrun.results.diagnostics": {"results"},
}


@pytest.mark.parametrize("module", REACHES)
def test_a_changed_statement_does_again_what_it_reaches_and_asks_no_model(
    done: StudyProject, change: Change, module: str
) -> None:
    before = marks(done)
    change(module)
    outcome = done.run("study.yaml")
    assert outcome.code == 0, outcome.err
    after = marks(done)
    assert REACHES[module] <= {stage for stage in after if after[stage][1] != before[stage][1]}
    assert {*re.findall(r"([\d,]+) calls", outcome.err)} <= {"0"}
    assert outcome.code == 0


def test_a_comment_or_a_docstring_does_nothing_again(done: StudyProject, change: Change) -> None:
    change("cbtrun.ratings.answer")  # a statement, to show that the way of changing works
    assert worked(done.run("study.yaml"))
    source = b"'''Words.'''\nX = 1  # why\n\ndef f():\n    '''More words.'''\n    return X\n"
    bare = b"X = 1\ndef f():\n    return X\n"
    assert read_source(source).statements == read_source(bare).statements
    assert read_source(source).statements != read_source(bare.replace(b"X = 1", b"X = 2")).statements
    assert "Nothing to do" in done.run("study.yaml").out


def test_results_that_were_edited_are_made_again(done: StudyProject) -> None:
    path = done.folder / "runs/code/results.json"
    right = path.read_bytes()
    for edited in (right.replace(b"independent", b"paired"), b"{}", b"not JSON"):
        path.write_bytes(edited)
        assert done.run("study.yaml").code == 0
        assert path.read_bytes() == right


def remote(study_project: Make, monkeypatch: pytest.MonkeyPatch, server: MockServer) -> StudyProject:
    """A run whose rater is behind a server and has to be paid."""
    monkeypatch.setenv("MOCK_URL", server.url)
    project = study_project({"study.yaml": PAID, "t.csv": TABLE})
    project.run("study.yaml")
    return project


def test_code_that_would_ask_anew_pays_nothing_until_the_user_says_so(
    study_project: Make, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    from cbtrun.plugins.raters import rating

    with listening(MockServer()) as server:
        project = remote(study_project, monkeypatch, server)
        ratings, paid = (project.folder / "runs/code/ratings/ctrs.jsonl").read_bytes(), server.calls
        change("cbtrun.ratings.request")
        asked = rating.rendered
        monkeypatch.setattr(rating, "rendered", lambda brief, window, draw: asked(brief, window, draw).__class__(
            (*asked(brief, window, draw).messages, *asked(brief, window, draw).messages[-1:]), draw))  # fmt: skip
        kept = project.run("study.yaml")
        assert server.calls == paid
        assert "ratings.ctrs was made by other code" in kept.err
        assert "--redo ratings.ctrs" in kept.err
        assert (project.folder / "runs/code/ratings/ctrs.jsonl").read_bytes() == ratings
        project.run("study.yaml", "--redo", "ratings.ctrs")
        assert server.calls > paid


def test_a_run_of_an_earlier_version_is_opened_and_pays_nothing(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        project = study_project({"study.yaml": PAID, "t.csv": TABLE})
        run = project.folder / "runs/code"
        shutil.copytree(EARLIER, run)
        earlier = json.loads((run / "results.json").read_bytes())["comparisons"]
        outcome = project.run("study.yaml", "--take-over")
        assert (server.calls, outcome.code) == (0, 0), outcome.err
        found = json.loads((run / "results.json").read_bytes())["comparisons"]
        assert [{name: now[name] for name in then} for now, then in zip(found, earlier, strict=True)] == earlier
        assert all(now["covers"] == [] for now in found)  # a field that came since
        assert "Nothing to do" in project.run("study.yaml").out


def test_an_unknown_stage_to_redo_is_refused(done: StudyProject) -> None:
    outcome = done.run("study.yaml", "--redo", "ratings.cts")
    assert outcome.code == 2
    assert "no stage 'ratings.cts'; the study has: sessions, ratings.ctrs, analysis.main" in outcome.err


def test_the_code_that_decides_an_analysis_reaches_totals_and_statistics() -> None:
    found = sources.reached(("cbtrun.plugins.analyses.paired",))
    assert {"cbtrun.statistics.paired", "cbtrun.scores.totals", "cbtrun.analysis.block"} <= set(found)
    assert json.dumps(found)
