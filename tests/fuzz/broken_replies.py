"""Replies of servers with something wrong in them: the body's values, its text, its packing, the head."""

from __future__ import annotations

import gzip
import json
import socketserver
import threading
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import broken_bytes, broken_document, document_text
from tests.fuzz.project import SPEC_FILES, STUDY, write

ITEM = {
    "rationale": "It is so.",
    "evidence": [{"turn": 1, "quote": "work on today"}],
    "absent": False,
    "score": 3,
    "unscored_reason": None,
}
ANSWER = {"items": {"agenda": ITEM, "clarity": ITEM}}
BODY = {
    "id": "x",
    "model": "m",
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "", "reasoning_content": "So."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.01},
}
STATUSES = ("200 OK",) * 6 + (
    "400 Bad Request",
    "401 Unauthorized",
    "404 Not Found",
    "500 Oops",
    "999 Odd",
    "302 Found",
    "\x1b[2J",
    "",
)
HEADERS = (b"",) * 6 + (
    *(
        b"Location: http://127.0.0.1:1/\x1b]0;gone\x07\r\n",
        b"X: " + b"y" * 20_000 + b"\r\n",
        b"Content-Encoding: gzip\r\n",
    ),
    *(b"Content-Encoding: br\r\n", b"Content-Type: text/plain; charset=hex\r\n", b"Set-Cookie: a=b\r\n", b"Broken\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Date: Mon, 01 Jan 0001 00:00:00 -0000\r\n", b"Content-Length: -5\r\n"),
)


def break_reply(folder: Path, chance: Random) -> list[tuple[str, ...]]:
    """Have the server answer with a broken reply, and write a study whose rater asks it."""
    server = _server()
    server.answer = _reply(chance)
    model = (
        f"{{using: openai, base_url: 'http://127.0.0.1:{server.server_address[1]}/v1', model: m, timeout_seconds: 2, "
    )
    model += "limits: {tries: 1, first_wait_seconds: 0.001, longest_wait_seconds: 0.002, patience_seconds: 0.01, faults_to_stop: 3}}"
    study = STUDY[: STUDY.index("analysis:")].replace("{using: lexical-rater}", model, 1)
    study = study.replace("raters: [rater, other], repeats: 2", "raters: [rater]")
    rows = SPEC_FILES["t.csv"].splitlines()[:5]
    write(folder, SPEC_FILES | {"study.yaml": study, "t.csv": "\n".join(rows) + "\n"})
    return [("study.yaml",), ("status", "runs/fuzzed"), ("journal", "export", "runs/fuzzed", "x.gz")]


def _reply(chance: Random) -> bytes:
    answer = document_text(broken_document(ANSWER, chance) if chance.random() < 0.5 else ANSWER)
    if chance.random() < 0.3:
        answer = broken_bytes(answer.encode("utf-8", "surrogatepass"), chance).decode("utf-8", "replace")
    body: Any = json.loads(json.dumps(BODY))
    body["choices"][0]["message"]["content"] = answer
    if chance.random() < 0.6:
        body = broken_document(body, chance)
    content = document_text(body).encode("utf-8", "surrogatepass")
    if chance.random() < 0.2:
        content = broken_bytes(content, chance)
    if (header := chance.choice(HEADERS)) == b"Content-Encoding: gzip\r\n" and chance.random() < 0.5:
        content = gzip.compress(content)
    head = f"HTTP/1.1 {chance.choice(STATUSES)}\r\nContent-Type: application/json\r\n".encode("latin-1", "replace")
    whole = head + b"Content-Length: %d\r\nConnection: close\r\n" % len(content) + header + b"\r\n" + content
    return broken_bytes(whole, chance) if chance.random() < 0.1 else whole


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address = True, True
    answer = b""


class _Handler(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self) -> None:
        """Read one request and say what is to be said."""
        length = 0
        try:
            while (line := self.rfile.readline(65_536)) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.rfile.read(length)
            self.wfile.write(self.server.answer)  # type: ignore[attr-defined]
        except OSError:
            return


@cache
def _server() -> _Server:
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
