"""Who counts English words does not rate what is said in another language: it is left unscored, with that reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from cbtrun.contract.models import HasLanguages, ModelContext
from cbtrun.plugins.raters.lexical_rater import open_model
from cbtrun.testing.projects import StudyProject

MakeProject = Callable[[Mapping[str, str]], StudyProject]
SAID = {
    "en": ("How was your week?", "Not so good, I stayed in bed most of the days."),
    "de": ("Wie war Ihre Woche?", "Nicht so gut, ich bin die meisten Tage im Bett geblieben."),
    "zh": ("这一周过得怎么样？", "不太好，我大部分时间都躺在床上。"),
}
STUDY = """
cbtrun: 1
study: s
contains: none
models: {r: {using: lexical-rater}}
sessions:
  using: import
  path: s.csv
  columns: {session: session, speaker: speaker, text: text}
  speakers: {T: therapist, C: patient}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [r]}}
report: {using: html, page: false, tables: [], figures: []}
"""


def run(
    make: MakeProject, *languages: str, study: str = STUDY
) -> tuple[int, str, dict[str, str], dict[str, list[str]]]:
    """Exit code, what stood on the terminal, session -> reason of its first item, session -> flags."""
    rows = [
        f'{language},{speaker},"{text}"\n'
        for language in languages
        for speaker, text in zip("TC", SAID[language], strict=True)
    ]
    project = make({"study.yaml": study, "s.csv": "session,speaker,text\n" + "".join(rows)})
    done = project.run()
    ratings = [json.loads(line) for line in project.read("runs/s/ratings/ctrs.jsonl").splitlines()]
    sessions = [json.loads(line) for line in project.read("runs/s/sessions.jsonl").splitlines()]
    reasons = {one["session"]: str(one["scores"][0].get("reason") or "") for one in ratings}
    return done.code, done.err, reasons, {one["id"]: one["flags"] for one in sessions}


def test_sessions_in_another_language_have_no_score_and_say_why(study_project: MakeProject) -> None:
    code, err, reasons, flags = run(study_project, "en", "de", "zh")
    assert (code, "nothing scored" in err) == (0, False)
    assert reasons == {
        "en": "",
        "de": "the session is in German, and the rater reads English alone",
        "zh": "the session is in Chinese, and the rater reads English alone",
    }
    assert flags == {"en": [], "de": ["language: German"], "zh": ["language: Chinese"]}


def test_a_study_of_such_sessions_alone_scored_nothing(study_project: MakeProject) -> None:
    code, err, _, _ = run(study_project, "de")
    assert code == 3
    why = "the session is in German, and the rater reads English alone (1 session)"
    assert f"nothing scored: rating set 'ctrs' has no score: {why}" in err


def test_a_rater_whose_signals_are_german_is_told_so(study_project: MakeProject) -> None:
    study = STUDY.replace("lexical-rater}", "lexical-rater, languages: [de, en]}")
    code, _, reasons, _ = run(study_project, "en", "de", study=study)
    assert (code, set(reasons.values())) == (0, {""})


def test_the_rater_says_what_it_reads() -> None:
    rater = open_model(ModelContext("r", {"languages": ["en"]}))
    assert isinstance(rater, HasLanguages)
    assert rater.languages == ("en",)
