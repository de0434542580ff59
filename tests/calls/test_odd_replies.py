"""Replies that are wrong in any way are a fault with a name, or made fit to be kept: no hang, no traceback."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cbtrun.calls.budget import Budget, BudgetLimits, Reserve
from cbtrun.calls.kept_replies import MOST_TOKENS, keepable
from cbtrun.contract.models import Reply
from cbtrun.errors import ModelError, ServerFault, StopRun
from cbtrun.journal.journal import Call, Journal
from tests.helpers.chat_calls import ask, request
from tests.helpers.raw_server import RawServer, answer_of, whole
from tests.helpers.remote_models import VENDORS, model_of

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # inside Google's SDK
DEEP = b"[" * 200_000 + b"]" * 200_000
COUNTS = (
    "null",
    "[1]",
    '"many"',
    "-5",
    "1.5",
    "1e400",
    "NaN",
    "true",
    "9" * 30,
    "9" * 4000,
    "9" * 5000,
    str(2**63),
    "{}",
)
BODIES = {
    "nothing": b"",
    "no JSON": b"<html>",
    "half": b'{"choices": [{"mess',
    "a list": b"[]",
    "a word": b'"x"',
    "null": b"null",
    "a number": b"7",
    "empty": b"{}",
    "nested deep": DEEP,
    "content nested deep": b'{"choices": %b, "candidates": %b, "content": %b}' % (DEEP, DEEP, DEEP),
    "no content": b'{"model": "m", "choices": [], "content": null, "candidates": null, "usage": {}}',
    "content of another kind": b'{"choices": 5, "candidates": 5, "content": 5}',
    "content of words": b'{"choices": ["x"], "candidates": ["x"], "content": ["x"]}',
    "parts of another kind": b'{"choices": [{"message": {"content": [5]}}], "candidates": [{"content": {"parts": [5]}}],'
    b' "content": [{"type": "text", "text": 5}]}',
    "bytes that are no text": b'{"model": "\xff\xfe"}',
}


async def _reply(vendor: str, answer: bytes) -> Any:
    async with RawServer(lambda _: answer) as server:
        model = model_of(vendor, server.url)
        try:
            return (await asyncio.gather(model.reply(request()), return_exceptions=True))[0]
        finally:
            await model.close()


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_holds_no_reply_is_a_fault_with_a_name(vendor: str, body: bytes) -> None:
    found = asyncio.run(_reply(vendor, whole(body)))
    if isinstance(found, Reply):  # some say nothing, and that is a reply
        assert found.text == ""
    else:
        assert type(found) is ServerFault
        assert str(found).startswith("the answer ")
        assert len(str(found)) < 400


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_error_that_cannot_be_read_keeps_its_status(vendor: str) -> None:
    for body in (DEEP, b'{"error": %b}' % DEEP, b'{"error": %b}' % (b"[" * 900 + b"]" * 900), b'{"error": 5}', b"\xff"):
        found = asyncio.run(_reply(vendor, whole(body, "400 Bad")))
        assert type(found) is ModelError
        assert str(found).startswith("the server refuses the request (400): ")


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_count_that_is_none_is_estimated_or_a_fault(vendor: str) -> None:
    async def all_of_them() -> list[Any]:
        return [await _reply(vendor, whole(answer_of(vendor, tokens=count))) for count in COUNTS]

    for found in asyncio.run(all_of_them()):
        assert type(found) in (Reply, ServerFault), found
        if isinstance(found, Reply):
            assert found.tokens_in in (1, 2)  # a quarter of what was sent, or `true` as Google's SDK reads it


@pytest.mark.parametrize("cost", ["NaN", "Infinity", "-5", "1e308", "9" * 4000, '"free"', "true", "[]"])
def test_a_cost_that_is_none_is_not_counted(cost: str) -> None:
    body = answer_of("openai").replace(b'"prompt_tokens": 7', b'"prompt_tokens": 7, "cost": ' + cost.encode())
    found = asyncio.run(_reply("openai", whole(body)))
    assert (found.text, found.usd) == ("Hello.", None)


@pytest.mark.parametrize("vendor", VENDORS)
def test_names_that_no_file_can_hold_are_made_fit_to_be_kept(vendor: str, tmp_path: Path) -> None:
    body = answer_of(vendor, served="m\ud800", finish="\udfff\x1b[2Jend", words="a\ud800b")

    async def kept() -> list[Any]:
        from cbtrun.calls.calls import CallDesk, OpenModels, Tally

        async with RawServer(lambda _: whole(body)) as server:
            with Journal(tmp_path / "journal.sqlite") as journal:
                desk = CallDesk(journal, 1, "sessions", Tally())
                async with OpenModels(desk, lambda _: model_of(vendor, server.url)).use("m") as calls:
                    found = await calls.reply(request())
                return [found, journal.count()]

    found, count = asyncio.run(kept())
    assert count == 1
    assert (found.text, found.served) == ("a?b", "m?")
    assert found.finish.isprintable()


def test_what_a_plugin_gives_is_bounded() -> None:
    odd: Any = Reply("x", -5, 10**30, "f" * 9999, float("nan"), "s\n\x1b[2J")
    assert keepable(odd) == Reply("x", 0, MOST_TOKENS, "f" * 300 + " ...", None, "s [2J")
    odd = Reply(None, "5", float("inf"), 7, "free", None)  # type: ignore[arg-type]  # as a careless plugin might
    assert keepable(odd) == Reply("None", 0, 0, "7", None, "None")
    plain = Reply("words", 1, 2, "stop", 0.5, "m")
    assert keepable(plain) is plain


def call(key: str, served: str = "", tokens: int = 1, usd: float | None = None) -> Call:
    return Call(key, "s", "m", "r", 1, Reply("words", tokens, tokens, served=served, usd=usd), 0.1)


@pytest.mark.parametrize("bad", [call("b", "\ud800"), call("b", tokens=2**63)], ids=["a surrogate", "a huge count"])
def test_a_row_that_cannot_be_written_ends_the_run_and_no_other_row_is_lost(tmp_path: Path, bad: Call) -> None:
    async def keep_all(journal: Journal) -> list[Any]:
        calls = [call("a"), bad, *(call(f"c{number}") for number in range(9))]
        return await asyncio.wait_for(asyncio.gather(*map(journal.keep, calls), return_exceptions=True), 20)

    with Journal(tmp_path / "journal.sqlite") as journal:
        found = asyncio.run(keep_all(journal))
        assert isinstance(found[1], StopRun)
        assert "the journal cannot hold what a model gave" in str(found[1])
        assert [one for one in found if one is not None] == [found[1]]
        assert journal.count() == 10
        asyncio.run(journal.keep(call("later")))
        assert journal.count() == 11


def test_whatever_breaks_a_commit_everybody_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("none left")

    async def keep(journal: Journal) -> list[Any]:
        together = asyncio.gather(journal.keep(call("a")), journal.keep(call("b")), return_exceptions=True)
        return await asyncio.wait_for(together, 20)

    with Journal(tmp_path / "journal.sqlite") as journal:
        monkeypatch.setattr("cbtrun.journal.writer._insert_calls", broken)
        found = asyncio.run(keep(journal))
    assert [type(one) for one in found] == [StopRun, StopRun]
    assert "the journal cannot be written (MemoryError: none left)" in str(found[0])


def test_nothing_below_zero_lifts_a_budget(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        asyncio.run(journal.keep(call("a", tokens=10, usd=1.0)))
    connection = sqlite3.connect(path)
    odd = [("b", -1000, -5.0), ("c", 2**62, None), ("d", 2**62, float("nan"))]
    for key, tokens, usd in odd:
        row = (key, "s", "m", "r", 1, "", tokens, 0, "stop", usd, 0.0, "", "", "", "", "", 0.0, 0, 0, 0, "")
        connection.execute(f"INSERT INTO calls VALUES ({','.join('?' * 21)})", row)
    connection.commit()
    connection.close()
    with Journal(path) as journal:
        spent, (usage,) = journal.spent(), journal.usage()
    assert spent.usd == usage.usd == 1.0
    assert spent.tokens >= 10**15  # more than any budget holds
    budget = Budget(BudgetLimits(tokens=100))
    budget.settle(Reserve(), Reply("", -50, -50, usd=-1.0))
    assert (budget.spent_tokens, budget.spent_usd) == (0, 0.0)


def test_a_server_that_says_negative_counts_spends_all_the_same(tmp_path: Path) -> None:
    usage = {"prompt_tokens": -1000, "completion_tokens": -1000, "cost": -1.0}
    heard = ask(tmp_path, server={"usage": usage})
    (reply,) = heard.replies
    assert isinstance(reply, Reply)
    assert reply.tokens_in > 0
    assert reply.tokens_out > 0
    assert reply.usd is None
