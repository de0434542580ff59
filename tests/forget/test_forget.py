"""`cbtrun forget`: one person's words leave the run for good, and every n stays."""

import base64
import csv
import gzip
import io
import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.contract.records import ItemScore, Quote, Rating
from cbtrun.forget.forgetting import still_holding
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.run.tombstones import silent_rating
from cbtrun.testing.projects import StudyProject

Make = Callable[[Mapping[str, str]], StudyProject]

SECRET = "I have not told anybody that I took the ring from my aunt"
STUDY = """
cbtrun: 1
study: clinic
seed: 3
contains: real-people
models:
  lexical: {using: lexical-rater}
sessions:
  using: import
  path: clinic.csv
  columns: {session: session, speaker: speaker, text: text, persona: patient}
  speakers: {therapist: therapist, patient: patient}
  factors: {group: group}
  controls: [shuffled]
ratings:
  ctrs: {using: rubric, rubric: ctrs, raters: [lexical]}
analysis:
  main: {using: independent, outcome: ctrs.total, factor: group, levels: [a, b]}
report: {using: html, transcripts: true}
"""


NEAR = '{using: openai, base_url: "${MOCK_URL}", model: m}'


def table() -> str:
    """Eight sessions of six patients; ANNA has two, and says what nobody is to know."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["session", "patient", "group", "speaker", "text"])
    for number in range(1, 9):
        patient = {1: "ANNA", 2: "ANNA"}.get(number, f"P{number}")
        said = f"{SECRET}, {number}." if patient == "ANNA" else f"Week {number} was long and I lay awake again."
        for speaker, text in [
            ("therapist", f"What shall we put on our agenda today, number {number}?"),
            ("patient", said),
            ("therapist", "What went through your mind? What is the evidence for that thought?"),
            ("patient", f"{said} And then I slept a little."),
        ]:
            rows.writerow([f"s{number}", patient, "a" if number in (1, 2, 5, 6) else "b", speaker, text])
    return out.getvalue()


@pytest.fixture
def clinic(study_project: Make) -> StudyProject:
    """A finished run over sessions of real people."""
    project = study_project({"study.yaml": STUDY, "clinic.csv": table()})
    outcome = project.run("study.yaml")
    assert outcome.code == 0, outcome.err
    return project


def run_of(project: StudyProject) -> Path:
    """The run folder."""
    return project.folder / "runs" / "clinic"


def words_of_report(run: Path) -> str:
    """The sessions that the report holds, unpacked."""
    packed = re.findall(r"H4sI[A-Za-z0-9+/=]+", (run / "report.html").read_text())
    return "".join(gzip.decompress(base64.b64decode(one)).decode() for one in packed)


def lines(path: Path) -> list[dict[str, object]]:
    """The records of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_no_file_of_the_run_holds_a_word_of_theirs_afterwards(clinic: StudyProject) -> None:
    run = run_of(clinic)
    assert "sessions.jsonl" in still_holding(run, [SECRET])
    assert SECRET in words_of_report(run)
    outcome = clinic.run("forget", "runs/clinic", "s1")
    assert outcome.code == 0, outcome.err
    assert list(still_holding(run, [SECRET])) == []
    assert SECRET not in words_of_report(run)
    assert "Week 3 was long" in words_of_report(run)
    assert "(s1, s2, s1~shuffled, s2~shuffled)" in outcome.out


def test_a_rating_keeps_its_scores_and_choices_and_no_word() -> None:
    scores = (
        ItemScore(item="agenda", score=3, rationale=SECRET, evidence=(Quote(turn=2, text=SECRET),), notes=(SECRET,)),
        ItemScore(item="stage", score=None, label="second", rationale=SECRET),
        ItemScore(item="remark", score=None, label=SECRET),
    )
    given = Rating(
        session="s1", set="x", rubric="x", rubric_version="1", rubric_digest="", rater="r", scores=scores, flags=(f"unblinding: {SECRET}",)
    )  # fmt: skip
    silent = silent_rating(given, frozenset({"remark"}))
    assert SECRET not in silent.model_dump_json()
    assert [(one.score, one.label) for one in silent.scores] == [(3, None), (None, "second"), (None, "forgotten")]
    assert silent.flags == ("unblinding",)


def test_every_n_and_score_stays(clinic: StudyProject) -> None:
    run = run_of(clinic)
    results, sessions = (run / "results.json").read_bytes(), lines(run / "sessions.jsonl")
    scores = [[one["score"] for one in rating["scores"]] for rating in lines(run / "ratings" / "ctrs.jsonl")]  # type: ignore[attr-defined]
    clinic.run("forget", "runs/clinic", "ANNA")
    after = lines(run / "sessions.jsonl")
    assert (run / "results.json").read_bytes() == results
    assert [one["id"] for one in after] == [one["id"] for one in sessions]
    assert [one["factors"] for one in after] == [one["factors"] for one in sessions]
    assert [[one["score"] for one in rating["scores"]] for rating in lines(run / "ratings" / "ctrs.jsonl")] == scores  # type: ignore[attr-defined]
    (stone,) = lines(run / "forgotten.jsonl")
    assert stone["asked"] == "ANNA"
    assert SECRET not in json.dumps(stone)


def test_the_study_runs_again_without_doing_anything_or_reading_them_anew(clinic: StudyProject) -> None:
    run = run_of(clinic)
    clinic.run("forget", "runs/clinic", "s1")
    again = clinic.run("study.yaml")
    assert again.code == 0, again.err
    assert list(still_holding(run, [SECRET])) == []
    stages = again.err + again.out
    assert "ratings.ctrs" not in "".join(line for line in stages.splitlines() if " done " in line)
    # A change that imports all sessions again finds the tombstone where the person stood.
    results = json.loads((run / "results.json").read_text())
    without = "".join(line for line in table().splitlines(keepends=True) if "ANNA" not in line)
    (clinic.folder / "clinic.csv").write_text(without)
    gone = clinic.run("study.yaml")
    assert gone.code == 0, gone.err
    after = json.loads((run / "results.json").read_text())
    told_apart = {"flags", "ratings"}  # a flag counts the forgotten, and diagnostics of words cannot count theirs
    assert {key for key in results if results[key] != after[key]} <= told_apart
    assert [one["n"] for one in after["comparisons"]] == [one["n"] for one in results["comparisons"]]
    assert len(lines(run / "sessions.jsonl")) == 16


def test_a_new_rating_finds_no_words_and_says_why(clinic: StudyProject) -> None:
    clinic.run("forget", "runs/clinic", "s1")
    other = "ratings.again={using: rubric, rubric: ctrs, raters: [lexical]}"
    outcome = clinic.run("study.yaml", "--set", other)
    assert outcome.code == 0, outcome.err
    given = lines(run_of(clinic) / "ratings" / "again.jsonl")
    theirs = [one for one in given if str(one["session"]).startswith(("s1", "s2"))]
    assert len(theirs) == 4
    assert {score["reason"] for one in theirs for score in one["scores"]} == {"forgotten"}  # type: ignore[attr-defined]


def test_only_their_replies_leave_the_journal(study_project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        project = study_project({"study.yaml": STUDY.replace("{using: lexical-rater}", NEAR), "clinic.csv": table()})
        project.run("study.yaml", "--consent-remote")
    journal = run_of(project) / "journal.sqlite"

    def kept() -> int:
        return int(sqlite3.connect(journal).execute("SELECT count(*) FROM calls").fetchone()[0])

    before = kept()
    outcome = project.run("forget", "runs/clinic", "s3")
    assert outcome.code == 0, outcome.err
    assert before > kept() > before / 2
    sqlite3.connect(journal).executescript("DELETE FROM about")  # as an earlier version left it
    outcome = project.run("forget", "runs/clinic", "s4")
    assert kept() == 0
    assert "do not say whose they are and were removed too" in outcome.out


def test_an_adapter_that_was_trained_on_them_is_named(study_project: Make) -> None:
    study = STUDY.split("ratings:")[0].replace(
        "lexical: {using: lexical-rater}", 'tiny: {using: transformers, model: "cbtrun:tiny"}'
    )
    study += (
        "corpus: {real: {using: files, path: clinic.csv, columns: {transcript: session, speaker: speaker, text: text},"
        " speakers: {therapist: therapist, patient: patient}}}\n"
        "tune: {theirs: {using: sft, base: tiny, corpus: real, lora: {rank: 2, alpha: 4}, max_steps: 3, batch_size: 1,"
        " max_length: 128, seeds: [1]}}\n"
    )
    project = study_project({"study.yaml": study, "clinic.csv": table()})
    outcome = project.run("study.yaml")
    assert outcome.code == 0, outcome.err
    outcome = project.run("forget", "runs/clinic", "s1")
    assert outcome.code == 0, outcome.err + outcome.out
    assert "was trained on their words and may still say them" in outcome.out
    assert list(still_holding(run_of(project), [SECRET])) == []
    assert not list(run_of(project).rglob("*.words.json"))


def test_an_id_that_nobody_has_is_refused(clinic: StudyProject) -> None:
    outcome = clinic.run("forget", "runs/clinic", "s11")
    assert outcome.code == 2
    assert "no session, persona or transcript 's11' in this run (did you mean 's1'?" in outcome.err
    assert not (run_of(clinic) / "forgotten.jsonl").exists()


def test_a_removal_that_was_cut_off_is_finished_by_the_same_command(
    clinic: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cbtrun.forget import forgetting

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(forgetting, "remove_replies", cut)
        assert clinic.run("forget", "runs/clinic", "s1").code == 130
    assert clinic.run("forget", "runs/clinic", "s1").code == 0
    assert list(still_holding(run_of(clinic), [SECRET])) == []
    assert clinic.run("study.yaml").code == 0
