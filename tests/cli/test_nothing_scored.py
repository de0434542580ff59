"""A run that scored nothing, of a set, an item, an arm or an outcome, is not done: it says why and exits 3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import Fault, MockServer
from cbtrun.plugins.remote_models.openai_reply import would_refuse_all
from cbtrun.testing.projects import StudyProject

MakeProject = Callable[[Mapping[str, str]], StudyProject]
RUBRIC = """
name: mine
title: Mine
version: "1"
source: Nobody
licence: free
validation: none
items:
  - {id: warmth, name: Warmth, asks: Is it warm?, type: scale, low: 0, high: 6, anchors: {0: none, 6: all}}
  - {id: agenda, name: Agenda, asks: Is there one?, type: scale, low: 0, high: 6, anchors: {0: none, 6: all}}
total: {low: 0, high: 12}
"""
CODED = """
import json, re
from cbtrun.plugin import ModelError, Reply, hookimpl

class Coded:
    identity = {"plugin": "coded"}
    async def reply(self, request):
        text = request.messages[-1].content
        code = re.search(r"code (\\\\S+) (\\\\S+)", text)
        if code.group(1) == "refuse":
            raise ModelError(f"no such rubric (request {abs(hash(text))})")
        def item(points):
            said = {"rationale": "r", "evidence": [], "absent": points.isdigit(), "score": None, "unscored_reason": None}
            return said | ({"score": int(points)} if points.isdigit() else {"unscored_reason": points.replace("_", " ")})
        return Reply(json.dumps({"items": {"warmth": item(code.group(1)), "agenda": item(code.group(2))}}))
    async def close(self): ...

@hookimpl
def options_schema(stage):
    return {"type": "object", "properties": {}} if stage == "models" else None

@hookimpl
def open_model(context):
    return Coded()
""".replace("\\\\", "\\")
STUDY = """
cbtrun: 1
study: s
contains: none
plugins: [coded.py]
models: {r: {using: coded}}
sessions:
  using: import
  path: s.csv
  columns: {session: session, speaker: speaker, text: text}
  speakers: {T: therapist, C: patient}
  factors: {level: level}
ratings: {ctrs: {using: rubric, rubric: mine.yaml, raters: [r], tries: 1}}
report: {using: html, page: false, tables: [], figures: []}
"""


def project_of(make: MakeProject, codes: Mapping[str, str], study: str = STUDY) -> StudyProject:
    """Two sessions in each level, rated as the therapist's words say."""
    rows = [
        f"{level}{n},{speaker},{f'Hello code {code} there' if speaker == 'T' else 'Hello.'},{level}\n"
        for level, code in codes.items()
        for n in range(2)
        for speaker in "TC"
    ]
    table = "session,speaker,text,level\n" + "".join(rows)
    return make({"study.yaml": study, "s.csv": table, "coded.py": CODED, "mine.yaml": RUBRIC})


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ({"A": "cannot_tell cannot_tell", "B": "cannot_tell cannot_tell"}, ["rating set 'ctrs' has no score: not scored by the rater (4 sessions)"]),
        ({"A": "0 cannot_tell", "B": "0 no_idea"}, ["outcome 'ctrs.total' has no score: not scored by the rater (4 sessions)", "item 'ctrs.agenda' has no score: not scored by the rater (4 sessions)"]),
        ({"A": "cannot_tell cannot_tell", "B": "0 0"}, ["level 'A' of 'level' on 'ctrs' has no score: not scored by the rater (2 sessions)"]),
        ({"A": "0 cannot_tell", "B": "0 0"}, ["level 'A' of 'level' on 'ctrs.total' has no score: not scored by the rater (2 sessions)"]),
    ],
)  # fmt: skip
def test_what_has_no_score_is_told_with_the_reason(
    study_project: MakeProject, codes: Mapping[str, str], told: list[str]
) -> None:
    done = project_of(study_project, codes).run("study.yaml", "--allow-local-plugins")
    assert done.code == 3
    assert [line for line in done.err.splitlines() if "no score" in line] == [f"nothing scored: {one}" for one in told]


def test_a_study_with_a_score_everywhere_is_done(study_project: MakeProject) -> None:
    done = project_of(study_project, {"A": "0 0", "B": "0 0"}).run("study.yaml", "--allow-local-plugins")
    assert (done.code, "no score" in done.err) == (0, False)


def test_the_same_command_says_it_again_and_the_report_says_it_first(study_project: MakeProject) -> None:
    study = STUDY.replace("page: false, ", "")
    project = project_of(study_project, {"A": "refuse x", "B": "refuse x"}, study)
    first = project.run("study.yaml", "--allow-local-plugins")
    again = project.run("study.yaml", "--allow-local-plugins")
    for done in (first, again):
        assert done.code == 3
        assert "failed: ratings.ctrs: 4 sessions: no such rubric (request " in done.err
        assert "4 failed; the same command tries just those again. Each stands in runs/s/failures.jsonl." in done.err
        assert "nothing scored: rating set 'ctrs' has no score: no answer from the model (4 sessions)" in done.err
    listed = [json.loads(line) for line in project.read("runs/s/failures.jsonl").splitlines()]
    assert sorted(one["unit"] for one in listed) == [
        f"{level}{n}, rater r, repeat 1" for level in "AB" for n in range(2)
    ]
    page = project.read("runs/s/report.html")
    opening = page[page.index('<header id="finding">') : page.index("</header>")]
    assert "Rating set &#39;ctrs&#39; has no score: no answer from the model (4 sessions)." in opening
    assert "Failed: ratings.ctrs: 4 sessions: no such rubric" in opening
    remade = project.run("report", "runs/s", "--allow-local-plugins")
    assert remade.code == 0
    assert "Failed: ratings.ctrs: 4 sessions: no such rubric" in project.read("runs/s/report.html")


def test_a_mended_run_takes_the_list_away(study_project: MakeProject) -> None:
    project = project_of(study_project, {"A": "refuse x", "B": "0 0"})
    assert project.run("study.yaml", "--allow-local-plugins").code == 3
    project.write("s.csv", project.read("s.csv").replace("refuse x", "0 0"))
    assert project.run("study.yaml", "--allow-local-plugins").code == 0
    assert not (project.folder / "runs/s/failures.jsonl").exists()


def test_a_server_that_knows_no_such_model_is_asked_once_and_again_by_the_next_run(study_project: MakeProject) -> None:
    with listening(MockServer([Fault("404")] * 9)) as server:
        study = STUDY.replace("{using: coded}", f'{{using: openai, base_url: "{server.url}", model: m}}')
        project = project_of(study_project, {"A": "0 0", "B": "0 0"}, study)
        done = project.run("study.yaml", "--allow-local-plugins")
        assert (done.code, server.calls) == (3, 1)
        assert "failed: ratings.ctrs: 4 sessions: the server refuses the request (404): mock says 404" in done.err
        assert project.run("study.yaml", "--allow-local-plugins").code == 3
        assert server.calls == 2


@pytest.mark.parametrize(
    ("status", "said", "all_of_them"),
    [
        (404, "Not Found", True),
        (422, "no such rubric", True),
        (422, "rubric 'ctrs' is not known here", True),
        (422, "the prompt is too long: unknown reason", False),
        (422, "unprocessable", False),
        (403, "forbidden", True),
        (403, "your input was flagged by moderation", False),
        (400, "The model `m` does not exist", True),
        (400, "Invalid model name passed in model=m", True),
        (400, "Unsupported parameter: 'top_p'", None),
        (413, "too large", None),
    ],
)
def test_a_refusal_is_about_every_request_or_about_this_one(status: int, said: str, all_of_them: bool | None) -> None:
    assert would_refuse_all(status, said) is all_of_them


def test_a_session_too_long_for_a_rater_is_told_and_the_others_are_rated(study_project: MakeProject) -> None:
    from tests.helpers.imported_study import STUDY as IMPORTED
    from tests.helpers.imported_study import TRANSCRIPTS

    study = IMPORTED.replace("raters: [rater]", "raters: [rater], max_chars: 1000")
    text = TRANSCRIPTS + "d,patient," + "I could not sleep. " * 80 + ",poor\n"
    outcome = study_project({"study.yaml": study, "t.csv": text}).run()
    assert outcome.code == 0
    assert "left unscored: rating set 'ctrs': 1 of 4 sessions unscored: too long for the rater" in outcome.err
