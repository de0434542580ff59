"""Records that stay on the disk until somebody looks at one."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.files.record_list import FileLines, RecordList, line_of, lines_of
from cbtrun.files.run_folder import write_records


def session(number: int, words: str) -> Session:
    turns = (Turn(speaker="patient", text=words),)
    return Session(id=f"only/{number}", draw=str(number), turns=turns, ended="max_turns")


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    path = tmp_path / "sessions.jsonl"
    write_records(path, [session(number, f"Zoë, {'é' * number}") for number in range(9)])
    return path


def test_records_of_a_file_are_those_that_were_written(sessions: Path) -> None:
    found = RecordList.read(sessions, Session)
    assert [one.id for one in found] == [f"only/{number}" for number in range(9)]
    assert [found[at].turns[0].text for at in (8, 0, -1)] == ["Zoë, éééééééé", "Zoë, ", "Zoë, éééééééé"]
    assert found[2:7:2] == [found[2], found[4], found[6]]


def test_a_place_that_is_not_there_is_an_index_error(sessions: Path) -> None:
    with pytest.raises(IndexError):
        RecordList.read(sessions, Session)[9]


def test_empty_lines_and_foreign_breaks_are_no_part_of_a_record(tmp_path: Path) -> None:
    path = tmp_path / "edited.jsonl"
    path.write_bytes(b"\n" + b'{"a":1}\r\n  \n{"a":2}')
    lines = FileLines(path)
    assert len(lines) == 2
    assert [*lines] == [lines[0], lines[1]] == lines[:] == [b'{"a":1}', b'{"a":2}']


def test_records_of_a_file_take_no_memory_until_they_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    write_records(path, (session(number, "a long story " * 300) for number in range(500)))
    tracemalloc.start()
    found = RecordList.read(path, Session)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 500
    assert kept < path.stat().st_size / 50


def test_records_that_wait_in_memory_are_those_that_were_packed() -> None:
    records = [session(number, "a long story " * number) for number in range(5)]
    waiting = RecordList.of(Session, records)
    assert waiting == records
    assert waiting[1:4] == records[1:4]
    assert [*lines_of(waiting)] == [line_of(record) for record in records]
