"""Logs of Inspect AI give a session for each sample and epoch, with model, task, metadata and scores."""

from __future__ import annotations

import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import SpecError
from cbtrun.tables.transcript_table import read_table

HEAD = {"version": 2, "status": "success", "eval": {"task": "talk", "model": "some/model"}}


def sample(id_: Any, epoch: int = 1, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Hello {id_}."}, {"role": "assistant", "content": "Hi."}]
    return {"id": id_, "epoch": epoch, "messages": messages, "events": [1], **more}


def log(path: Path, samples: list[dict[str, Any]], head: dict[str, Any] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for one in samples:
            file.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
        file.writestr("header.json", json.dumps(head or HEAD))
    return path


def test_a_sample_is_a_session_and_numbers_go_as_numbers(tmp_path: Path) -> None:
    samples = [sample(10), sample(2, scores={"kind": {"value": "C"}}, metadata={"topic": "sleep"})]
    for path in (log(tmp_path / "l.eval", samples), tmp_path / "l.json"):
        if path.suffix == ".json":
            path.write_text(json.dumps({**HEAD, "samples": samples[::-1]}))
        rows = [row.cells for row in read_table(path).rows]
        assert [row["session"] for row in rows] == [2, 10]
        assert (rows[0]["model"], rows[0]["metadata"], rows[0]["scores"]) == (
            "some/model",
            {"topic": "sleep"},
            {"kind": "C"},
        )
        assert "events" not in rows[0]


def test_epochs_of_a_sample_are_sessions_of_their_own(tmp_path: Path) -> None:
    rows = read_table(log(tmp_path / "l.eval", [sample("a", 2), sample("a", 1)])).rows
    assert [row.cells["session"] for row in rows] == ["a-1", "a-2"]


def test_long_texts_that_lie_beside_the_messages_are_put_back(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "attachment://x"},
        {"role": "assistant", "content": [{"text": "attachment://y"}]},
    ]
    one = sample("a", messages=messages, attachments={"x": "A long text.", "y": "Another."})
    (row,) = read_table(log(tmp_path / "l.eval", [one])).rows
    assert [one["content"] for one in row.cells["messages"]] == ["A long text.", [{"text": "Another."}]]


def test_a_sample_without_an_id_goes_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "l.json"
    path.write_text(json.dumps({**HEAD, "samples": [sample("a"), sample(None), sample({"x": 1})]}))
    assert [row.cells["session"] for row in read_table(path).rows] == ["a", 2, {"x": 1}]


@pytest.mark.parametrize(
    ("head", "what"),
    [({**HEAD, "samples": []}, "without samples"), ({**HEAD, "samples": [1]}, "a sample is no object")],
)
def test_a_log_without_samples_says_so(tmp_path: Path, head: dict[str, Any], what: str) -> None:
    path = tmp_path / "l.json"
    path.write_text(json.dumps(head))
    with pytest.raises(SpecError, match=what):
        read_table(path)


def test_an_archive_that_is_no_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is a log of Inspect without samples"):
        read_table(log(tmp_path / "l.eval", []))
    (tmp_path / "l.eval").write_bytes(b"no zip")
    with pytest.raises(SpecError, match="cannot be read as a zip"):
        read_table(tmp_path / "l.eval")


def packed_by_zstandard(path: Path, content: bytes, says: int | None = None) -> Path:
    """An archive with one sample, written by hand: the library cannot. says: the length that its list of members has."""
    zstandard = pytest.importorskip("zstandard")
    body = zstandard.ZstdCompressor().compress(content)
    name, size = b"samples/a_epoch_1.json", len(content) if says is None else says
    facts = struct.pack("<HHHHHIIIHH", 63, 0, 93, 0, 33, zlib.crc32(content), len(body), size, len(name), 0)
    local = b"PK\x03\x04" + facts + name + body
    entry = b"PK\x01\x02" + struct.pack("<H", 63) + facts + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    path.write_bytes(local + entry + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0))
    return path


def test_a_log_packed_by_zstandard_is_read_up_to_the_length_that_it_says(tmp_path: Path) -> None:
    content = json.dumps(sample("a")).encode()
    assert len(read_table(packed_by_zstandard(tmp_path / "l.eval", content)).rows) == 1
    with pytest.raises(SpecError, match="is not what the archive says"):
        read_table(packed_by_zstandard(tmp_path / "l.eval", b" " * 2**24, says=100))


def test_a_log_packed_by_zstandard_names_what_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed_by_zstandard(tmp_path / "l.eval", b"{}")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(SpecError, match=r"which is not installed; pip install 'cbtrun\[inspect\]'"):
        read_table(path)
