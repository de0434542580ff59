"""Several runs in a browser, from their own files: to this machine alone, and only to read."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from cbtrun.errors import StageError
from cbtrun.plugins.report.page import index_page
from cbtrun.plugins.report.run_comparison import compare_runs
from cbtrun.plugins.report.run_files import read_run
from cbtrun.plugins.report.transcripts import FOLDER

ADDRESS = "127.0.0.1"
SHOWN = ("report.html", "results.json", "study.lock.yaml", "tables", "figures", FOLDER)
"""What of a run folder may be read: never the journal, never transcripts that the report does not show."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Answer:
    """What the server says to one request."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


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
            return answer(runs, self.path)

        def _send(self, found: Answer, *, body: bool) -> None:
            self.send_response(found.status)
            for name, value in HEADERS.items():
                self.send_header(name, value)
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
    """What a request gets: `/`, `/compare?first=1&second=2`, or `/1/report.html`."""
    parts = urlsplit(target)
    path = unquote(parts.path)
    if path == "/":
        page = index_page({number: read_run(folder) for number, folder in runs.items()}, None)
        return Answer(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")
    if path == "/compare":
        return _comparison(runs, parse_qs(parts.query))
    number, _, inside = path.lstrip("/").partition("/")
    file = file_of(runs[number], inside) if number in runs else None
    if file is None:
        return Answer(HTTPStatus.NOT_FOUND, b"there is no such file\n")
    kind = mimetypes.guess_type(file.name)[0] or "text/plain"
    return Answer(
        HTTPStatus.OK,
        file.read_bytes(),
        kind if kind.startswith(("image/", "application/pdf")) else f"{kind}; charset=utf-8",
    )


def file_of(folder: Path, inside: str) -> Path | None:
    """The file of a run folder that a path names, if it may be shown; none for paths that lead out of it."""
    if "\x00" in inside or inside.split("/", 1)[0] not in SHOWN:
        return None
    root = folder.resolve()
    file = (root / inside).resolve()
    within = file.is_relative_to(root) and file.relative_to(root).parts[:1] == (inside.split("/", 1)[0],)
    return file if within and file.is_file() else None


def _comparison(runs: Mapping[str, Path], query: Mapping[str, list[str]]) -> Answer:
    wanted = [query.get(name, [""])[0] for name in ("first", "second")]
    if any(number not in runs for number in wanted):
        return Answer(HTTPStatus.NOT_FOUND, b"give first= and second=, numbers of the index\n")
    try:
        found = compare_runs(runs[wanted[0]], runs[wanted[1]])
    except StageError as error:
        return Answer(HTTPStatus.NOT_FOUND, f"{error}\n".encode())
    page = index_page({number: read_run(folder) for number, folder in runs.items()}, found)
    return Answer(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")
