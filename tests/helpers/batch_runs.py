"""Draws handed in by batches to the mock server, in one process, with deaths at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from cbtrun.calls.budget import Budget
from cbtrun.calls.calls import CallDesk, OpenModels
from cbtrun.calls.tally import Tally
from cbtrun.calls.transport import Answer, Transport
from cbtrun.contract.models import ChatMessage, Draw, Model, ModelContext, Reply, Request
from cbtrun.documents.schema import with_defaults
from cbtrun.journal.journal import Journal
from cbtrun.journal.writer import CallRow, JournalWriter
from cbtrun.keys.secrets import KeyRing
from cbtrun.plugins.mock_server.batches import BatchShop
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.plugins.remote_models import anthropic_messages, google_genai, openai_chat

VENDORS = ("openai", "anthropic", "google")
PLUGINS = {"openai": openai_chat, "anthropic": anthropic_messages, "google": google_genai}
KEY = "k-0123456789abcdef"
LIMITS = {"batch": True, "batch_poll_seconds": 0.001, "first_wait_seconds": 0.001, "longest_wait_seconds": 0.002}


class Killed(BaseException):
    """The process is dead: nothing that it does from here on reaches the disk or the network."""


@dataclass
class Deaths:
    """Counts what reaches the disk or the network, and dies before or after the n-th of it."""

    at: int | None = None
    """Before the first is 0, after it 1, before the second 2 ...; none lives on."""
    dead: bool = False
    count: int = 0
    steps: list[str] = field(default_factory=list)

    def moment(self, what: str) -> None:
        """One moment at which the process may die."""
        if self.dead:
            raise Killed
        if self.at is not None and self.count == self.at:
            self.dead = True
            raise Killed
        self.count += 1
        self.steps.append(what)


@contextmanager
def dying(deaths: Deaths) -> Iterator[None]:
    """Every commit of a batch's course and every request is a moment, before it and after it."""
    change, ask, put = JournalWriter.change, Transport.ask, JournalWriter.put

    def changed(self: JournalWriter, sql: str, row: Any, also: str = "", rows: Any = ()) -> None:
        deaths.moment(f"before {sql[:30]}")
        change(self, sql, row, also, rows)
        deaths.moment(f"after {sql[:30]}")

    def putting(self: JournalWriter, entry: Any) -> None:
        if isinstance(entry, CallRow):
            deaths.moment("before a reply is kept")
        elif deaths.dead:
            raise Killed
        put(self, entry)

    async def asked(self: Transport, method: str, url: str, headers: Any, body: bytes | None = None) -> Answer:
        path = f"{method} {url.partition('/v1')[2][:30]}"
        deaths.moment(f"before {path}")
        answer = await ask(self, method, url, headers, body)
        deaths.moment(f"after {path}")
        return answer

    with (
        mock.patch.object(JournalWriter, "change", changed),
        mock.patch.object(JournalWriter, "put", putting),
        mock.patch.object(Transport, "ask", asked),
    ):
        yield


def request(number: int, attempt: int = 1) -> Request:
    """A draw about one session."""
    messages = (ChatMessage("system", "You rate."), ChatMessage("user", f"Session {number}: how was it?"))
    return Request(messages, Draw("rater", f"s{number}", attempt=attempt), max_tokens=50, about=f"s{number}")


def model_of(vendor: str, server: MockServer, **more: Any) -> Model:
    """A model whose block hands calls in by batches, on the mock server."""
    keys = KeyRing({"MOCK_KEY": KEY}, {}, (("MOCK_KEY", "127.0.0.1"),))
    plugin = PLUGINS[vendor]
    address = server.url if vendor == "openai" else server.root
    block = {"base_url": address, "model": "big", "api_key_env": "MOCK_KEY", "limits": LIMITS, **more}
    schema = plugin.options_schema("models")
    assert schema is not None
    return plugin.open_model(ModelContext("rater", dict(with_defaults(block, schema)), keys=keys))


@dataclass
class Ran:
    """What came of one run."""

    replies: list[Reply | BaseException]
    tally: Tally

    @property
    def texts(self) -> list[str]:
        """What was said."""
        return [one.text for one in self.replies if isinstance(one, Reply)]

    @property
    def errors(self) -> list[BaseException]:
        """What went wrong, each kind of words once."""
        return [*{str(one): one for one in self.replies if isinstance(one, BaseException)}.values()]


def run(  # noqa: PLR0913 - what a test may vary of one run
    folder: Path,
    vendor: str,
    server: MockServer,
    numbers: Iterable[int],
    *,
    batched: bool = True,
    budget: Budget | None = None,
    end_after: float | None = None,
    **more: Any,
) -> Ran:
    """One run of a process: all draws asked for side by side, as a stage does. end_after: seconds until Ctrl-C."""

    async def ask_all() -> list[Reply | BaseException]:
        models = OpenModels(desk, lambda _: model_of(vendor, server, **more))
        async with models.use("rater") as calls:
            asked = [asyncio.ensure_future(calls.reply(request(number))) for number in numbers]
            if end_after is not None:
                asyncio.get_running_loop().call_later(end_after, lambda: [one.cancel() for one in asked])
            return await asyncio.gather(*asked, return_exceptions=True)

    tally = Tally()
    with Journal(folder / "journal.sqlite") as journal:
        journal.batches.discard_unsent()
        desk = CallDesk(journal, 7, "ratings.x", tally, budget=budget)
        desk.batched = lambda name, model: batched  # noqa: ARG005 - whatever the model
        return Ran(asyncio.run(ask_all()), tally)


@contextmanager
def quick() -> Iterator[None]:
    """Draws gather for a moment only, and a vendor's list is looked at without waiting."""
    with (
        mock.patch("cbtrun.calls.batch_desk.GATHER_SECONDS", 0.02),
        mock.patch("cbtrun.calls.batch_course.FIND_PAUSES", (0.0, 0.001, 0.001)),
    ):
        yield


def batch_states(folder: Path) -> list[str]:
    """State of each batch in the journal, the oldest first."""
    with Journal(folder / "journal.sqlite") as journal:
        return [one.state for one in journal.batches.all()]


def shop_server(shop: BatchShop) -> MockServer:
    """A server whose answers differ by draw and by how often they were asked for."""
    return MockServer(shop=shop, serials=True)
