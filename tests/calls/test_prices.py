"""What a reply cost: by kinds of tokens, in a batch, a request; as the provider says, the study, or the vendor's page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from cbtrun.calls.price_list import listed_prices, price_list
from cbtrun.calls.server_terms import Prices, priced, prices_of
from cbtrun.contract.models import Reply

MILLION = 10**6
ALL = {"input": 10, "output": 100, "cached_input": 1, "cache_write": 12, "thinking": 50, "per_request": 0.25}
REPLY = Reply("", tokens_in=4 * MILLION, tokens_out=2 * MILLION, cached=2 * MILLION, written=MILLION, thought=MILLION)


def cost(reply: Reply, **prices: Any) -> float | None:
    return priced(reply, prices_of({"prices": prices})).usd


def test_each_kind_of_tokens_has_its_price_and_so_has_a_request() -> None:
    assert cost(REPLY, **ALL) == pytest.approx(10 + 2 * 1 + 12 + 100 + 50 + 0.25)


def test_a_kind_without_a_price_costs_what_all_others_do() -> None:
    assert cost(REPLY, input=10, output=100) == pytest.approx(40 + 200)


def test_a_batch_costs_half_of_the_tokens_or_what_the_study_says_and_the_whole_fee() -> None:
    batched = Reply("", tokens_in=MILLION, tokens_out=MILLION, bought="batch")
    assert cost(batched, input=10, output=100, per_request=0.25) == pytest.approx(55.25)
    assert cost(batched, input=10, output=100, batch=1) == pytest.approx(110)


def test_what_the_provider_reports_wins() -> None:
    assert cost(Reply("", tokens_in=MILLION, usd=0.5), **ALL) == 0.5


def test_more_tokens_from_the_cache_than_were_sent_cost_no_less_than_nothing() -> None:
    assert cost(Reply("", tokens_in=1, cached=5 * MILLION), input=10, output=100, cached_input=1) == pytest.approx(5)


def test_the_list_holds_at_the_vendors_own_address_for_models_that_stand_there() -> None:
    at_vendor = {"base_url": "https://api.anthropic.com", "model": "claude-opus-4-6"}
    found = prices_of(at_vendor)
    assert found is not None
    assert (found.tokens_in, found.written, found.cached, found.tokens_out) == (5, 6.25, 0.5, 25)
    assert "28 November 2026 (https://platform.claude.com/" in found.source
    assert listed_prices({**at_vendor, "model": "claude-opus-4-5-20251101"}) is not None
    assert listed_prices({**at_vendor, "model": "claude-of-next-year"}) is None
    assert listed_prices({**at_vendor, "base_url": "https://gateway.example/anthropic"}) is None
    assert listed_prices({**at_vendor, "base_url": "http://api.anthropic.com"}) is None
    own = prices_of({**at_vendor, "prices": {"input": 1, "output": 2}})
    assert own == Prices(1, 2)


def test_every_price_of_the_list_has_its_source_at_the_vendors() -> None:
    shipped = price_list()
    assert shipped["date"]
    for host, vendor in shipped["vendors"].items():
        company = host.split(".")[-2]
        for name, one in vendor["models"].items():
            source = urlsplit(one.get("source", vendor["source"]))
            assert (source.scheme, company in f"{source.hostname} claude".replace("claude", "anthropic")) == (
                "https",
                True,
            ), name
            assert 0 < one["input"] <= one["output"]
            assert one.get("cached_input", 0) <= one["input"] <= one.get("cache_write", one["input"])
