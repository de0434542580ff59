"""`cbtrun view` shows what models thought, beside the turns, from the journal; the report shows nothing of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from cbtrun.errors import StageError
from cbtrun.plugins.report.run_server import answer
from cbtrun.testing.projects import StudyProject

STUDY = """
cbtrun: 1
study: c
contains: %s
models:
  t: {using: openai, base_url: "http://127.0.0.1:%d/v1", model: m}
  p: {using: scripted-patient}
  rater: {using: lexical-rater}
personas: {e: {using: files, path: eval-120, first: 1}}
arms: {a: {therapist: t}}
sessions: {using: dialogue, patient: p, personas: e, max_turns: 4}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
report: {using: html, transcripts: %s, tables: [csv], figures: []}
"""


class _Thinks(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = len(asked["messages"])
        message = {
            "content": f"What went through your mind in week {number}?",
            "reasoning": f"<b>She is low {number}</b>",
        }
        choice = {"message": message, "finish_reason": "stop"}
        body = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 30}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where a server listens whose model thinks."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Thinks)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


Project = Callable[[Mapping[str, str]], StudyProject]


def test_a_thought_stands_closed_beside_its_turn_and_nowhere_in_the_report(study_project: Project, port: int) -> None:
    project = study_project({"study.yaml": STUDY % ("none", port, "true")})
    assert project.run("study.yaml").code == 0
    folder = project.folder / "runs" / "c"
    session = json.loads((folder / "sessions.jsonl").read_text())["id"]
    listed = answer({"1": folder}, "/1/thinking").body.decode()
    assert f'href="/1/thinking?session={session}"' in listed
    page = answer({"1": folder}, f"/1/thinking?session={session}").body.decode()
    turn = page.partition('id="turn-1"')[2].partition('id="turn-2"')[0]
    assert "What went through your mind in week 2?" in turn
    assert "<details><summary>thinking (10 tokens)</summary>" in turn
    assert "&lt;b&gt;She is low 2&lt;/b&gt;" in turn
    assert page.count("<details>") == 2
    assert "<details open" not in page
    kept = [path for path in folder.rglob("*") if path.is_file() and b"She is low" in path.read_bytes()]
    assert {path.name for path in kept} <= {"journal.sqlite", "journal.sqlite-wal"}
    assert answer({"1": folder}, "/1/thinking?session=nobody").status == HTTPStatus.NOT_FOUND
    assert "/1/thinking" in answer({"1": folder}, "/").body.decode()
    # What it was asked and what it said, word for word, stand on a page of their own.
    assert f'href="/1/calls?session={session}"' in answer({"1": folder}, "/1/calls").body.decode()
    calls = answer({"1": folder}, f"/1/calls?session={session}").body.decode()
    first = calls.partition('id="turn-1"')[2].partition('id="turn-2"')[0]
    assert "What went through your mind in week 2?</pre>" in first
    assert "5 tokens in, 30 out, stop" in first
    assert "You are a therapist. You talk with one patient" in first
    assert "has no reply" not in calls
    assert answer({"1": folder}, "/1/calls?session=nobody").status == HTTPStatus.NOT_FOUND


def test_where_the_report_shows_no_words_no_thought_is_shown(study_project: Project, port: int) -> None:
    project = study_project({"study.yaml": STUDY % ("none", port, "false")})
    assert project.run("study.yaml").code == 0
    with pytest.raises(StageError, match="shows no words of its sessions"):
        answer({"1": project.folder / "runs" / "c"}, "/1/thinking")
    with pytest.raises(StageError, match="shows no words of its sessions"):
        answer({"1": project.folder / "runs" / "c"}, "/1/calls")
