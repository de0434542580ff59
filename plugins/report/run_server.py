"""Several runs in a browser, from their own files: to this machine alone, and only to read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from cbtrun.plugin import CbtrunError, StageError, open_plain
from cbtrun.plugins.report.calls_page import calls_page
from cbtrun.plugins.report.page import index_page
from cbtrun.plugins.report.run_comparison import compare_runs
from cbtrun.plugins.report.run_files import read_run
from cbtrun.plugins.report.run_pages import DEAD, HTML, OWN, file_policy, plain_type, readable_page, whole_chunk
from cbtrun.plugins.report.thinking_page import thinking_page
from cbtrun.plugins.report.transcripts import FOLDER

ADDRESS = "127.0.0.1"
SAVED = re.compile(r"[^A-Za-z0-9._-]")
SHOWN = ("report.html", "results.json", "study.lock.yaml", "tables", "figures", FOLDER)
"""What of a run folder may be read as a file: never the journal, never transcripts that the report does not show."""
PAGES = {"thinking": thinking_page, "calls": calls_page}
"""What is made of a run on request, of one session or as a list of all."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-DNS-Prefetch-Control": "off",
}


@dataclass(frozen=True)
class Answer:
    """What the server says to one request."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    policy: str = DEAD
    """Content security policy, sent as a header: one that stands in a page is the word of who wrote the page."""
    name: str = ""
    """Under which the browser saves it instead of showing it; empty for what is shown."""


def make_server(folders: Sequence[Path], port: int = 0) -> ThreadingHTTPServer:
    """A server of these run folders on 127.0.0.1, not yet serving; port 0 takes a free one.

    Its `server_address` holds the port. Raises StageError when a folder is no finished run.
    """
    runs = {str(at): read_run(folder).folder for at, folder in enumerate(folders, start=1)}

    class Handler(BaseHTTPRequestHandler):
        """Answers GET and HEAD; everything else is refused by the base class."""

        server_version, sys_version = "cbtrun", ""

        def do_GET(self) -> None:  # the name that http.server calls
            """One file, the index or a comparison."""
            self._send(self._answer(), body=True)

        def do_HEAD(self) -> None:  # the name that http.server calls
            """The same without its body."""
            self._send(self._answer(), body=False)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

        def _answer(self) -> Answer:
            if not is_own_host(self.headers.get("Host", ""), server.server_port):
                return Answer(HTTPStatus.FORBIDDEN, b"only for this machine\n")
            try:
                return answer(runs, self.path)
            except (CbtrunError, OSError) as error:  # the files changed under the server
                return Answer(HTTPStatus.NOT_FOUND, f"{error}\n".encode(errors="replace"))

        def _send(self, found: Answer, *, body: bool) -> None:
            self.send_response(found.status)
            for name, value in HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Security-Policy", found.policy)
            if found.name:
                self.send_header("Content-Disposition", f'attachment; filename="{found.name}"')
            self.send_header("Content-Type", found.content_type)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            if body:
                self.wfile.write(found.body)

    server = ThreadingHTTPServer((ADDRESS, port), Handler)
    server.daemon_threads = True
    return server


def is_own_host(host: str, port: int) -> bool:
    """Whether a request was sent to this machine by its own name: a page of another host that rebinds its name is not."""
    return host in (f"{ADDRESS}:{port}", f"localhost:{port}")


def answer(runs: Mapping[str, Path], target: str) -> Answer:
    """What a request gets: `/`, `/compare?first=1&second=2`, `/1/report.html`, or `/1/thinking?session=ID`, `/1/calls?session=ID`."""
    parts = urlsplit(target)
    path = unquote(parts.path)
    if path == "/":
        page = index_page({number: read_run(folder) for number, folder in runs.items()}, None)
        return Answer(HTTPStatus.OK, page.encode(), HTML, OWN)
    if path == "/compare":
        return _comparison(runs, parse_qs(parts.query))
    number, _, inside = path.lstrip("/").partition("/")
    if inside in PAGES and number in runs:
        page_of = PAGES[inside](read_run(runs[number]), number, parse_qs(parts.query).get("session", [""])[0])
        if page_of is not None:
            return Answer(HTTPStatus.OK, page_of.encode(errors="replace"), HTML, OWN)
    file = file_of(runs[number], inside) if number in runs else None
    if file is None:
        return Answer(HTTPStatus.NOT_FOUND, b"there is no such file\n")
    return file_answer(runs[number], file)


def file_of(folder: Path, inside: str) -> Path | None:
    """The file of a run folder that a path names, if it may be shown; none for paths that lead out of it."""
    if "\x00" in inside or inside.split("/", 1)[0] not in SHOWN:
        return None
    root = folder.resolve()
    try:
        file = (root / inside).resolve()
    except (OSError, RuntimeError):  # a loop of links
        return None
    within = file.is_relative_to(root) and file.relative_to(root).parts[:1] == (inside.split("/", 1)[0],)
    try:
        return file if within and file.is_file() else None
    except OSError:  # a name that no file can have
        return None


def file_answer(folder: Path, file: Path) -> Answer:
    """A file of a run as it may be shown: a page or a drawing under a policy of its own, any other as plain text."""
    with os.fdopen(open_plain(file, os.O_RDONLY, shared=True), "rb") as opened:
        body = opened.read()
    inside = file.relative_to(folder.resolve())
    if inside.parts[0] == FOLDER:
        found = whole_chunk(body)
        return Answer(HTTPStatus.OK, body, "text/javascript; charset=utf-8") if found else Answer(HTTPStatus.NOT_FOUND)
    if inside.as_posix() == "report.html":
        page = readable_page(body)
        return Answer(HTTPStatus.OK, page, HTML, file_policy(body, beside=(folder / FOLDER).is_dir()))
    kind = plain_type(file)
    return Answer(
        HTTPStatus.OK, body, kind, name="" if kind != "application/octet-stream" else SAVED.sub("_", file.name)
    )


def _comparison(runs: Mapping[str, Path], query: Mapping[str, list[str]]) -> Answer:
    wanted = [query.get(name, [""])[0] for name in ("first", "second")]
    if any(number not in runs for number in wanted):
        return Answer(HTTPStatus.NOT_FOUND, b"give first= and second=, numbers of the index\n")
    try:
        found = compare_runs(runs[wanted[0]], runs[wanted[1]])
    except StageError as error:
        return Answer(HTTPStatus.NOT_FOUND, f"{error}\n".encode())
    page = index_page({number: read_run(folder) for number, folder in runs.items()}, found)
    return Answer(HTTPStatus.OK, page.encode(), HTML, OWN)
