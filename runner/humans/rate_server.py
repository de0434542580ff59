"""`cbtrun rate`: the page of each rater from this machine to its own browsers, and every change onto the disk.

Loopback alone, each rater under an address with a word that only who was given it knows. A request of another page, of
another host's name, too large or of no known kind is refused; a page shows its own rater's entries and nobody else's.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cbtrun.errors import CbtrunError, StageError
from cbtrun.files.folder_hold import no_locks
from cbtrun.humans.entries import (
    MOST_CHANGES,
    ChangeError,
    Entries,
    append_lines,
    checked_change,
    entries_file,
    now,
    read_entries,
)
from cbtrun.humans.rating_page import page_policy, rating_page
from cbtrun.humans.task import Task, task_of
from cbtrun.humans.tokens import token

if TYPE_CHECKING:
    from cbtrun.humans.rated_run import RatedRun
    from cbtrun.humans.sheet import Sheet
    from cbtrun.humans.task import Settings

ADDRESS = "127.0.0.1"
LARGEST_REQUEST = 256 * 1024
SECONDS_FOR_A_REQUEST = 15
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-DNS-Prefetch-Control": "off",
}
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Answer:
    """What the server says to one request."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    policy: str = NOTHING


@dataclass
class Desk:
    """One rater's place: what they are asked, what they entered, and the file that it goes to."""

    task: Task
    token: str
    file: Path
    entries: Entries
    turn: threading.Lock = field(default_factory=threading.Lock)
    """One change after the other, also from two windows."""

    @property
    def path(self) -> str:
        """Where the page is."""
        return f"/{self.task.rater}/{self.token}/"

    def take(self, changes: Sequence[object]) -> None:
        """Check all changes, write them to the disk, and only then hold them for true. Raises ChangeError for a wrong one."""
        checked = [checked_change(self.task, change) for change in changes]
        at = now()
        with self.turn:
            append_lines(self.file, [{"at": at, "place": place, "value": value} for place, value in checked])
            self.entries.values.update(checked)
            self.entries.times.update((place, at) for place, _ in checked)


def open_desk(run_folder: Path, task: Task, token: str) -> Desk:
    """A rater's desk with what they entered before. What they are shown is recorded where it is not so already."""
    file = entries_file(run_folder, task.sheet, task.rater)
    entries = read_entries(file)
    last = {name: value for name, value in entries.headers[-1].items() if name != "at"} if entries.headers else {}
    if last != task.header:
        append_lines(file, [{"at": now(), **task.header}])
    return Desk(task, token, file, entries)


def open_desks(run: RatedRun, sheet: Sheet, settings: Settings, codes: Sequence[str]) -> list[Desk]:
    """A desk for each code. Raises StageError for a code twice, one that is none, and one that a model of the study bears.

    Without a secret nobody can be given a word that others cannot make: a sheet of an earlier version is refused.
    """
    if not sheet.secret:
        raise StageError("the key is of an earlier version, which had no secret; --new draws another sheet")
    taken = {one.rater.casefold() for score in run.scores for one in score.singles}
    folded = [code.casefold() for code in codes]  # two names of one file on some disks
    for code, plain in zip(codes, folded, strict=True):
        if folded.count(plain) > 1:
            raise StageError(f"two raters are called {code}")
        if plain in taken:
            raise StageError(f"a model of the study is called {code}; give the person another code")
    tasks = [task_of(sheet, run.rubric, code, settings) for code in codes]
    return [open_desk(run.folder, task, token(sheet.secret, f"page of rater {task.rater}")) for task in tasks]


@contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Hold the folder of entries, so that one server alone writes there. Raises StageError when another one does."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(f"{folder}: another `cbtrun rate` serves these pages; end it first") from None
        except OSError as error:
            raise no_locks(folder, error) from None
        yield
    finally:
        os.close(opened)


class RateServer(ThreadingHTTPServer):
    """A server of desks on 127.0.0.1; `server_port` holds its port."""

    daemon_threads = True

    def __init__(self, desks: Sequence[Desk], port: int = 0) -> None:
        """Not yet serving; port 0 takes a free one."""
        self.desks = {desk.task.rater: desk for desk in desks}
        super().__init__((ADDRESS, port), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers GET, HEAD and POST; everything else is refused by the base class."""

    server: RateServer
    server_version, sys_version = "cbtrun", ""
    timeout = SECONDS_FOR_A_REQUEST

    def do_GET(self) -> None:  # the name that http.server calls
        """A rater's page."""
        self._send(self._answer(lambda: page_answer(self.server.desks, self.path)), body=True)

    def do_HEAD(self) -> None:  # the name that http.server calls
        """The same without its body."""
        self._send(self._answer(lambda: page_answer(self.server.desks, self.path)), body=False)

    def do_POST(self) -> None:  # the name that http.server calls
        """Changes of a rater."""
        self._send(self._answer(self._changes), body=True)

    def log_message(self, *_: object) -> None:
        """Nothing is logged: an address holds a rater's word."""

    def _answer(self, make: Callable[[], Answer]) -> Answer:
        if not is_own_request(self.headers, self.server.server_port):
            self.close_connection = True  # what it sends along is not read
            return Answer(HTTPStatus.FORBIDDEN, b"only for this machine\n")
        try:
            return make()
        except (CbtrunError, OSError) as error:  # the disk is full, the folder is gone: nothing was called saved
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode(errors="replace"))

    def _changes(self) -> Answer:
        length = self.headers.get("Content-Length", "")
        self.close_connection = True  # unless the whole body is read
        if self.headers.get_content_type() != "application/json" or not (length.isdecimal() and len(length) < 10):
            return Answer(HTTPStatus.BAD_REQUEST, b"JSON with its length is expected\n")
        if int(length) > LARGEST_REQUEST:
            return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"too large\n")
        return change_answer(self.server.desks, self.path, self.rfile.read(int(length)))

    def _send(self, found: Answer, *, body: bool) -> None:
        self.send_response(found.status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", found.policy)
        self.send_header("Content-Type", found.content_type)
        self.send_header("Content-Length", str(len(found.body)))
        self.end_headers()
        if body:
            self.wfile.write(found.body)


def is_own_request(headers: Message | Mapping[str, str], port: int) -> bool:
    """Whether a browser on this machine asks for its own page: by our name, and from no other page."""
    own = (f"{ADDRESS}:{port}", f"localhost:{port}")
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
    if headers.get("Host", "") not in own or (origin is not None and origin not in [f"http://{one}" for one in own]):
        return False
    return site in (None, "same-origin", "none") or headers.get("Sec-Fetch-Mode") == "navigate"


def desk_of(desks: Mapping[str, Desk], path: str) -> tuple[Desk, str] | None:
    """The desk that a path belongs to and what is asked of it; none where rater or word are wrong."""
    parts = urlsplit(path).path.split("/")
    if len(parts) != 4 or parts[1] not in desks:
        return None
    desk = desks[parts[1]]
    return (desk, parts[3]) if hmac.compare_digest(desk.token.encode(), parts[2].encode(errors="replace")) else None


def page_answer(desks: Mapping[str, Desk], path: str) -> Answer:
    """A rater's page with what they entered."""
    found = desk_of(desks, path)
    if found is None or found[1] != "":
        return Answer(HTTPStatus.NOT_FOUND, b"there is no such page\n")
    desk = found[0]
    with desk.turn:
        page = rating_page(desk.task, dict(desk.entries.values))
    policy = f"{page_policy(served=True)}; frame-ancestors 'none'"
    return Answer(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8", policy)


def change_answer(desks: Mapping[str, Desk], path: str, body: bytes) -> Answer:
    """Takes a rater's changes: 200 once they are on the disk, 400 with what is wrong and nothing taken."""
    found = desk_of(desks, path)
    if found is None or found[1] != "changes":
        return Answer(HTTPStatus.NOT_FOUND, b"there is no such page\n")
    try:
        told = json.loads(body)
        changes = told["changes"] if isinstance(told, dict) and {*told} == {"changes"} else None
        if not isinstance(changes, list) or not 0 < len(changes) <= MOST_CHANGES:
            raise ChangeError(f"expected 1 to {MOST_CHANGES} changes")
        found[0].take(changes)
    except (ValueError, RecursionError) as error:
        words = str(error) if isinstance(error, ChangeError) else "no JSON"
        return Answer(HTTPStatus.BAD_REQUEST, words.encode(errors="replace"))
    return Answer(HTTPStatus.OK, b'{"saved": true}', "application/json")
