"""Draws that are bought in batches: whatever a vendor does, each is paid for once, and what fails is tried again by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cbtrun.calls import batch_course
from cbtrun.calls.budget import Budget, BudgetLimits
from cbtrun.contract.models import Reply
from cbtrun.errors import ModelError, StopRun
from cbtrun.journal.journal import Journal
from cbtrun.plugins.mock_server.batches import BatchShop
from cbtrun.plugins.mock_server.in_thread import listening
from tests.helpers.batch_runs import VENDORS, batch_states, quick, run, shop_server

pytestmark = pytest.mark.parametrize("vendor", VENDORS)
DRAWS = range(6)
TWO_TRIES = {"limits": {"batch": True, "batch_poll_seconds": 0.001, "first_wait_seconds": 0.001, "tries": 2}}


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield


def test_draws_make_one_batch_and_each_gets_its_own_answer_whatever_the_order(tmp_path: Path, vendor: str) -> None:
    shop = BatchShop(faults=["shuffled"])
    with listening(shop_server(shop)) as server:
        ran = run(tmp_path, vendor, server, DRAWS)
        assert (len(ran.texts), len(shop.batches), server.calls) == (6, 1, 0), ran.errors
        again = run(tmp_path, vendor, server, DRAWS)
    assert again.texts == ran.texts
    assert (len(shop.batches), set(shop.paid.values()), shop.twice) == (1, {1}, [])
    assert all(isinstance(one, Reply) and one.bought == "batch" for one in ran.replies)


def test_an_answer_has_the_key_of_a_direct_call(tmp_path: Path, vendor: str) -> None:
    with listening(shop_server(BatchShop())) as server:
        by_batch = run(tmp_path, vendor, server, DRAWS)
        direct = run(tmp_path, vendor, server, range(9), batched=False)
        assert direct.texts[:6] == by_batch.texts
        assert server.calls == 3
        assert run(tmp_path, vendor, server, range(9)).texts == direct.texts


@pytest.mark.parametrize(("fault", "failed"), [("partial", 2), ("missing", 2), ("expired", 3)])
def test_what_failed_or_expired_is_tried_again_by_itself_and_what_was_done_is_kept(
    tmp_path: Path, vendor: str, fault: str, failed: int
) -> None:
    shop = BatchShop(faults=[fault])
    with listening(shop_server(shop)) as server:
        ran = run(tmp_path, vendor, server, DRAWS)
    assert len(ran.texts) == 6, ran.errors
    assert [len(one.requests) for one in shop.batches] == [6, failed]
    assert (ran.tally.retries.total(), set(shop.paid.values()), shop.twice) == (failed, {1}, [])


def test_what_fails_in_every_batch_is_a_failed_draw(tmp_path: Path, vendor: str) -> None:
    shop = BatchShop(faults=["partial", "partial"])
    with listening(shop_server(shop)) as server:
        ran = run(tmp_path, vendor, server, DRAWS, **TWO_TRIES)
        (error,) = ran.errors
        assert isinstance(error, ModelError)
        assert "2 tries failed, in batches; last: 500" in str(error)
        assert len(ran.texts) == 5
        assert len(run(tmp_path, vendor, server, DRAWS).texts) == 6
    assert (set(shop.paid.values()), shop.twice) == ({1}, [])


def test_an_answer_that_is_too_long_is_a_fault_of_its_draw(
    tmp_path: Path, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_course, "MOST_BODY", 10)
    with listening(shop_server(BatchShop())) as server:
        ran = run(tmp_path, vendor, server, range(1), **TWO_TRIES)
    (error,) = ran.errors
    assert isinstance(error, ModelError)
    assert "the answer is longer than 8 MiB" in str(error)


def test_a_refused_request_fails_alone_and_with_the_words_of_a_direct_call(tmp_path: Path, vendor: str) -> None:
    with listening(shop_server(BatchShop(faults=["refused"]))) as server:
        ran = run(tmp_path, vendor, server, DRAWS)
    assert len(ran.texts) == 4
    assert {str(one).partition(":")[0] for one in ran.errors} == {"the server refuses the request (400)"}


def test_a_cancelled_batch_keeps_what_was_done_and_asks_for_the_rest_by_the_next_command_alone(
    tmp_path: Path, vendor: str
) -> None:
    shop = BatchShop(faults=["cancelled"])
    with listening(shop_server(shop)) as server:
        ran = run(tmp_path, vendor, server, DRAWS)
        assert any(isinstance(one, StopRun) and "was cancelled at the vendor" in str(one) for one in ran.errors)
        assert len(shop.batches) == 1
        assert len(run(tmp_path, vendor, server, DRAWS).texts) == 6
    assert ([len(one.requests) for one in shop.batches], set(shop.paid.values())) == ([6, 3], {1})


FAILS_AS_A_WHOLE = ("openai", "google")
"""Anthropic checks a batch when it is handed in, and knows no batch that fails later."""


@pytest.mark.parametrize("fault", ["too-large", "queue"])
def test_a_batch_that_is_too_large_is_made_smaller(tmp_path: Path, vendor: str, fault: str) -> None:
    shop = BatchShop(faults=[fault if vendor in FAILS_AS_A_WHOLE else "too-large"])
    with listening(shop_server(shop)) as server:
        ran = run(tmp_path, vendor, server, DRAWS)
    assert len(ran.texts) == 6, ran.errors
    taken = [len(one.requests) for one in shop.batches if one.fault != "queue"]
    assert sum(taken) == 6
    assert max(taken) == 3
    assert set(shop.paid.values()) == {1}


def test_a_batch_that_is_refused_as_a_whole_fails_every_draw_in_the_vendors_words(tmp_path: Path, vendor: str) -> None:
    with listening(shop_server(BatchShop(faults=["failed"]))) as server:
        ran = run(tmp_path, vendor, server, DRAWS)
    if vendor in FAILS_AS_A_WHOLE:
        (error,) = ran.errors
        assert "was refused as a whole: The model does not exist." in str(error)
        assert batch_states(tmp_path) == ["failed"]


def test_a_submission_whose_answer_was_lost_is_found_also_in_a_list_that_lags(tmp_path: Path, vendor: str) -> None:
    shop = BatchShop(faults=["lost"], lag=2)
    with listening(shop_server(shop)) as server:
        ran = run(tmp_path, vendor, server, DRAWS)
    assert len(ran.texts) == 6, ran.errors
    assert (len(shop.batches), set(shop.paid.values()), shop.twice) == (1, {1}, [])


@pytest.mark.parametrize("fault", ["lost-before", "500"])
def test_a_submission_that_is_not_found_stops_the_run_and_is_never_made_again_by_itself(
    tmp_path: Path, vendor: str, fault: str
) -> None:
    shop = BatchShop(faults=[fault])
    with listening(shop_server(shop)) as server:
        for _ in range(2):
            ran = run(tmp_path, vendor, server, DRAWS, prices={"input": 1.0, "output": 1000.0})
            (error,) = ran.errors
            assert isinstance(error, StopRun)
            assert (error.exit_code, ran.texts, shop.batches) == (4, [], [])
            # 6 replies of at most 50 tokens at half of $1,000 a million, and what is asked.
            assert "What may have been paid: 6 requests, at most $0.15. It is not submitted again" in str(error)
            assert f"cbtrun journal pending {tmp_path} --not-submitted" in str(error)
    assert batch_states(tmp_path) == ["submitting"]


def test_a_batch_that_waits_is_waited_for_also_when_batches_are_no_longer_wanted(tmp_path: Path, vendor: str) -> None:
    shop = BatchShop(looks=10**6)
    with listening(shop_server(shop)) as server:
        stopped = run(tmp_path, vendor, server, DRAWS, end_after=0.5)
        assert batch_states(tmp_path) == ["submitted"], stopped.errors
        shop.looks = 0
        ran = run(tmp_path, vendor, server, DRAWS, batched=False)
    assert (len(ran.texts), server.calls, len(shop.batches)) == (6, 0, 1)


def test_a_rate_limit_at_the_submission_is_waited_for(tmp_path: Path, vendor: str) -> None:
    shop = BatchShop(faults=["429", "429"])
    with listening(shop_server(shop)) as server:
        assert len(run(tmp_path, vendor, server, DRAWS).texts) == 6
    assert len(shop.batches) == 1


def test_a_budget_holds_for_batches_at_their_price(tmp_path: Path, vendor: str) -> None:
    budget, prices = Budget(BudgetLimits(usd=0.11)), {"input": 0.0, "output": 1000.0}
    with listening(shop_server(BatchShop())) as server:
        ran = run(tmp_path, vendor, server, range(8), budget=budget, prices=prices)
    # Each is set aside 50 tokens at $500 a million: $0.025. Four fit at first; what they cost tells that more do.
    assert len(ran.texts) >= 4
    assert budget.spent_usd <= 0.11
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.spent().usd == pytest.approx(budget.spent_usd)
