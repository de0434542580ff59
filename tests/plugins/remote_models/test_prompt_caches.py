"""Raters send one brief thousands of times: it is marked where a vendor wants that, and most of it is not paid in full again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cbtrun.contract.models import ChatMessage, Draw, Reply, Request
from cbtrun.contract.records import Session, Turn
from cbtrun.plugins.mock_server.batches import BatchShop
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.remote_models.openai_body import request_body
from cbtrun.ratings.request import Window, rating_brief, rating_request, shown_turns
from cbtrun.ratings.rubric_file import read_rubric
from tests.helpers.batch_runs import VENDORS, model_of, shop_server
from tests.helpers.chat_calls import options
from tests.helpers.places import ROOT

RATED = 20


def rating_requests() -> list[Request]:
    """What a rater of the CTRS is asked about sessions of 25 turns."""
    rubric = read_rubric(ROOT / "rubrics/ctrs.yaml")
    brief = rating_brief(rubric, rubric.items)
    made = []
    for number in range(RATED):
        words = "I tried what we said, and on Monday it went well enough until the evening."
        turns = tuple(Turn(speaker="patient", text=f"{number} {turn} {words}") for turn in range(25))
        session = Session(id=f"s{number}", draw=f"s{number}", turns=turns, ended="limit")
        made.append(rating_request(brief, Window(shown_turns(session), 25), Draw("rater", f"s{number}")))
    return made


@pytest.mark.parametrize("vendor", VENDORS)
def test_most_of_what_a_rater_reads_comes_from_the_vendors_cache(vendor: str) -> None:
    async def ask_all(model: object) -> list[Reply]:
        found = [await model.reply(one) for one in rating_requests()]  # type: ignore[attr-defined]
        await model.close()  # type: ignore[attr-defined]
        return found

    with listening(shop_server(BatchShop())) as server:
        replies = asyncio.run(ask_all(model_of(vendor, server, max_tokens=100)))
    read, cached = sum(one.tokens_in for one in replies), sum(one.cached for one in replies)
    print(f"{vendor}: {cached / read:.0%} of {read:,} tokens were in the cache")
    assert cached / read > 0.5
    assert replies[0].cached == 0
    assert (sum(one.written for one in replies) > 0) == (vendor == "anthropic")


def test_claudes_mark_stands_behind_the_brief_and_before_the_session() -> None:
    with listening(shop_server(BatchShop())) as server:
        model = model_of("anthropic", server, max_tokens=100)
        rated = rating_requests()[0]
        sent = json.loads(asyncio.run(model.batch_body(rated)))  # type: ignore[attr-defined]
    head, rest = sent["messages"][0]["content"]
    assert head["cache_control"] == {"type": "ephemeral"}
    assert head["text"].endswith("{...}}}")
    assert head["text"] + rest["text"] == rated.messages[1].content
    assert "cache_control" not in rest


def test_what_is_sent_once_is_not_marked(tmp_path: Path) -> None:
    with listening(shop_server(BatchShop())) as server:
        model = model_of("anthropic", server, max_tokens=100)
        sent = json.loads(asyncio.run(model.batch_body(Request((ChatMessage("user", "x" * 9000),), Draw("r", "s")))))  # type: ignore[attr-defined]
    assert sent["messages"] == [{"role": "user", "content": "x" * 9000}]


def test_openai_alone_is_told_which_requests_begin_alike() -> None:
    first, second = rating_requests()[:2]
    at_openai, elsewhere = options(base_url="https://api.openai.com/v1"), options(base_url="https://vllm.example/v1")
    keys = [json.loads(request_body(one, at_openai, {}))["prompt_cache_key"] for one in (first, second)]
    assert keys[0] == keys[1]
    assert "prompt_cache_key" not in json.loads(request_body(first, elsewhere, {}))
