"""A run and the doctor go through the environment's proxy alike, whatever the vendor's SDK does by itself."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import StudyProject

HOST = "http://llm.example.test"
KEY = "a-key-long-enough-to-be-one"
VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
STUDY = """
cbtrun: 1
study: s
contains: none
models:
  t: {using: %s, base_url: "%s", model: talker-1, api_key_env: MOCK_KEY, max_tokens: 40, limits: {tries: 1, faults_to_stop: 1, first_wait_seconds: 0.01}}
  p: {using: scripted-patient}
personas: {e: {using: files, path: eval-120, first: 1}}
arms: {a: {therapist: t}}
sessions: {using: dialogue, patient: p, personas: e, max_turns: 2}
"""


class Proxy(ThreadingHTTPServer):
    """A forward proxy on loopback that knows one host."""

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.target, self.asked = target, 0


class _Forward(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self.server.asked += 1
        length = int(self.headers.get("Content-Length") or 0)
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in ("host", "accept-encoding")
        }
        address = self.server.target + self.path.removeprefix(HOST)
        asked = urllib.request.Request(address, self.rfile.read(length) or None, headers, method=self.command)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before a mock server, and an environment that names neither yet."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOCK_KEY", KEY)
    with listening(MockServer(models=("talker-1",), key=KEY)) as server:
        made = Proxy(server.root)
        Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        made.shutdown()
        made.server_close()


Project = Callable[[Mapping[str, str]], StudyProject]


@pytest.mark.parametrize(("using", "path"), [("openai", "/v1"), ("google", ""), ("anthropic", "")])
@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_a_run_goes_through_the_proxy_as_the_doctor_does(
    study_project: Project, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, using: str, path: str, variable: str
) -> None:
    if using != "openai":
        pytest.importorskip("google.genai" if using == "google" else "anthropic")
    address = f"http://127.0.0.1:{proxy.server_port}"
    monkeypatch.setenv(variable, address)
    allow = ("--allow-host", f"MOCK_KEY={HOST}", "--allow-host", f"MOCK_KEY={address}")
    project = study_project({"study.yaml": STUDY % (using, HOST + path)})
    doctor = project.run("doctor", "study.yaml", "--online", *allow)
    assert "answers and has 'talker-1'" in doctor.out, doctor.out
    seen = proxy.asked
    outcome = project.run("study.yaml", *allow)
    assert outcome.code == 0, outcome.err
    assert proxy.asked == seen + 1


def test_a_host_in_no_proxy_is_asked_directly_by_both(
    study_project: Project, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
    monkeypatch.setenv("NO_PROXY", ".example.test")
    project = study_project({"study.yaml": STUDY % ("openai", f"{HOST}/v1")})
    allow = ("--allow-host", f"MOCK_KEY={HOST}")
    assert "does not answer" in project.run("doctor", "study.yaml", "--online", *allow).out
    assert project.run("study.yaml", *allow).code == 4
    assert proxy.asked == 0
