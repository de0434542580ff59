"""Every fault of a server: nothing lost, nothing doubled, a clear message."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.models import Model
from cbtrun.errors import AccessRefused, ModelError, StopRun
from cbtrun.journal.journal import retries_in
from cbtrun.plugins.mock_server.answers import default_answer
from cbtrun.plugins.mock_server.broken_http import BROKEN_HTTP
from cbtrun.plugins.mock_server.server import Fault
from tests.helpers.chat_calls import ask, request
from tests.helpers.remote_models import VENDORS, model_of

MENDED_BY_ASKING_AGAIN = [
    Fault("429", seconds=0.01),
    Fault("500"),
    Fault("502"),
    Fault("503"),
    Fault("drop"),
    Fault("drop-mid-body"),
    Fault("truncated-json"),
    Fault("wrong-schema"),
    Fault("error-in-200"),
    Fault("no-json"),
]


@pytest.mark.parametrize("fault", MENDED_BY_ASKING_AGAIN, ids=lambda fault: fault.kind)
def test_a_passing_fault_is_asked_again_kept_and_counted_for_its_arm(tmp_path: Path, fault: Fault) -> None:
    heard = ask(tmp_path, [fault], [request(label="cbt")])
    assert heard.texts == [default_answer(heard.server.bodies[-1])]
    assert heard.server.calls == 2
    assert heard.kept == 1
    assert [label for label, _, _ in heard.faults] == ["cbt"]
    assert heard.tally.retries == {"cbt": 1}


def test_429_without_retry_after_is_asked_again(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("429"), Fault("429")])
    assert len(heard.texts) == 1
    assert [kind for _, kind, _ in heard.faults] == ["limited"]
    assert heard.tally.retries == {"": 2}


PUT_OFF = [
    Fault("429"),
    Fault("429", retry_after="0"),
    Fault("429", retry_after="-5"),
    Fault("429", retry_after="Mon, 01 Jan 2001 00:00:00 GMT"),
]


@pytest.mark.parametrize("fault", PUT_OFF, ids=lambda fault: fault.retry_after or "none")
def test_a_call_that_is_put_off_again_and_again_is_one_row_of_the_journal_with_its_count(
    tmp_path: Path, fault: Fault
) -> None:
    heard = ask(tmp_path, [*[fault] * 25, Fault("500"), *[fault] * 5], [request(label="cbt")])
    assert len(heard.texts) == 1
    assert heard.server.calls == 32
    assert [kind for _, kind, _ in heard.faults] == ["limited", "fault", "limited"]
    assert heard.tally.retries == {"cbt": 31}
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        assert [one for (one,) in connection.execute("SELECT tries FROM faults ORDER BY rowid")] == [25, 1, 5]
        assert retries_in(connection) == {"sessions": {"cbt": 31}}


BROKEN = {
    "header-flood": "more headers than any needs",
    "header-long": "longer than 8,190 bytes",
    "header-broken": "a header of its answer cannot be read",
    "status-garbage": "does not begin with a status line of HTTP",
    "status-none": "the status 999, which is none of HTTP's",
    "length-negative": "the length that its answer states is no length",
    "chunks-broken": "the chunks of its answer cannot be read",
    "packed-garbage": "packed in a way that cannot be unpacked",
    "no-utf8": "the answer is no text (UTF-8)",
    "no-body": "the status 204, with which no reply comes",
}


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # inside Google's SDK
@pytest.mark.parametrize("vendor", VENDORS)
def test_an_answer_that_is_no_http_is_a_fault_with_its_name_at_every_vendor(tmp_path: Path, vendor: str) -> None:
    def open_with(url: str, **chosen: Any) -> Model:
        return model_of(vendor, url.removesuffix("/v1") if vendor != "openai" else url, **chosen)

    assert set(BROKEN) == set(BROKEN_HTTP)
    limits = {"tries": len(BROKEN) + 1}
    heard = ask(tmp_path, [Fault(kind) for kind in BROKEN], open_with=open_with, limits=limits)
    assert len(heard.texts) == 1, heard.replies
    assert [kind for _, kind, _ in heard.faults] == ["fault"] * len(BROKEN)
    for (_, _, error), words in zip(heard.faults, BROKEN.values(), strict=True):
        assert words in error
        assert error.isprintable()


def test_a_hang_is_given_up_after_the_timeout_and_asked_again(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("hang", seconds=30)], timeout_seconds=0.2)
    assert len(heard.texts) == 1
    assert heard.faults[0][2] == "no whole answer within 0.2 s"


def test_a_slow_drip_is_held_to_the_timeout_of_the_whole_answer(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("drip", seconds=0.02)], timeout_seconds=0.3)
    assert len(heard.texts) == 1
    assert heard.faults[0][2] == "no whole answer within 0.3 s"


def test_a_huge_reply_is_not_read_to_its_end(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("huge")], max_reply_mib=1)
    assert len(heard.texts) == 1
    assert heard.faults[0][2] == "the answer is longer than max_reply_mib (1 MiB)"


def test_half_a_body_is_named_and_never_an_answer(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("truncated-json")] * 2, limits={"tries": 2})
    assert heard.kept == 0
    assert "2 tries failed; last: the answer is no whole JSON" in heard.error


def test_an_empty_reply_is_a_reply(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("empty")])
    (reply,) = heard.replies
    assert (getattr(reply, "text", None), getattr(reply, "finish", None)) == ("", "stop")
    assert heard.server.calls == 1


def test_a_filtered_reply_is_no_turn_and_says_so(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("content-filter")])
    assert "withheld its reply as patient (finish_reason: content_filter); nothing came" in heard.error
    assert (heard.server.calls, heard.kept) == (1, 0)


def test_a_refused_parameter_is_named_and_not_tried_again(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("400")], top_p=0.5)
    assert isinstance(heard.replies[0], ModelError)
    assert "(400): Unsupported parameter: 'top_p' (parameter: top_p)" in heard.error
    assert heard.server.calls == 1
    assert [kind for _, kind, _ in heard.faults] == ["refused"]


def test_an_unknown_model_is_the_servers_own_words(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("404")])
    assert heard.error == "the server refuses the request (404): mock says 404"


def test_a_server_that_refuses_everything_ends_the_run(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("400")] * 3, [request(f"p{n}") for n in range(3)], limits={"faults_to_stop": 3})
    assert sum(isinstance(one, AccessRefused) for one in heard.replies) == 1
    assert any("refused every call so far" in str(one) for one in heard.replies)


def test_a_key_that_is_not_accepted_ends_the_run_as_the_users_error(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("401")], api_key_env="MOCK_KEY")
    (error,) = heard.replies
    assert isinstance(error, AccessRefused)
    assert error.exit_code == 2


def test_an_account_without_money_stops_the_run_and_keeps_all(tmp_path: Path) -> None:
    heard = ask(tmp_path, [None, Fault("402")], [request("a"), request("b")])
    assert sum(isinstance(one, StopRun) and one.exit_code == 4 for one in heard.replies) == 1
    assert heard.kept == 1


def test_a_redirect_is_refused_and_not_followed(tmp_path: Path) -> None:
    heard = ask(tmp_path, [Fault("redirect")])
    assert isinstance(heard.replies[0], AccessRefused)
    assert "http://elsewhere.example" in heard.error
    assert heard.server.calls == 1


def test_a_server_that_is_down_stops_the_run_with_one_message(tmp_path: Path) -> None:
    requests = [request(f"p{n}") for n in range(8)]
    heard = ask(tmp_path, [Fault("500")] * 100, requests, limits={"tries": 3, "faults_to_stop": 20})
    stops = [str(one) for one in heard.replies if isinstance(one, StopRun)]
    assert any("seems to be down" in stop and "mock says 500" in stop for stop in stops)
    assert heard.server.calls == 24


def test_one_bad_request_does_not_stop_a_server_that_answers_others(tmp_path: Path) -> None:
    heard = ask(tmp_path, [*[Fault("500")] * 3], [request("bad")], limits={"tries": 3, "faults_to_stop": 20})
    assert isinstance(heard.replies[0], ModelError)
    assert not isinstance(heard.replies[0], StopRun)


def test_nothing_is_lost_or_doubled_when_a_fifth_of_all_calls_fail(tmp_path: Path) -> None:
    requests = [request(f"p{n}", text=f"hello {n}") for n in range(200)]
    heard = ask(
        tmp_path, requests=requests, server={"fault_rate": 0.2, "seed": 3, "serials": True}, limits={"tries": 9}
    )
    assert len(heard.texts) == heard.kept == 200
    assert len(set(heard.texts)) == 200
    assert all(len(serials) == 1 for serials in heard.server.answered.values())
    assert heard.tally.retries.total() == heard.server.met.total() > 20


def test_a_server_that_never_listened_is_a_fault_that_names_the_connection(tmp_path: Path) -> None:
    from tests.helpers.chat_calls import model_at

    heard = ask(
        tmp_path, open_with=lambda _, **chosen: model_at("http://127.0.0.1:9/v1", **chosen), limits={"tries": 2}
    )
    assert "127.0.0.1:9: 2 tries failed; last: connection failed" in heard.error
