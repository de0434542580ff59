"""Who answered is kept with each reply, and a model that changes while a study runs is told by arm."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.models import Model
from cbtrun.journal.served import Served, drifts, served_in
from tests.helpers.chat_calls import ask, request
from tests.helpers.remote_models import VENDORS, model_of

ONE = Served("rater", "a", "gpt-a", "fp_1", "cbt", 3, 1764200000.0, 1764203600.0)
LATER = replace(ONE, name="gpt-b", replies=2, first=1764290000.0, last=1764290000.0)


def test_a_change_of_name_is_told_from_to_when_and_by_arm() -> None:
    (found,) = drifts([LATER, ONE, replace(LATER, arm="none", replies=5)])
    assert found.sentence == (
        "the model behind `rater` changed while the study ran: gpt-a (fp_1) 3 replies (2025-11-26 23:33 to 2025-11-27 00:33 UTC), "
        "then gpt-b (fp_1) 7 replies (2025-11-28 00:33 UTC). Replies by arm, in that order: cbt 3, 2; none 0, 5"
    )


def test_a_fingerprint_alone_is_told_as_that() -> None:
    (found,) = drifts([ONE, replace(LATER, name="gpt-a", fingerprint="fp_2")])
    assert found.what == "fingerprint"
    assert "had another fingerprint while the study ran: fp_1 3 replies" in found.sentence


STEADY = {
    "one name": [ONE, replace(ONE, arm="none")],
    "two models of the study": [ONE, replace(LATER, model="patient")],
    "the study asks for another model since": [ONE, replace(LATER, asked="b")],
    "some replies state nothing": [ONE, replace(ONE, name="", fingerprint=""), replace(ONE, fingerprint="")],
}


@pytest.mark.parametrize("served", STEADY.values(), ids=STEADY.keys())
def test_what_is_no_change_is_not_told(served: list[Served]) -> None:
    assert drifts(served) == []


def test_replies_of_an_earlier_version_count_as_asked_for_by_the_one_block_there_is() -> None:
    assert len(drifts([replace(ONE, asked="", first=0.0, last=0.0), LATER])) == 1


def test_a_name_from_an_import_draws_nothing_on_a_terminal() -> None:
    (found,) = drifts([ONE, replace(LATER, name="\x1b[2J" + "x" * 500)])
    assert found.sentence.isprintable()
    assert len(found.sentence) < 500


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # inside Google's SDK
@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendors_replies_say_who_answered(tmp_path: Path, vendor: str) -> None:
    def open_with(url: str, **chosen: Any) -> Model:
        return model_of(vendor, url.removesuffix("/v1") if vendor != "openai" else url, **chosen)

    asked = [request(f"p{n}", label="cbt") for n in range(6)]
    changes = {1: ("m-1", "fp_1"), 4: ("m-2", "fp_1")}
    ask(tmp_path, requests=asked, server={"changes": changes}, open_with=open_with)
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        found = served_in(connection)
    assert [(one.name, one.replies, one.arm) for one in found] == [("m-1", 3, "cbt"), ("m-2", 3, "cbt")]
    assert {one.fingerprint for one in found} == {"fp_1" if vendor == "openai" else ""}
    assert len(drifts(found)) == 1
