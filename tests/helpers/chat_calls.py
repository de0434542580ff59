"""Calls through the desk to a server of chat completions, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbtrun.calls.budget import Budget
from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.contract.models import ChatMessage, Draw, Model, ModelContext, Reply, Request
from cbtrun.documents.schema import with_defaults
from cbtrun.journal.journal import Journal
from cbtrun.keys.secrets import KeyRing
from cbtrun.plugins.mock_server.server import Fault, MockServer
from cbtrun.plugins.remote_models.openai_chat import open_model
from cbtrun.plugins.remote_models.openai_options import SCHEMA

KEY = "sk-a-key-nobody-may-see"
QUICK = {"first_wait_seconds": 0.001, "longest_wait_seconds": 0.002}
"""Limits that do not let a test wait."""


def request(subject: str = "persona", text: str = "hello", **more: Any) -> Request:
    """One patient's request."""
    return Request((ChatMessage("user", text),), Draw("patient", subject), **more)


def options(**chosen: Any) -> dict[str, Any]:
    """A model's block with defaults; quick waits unless the test sets its own."""
    limits = {**QUICK, **chosen.pop("limits", {})}
    block = {"base_url": "${MOCK_URL}", "model": "mock", "limits": limits, **chosen}
    return dict(with_defaults(block, SCHEMA))


def model_at(url: str, key: str = KEY, **chosen: Any) -> Model:
    """The plugin's model with the mock as its server."""
    keys = KeyRing({"MOCK_URL": url, "MOCK_KEY": key}, {}, (("MOCK_KEY", "127.0.0.1"),))
    model: Model = open_model(ModelContext("m", options(**chosen), keys=keys))
    return model


@dataclass
class Heard:
    """What came of some calls."""

    replies: list[Reply | BaseException]
    server: MockServer
    tally: Tally
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    """label, kind and error of each failed try in the journal."""
    kept: int = 0
    """Replies in the journal."""

    @property
    def error(self) -> str:
        """The one error's message."""
        (error,) = [one for one in self.replies if isinstance(one, BaseException)]
        return str(error)

    @property
    def texts(self) -> list[str]:
        """The replies' texts."""
        return [one.text for one in self.replies if isinstance(one, Reply)]


def ask(
    folder: Path,
    faults: Iterable[Fault | None] = (),
    requests: Iterable[Request] = (),
    *,
    server: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
    open_with: Callable[..., Model] = model_at,
    **chosen: Any,
) -> Heard:
    """Ask a mock that meets the faults, all requests at once, through a desk with the journal in `folder`."""

    async def all_of_them() -> Heard:
        async with MockServer(faults, **(server or {})) as mock:
            with Journal(folder / "journal.sqlite") as journal:
                tally = Tally()
                desk = CallDesk(journal, 1, "sessions", tally, budget=budget)
                async with OpenModels(desk, lambda _: open_with(mock.url, **chosen)).use("m") as calls:
                    asked = list(requests) or [request()]
                    replies = await asyncio.gather(*map(calls.reply, asked), return_exceptions=True)
            return heard(folder, replies, mock, tally)

    return asyncio.run(all_of_them())


def heard(folder: Path, replies: list[Reply | BaseException], mock: MockServer, tally: Tally) -> Heard:
    """The outcome, with what the journal holds."""
    import sqlite3

    connection = sqlite3.connect(folder / "journal.sqlite")
    faults = connection.execute("SELECT label, kind, error FROM faults").fetchall()
    kept = connection.execute("SELECT count(*) FROM calls").fetchone()[0]
    connection.close()
    return Heard(replies, mock, tally, faults, kept)
