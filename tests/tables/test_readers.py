"""Files as they are in the field give rows; what cannot be read, or could be read in two ways, says so with its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import SpecError
from cbtrun.tables import source
from cbtrun.tables.row import Writing
from cbtrun.tables.transcript_table import read_table

TURNS = "session,speaker,text\ns1,T,Naïve — how?\ns1,C,So; so\n"


def cells(path: Path, content: str | bytes, **writing: str) -> list[dict[str, Any]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [dict(row.cells) for row in read_table(path, Writing(**writing)).rows]


def refusal(path: Path, content: str | bytes, **writing: str) -> str:
    with pytest.raises(SpecError) as refused:
        cells(path, content, **writing)
    return str(refused.value)


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_separator_and_encoding_are_found(tmp_path: Path, mark: str, encoding: str) -> None:
    text = f"session{mark}text\r\ns1{mark}Naïve, how?\r\n" if mark != "," else "session,text\r\ns1,Naïve how?\r\n"
    (row,) = cells(tmp_path / "t.csv", text.encode(encoding))
    assert row == {"session": "s1", "text": "Naïve, how?" if mark != "," else "Naïve how?"}


def test_an_8_bit_encoding_is_named_by_the_study_and_never_guessed(tmp_path: Path) -> None:
    content = TURNS.encode("windows-1252")
    said = refusal(tmp_path / "t.csv", content)
    assert "t.csv:2: not UTF-8" in said
    assert "say `encoding: windows-1252`" in said
    assert cells(tmp_path / "t.csv", content, encoding="windows-1252")[0]["text"] == "Naïve — how?"
    assert "unknown encoding 'rot13'" in refusal(tmp_path / "t.csv", content, encoding="rot13")


def test_a_header_that_fits_two_separators_asks_which(tmp_path: Path) -> None:
    said = refusal(tmp_path / "t.csv", "a;b,c\n1;2,3\n")
    assert "the columns may be parted by ',' or ';': say which" in said
    assert cells(tmp_path / "t.csv", "a;b,c\n1;2,3\n", delimiter=";") == [{"a": "1", "b,c": "2,3"}]
    assert cells(tmp_path / "t.csv", "sep=;\na;b,c\n1;2,3\n") == [{"a": "1", "b,c": "2,3"}]


def test_two_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    assert "t.csv:1: 2 columns of one name, 'text' (columns 2, 3)" in refusal(
        tmp_path / "t.csv", "a,text,text\n1,2,3\n"
    )


def test_json_is_read_as_a_list_as_one_object_by_path_and_as_lines(tmp_path: Path) -> None:
    records = [{"id": "a"}, {"id": "b"}]
    assert cells(tmp_path / "t.json", json.dumps(records)) == records
    assert cells(tmp_path / "t.json", json.dumps(records[0])) == records[:1]
    assert cells(tmp_path / "t.json", '{"id": "a"}\n{"id": "b"}\n') == records
    assert cells(tmp_path / "t.jsonl", json.dumps(records, indent=1)) == records
    assert cells(tmp_path / "t.jsonl.gz", gzip.compress(b'{"id": "a"}\n{"id": "b"}\n')) == records
    nested = {"client": "x", "sessions": [{"n": 1, "turns": [{"t": "p"}, {"t": "q"}]}, {"n": 2, "turns": [{"t": "r"}]}]}
    found = cells(tmp_path / "t.json", json.dumps(nested), records="sessions[].turns[]")
    assert found[1:] == [{"client": "x", "n": 1, "t": "q"}, {"client": "x", "n": 2, "t": "r"}]
    assert len(cells(tmp_path / "t.json", json.dumps(nested), records="sessions[]")) == 2
    assert "nothing at 'talks[]'; lists here: sessions[]" in refusal(
        tmp_path / "t.json", json.dumps(nested), records="talks[]"
    )


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.json", "[1, 2]", "a record must be an object, not int"),
        ("t.json", '{"a": [1,\n2', "t.json:2:"),
        ("t.json", "[" * 200 + "]" * 200, "nested deeper than 100 levels"),
        ("t.json", "[" * 100_000, "nested deeper than 100 levels"),
        ("t.jsonl.gz", b"no gzip", "cannot be read: Not a gzipped file"),
        ("t.txt", "Once upon a time.\nShe slept.\n", "t.txt:1: nobody says this"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: str | bytes, what: str) -> None:
    assert what in refusal(tmp_path / name, content)


def test_a_packed_file_is_unpacked_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_BYTES", 2**20)
    assert "holds more than 1 MiB" in refusal(tmp_path / "t.jsonl.gz", gzip.compress(b" " * 2**21))
    assert "holds more than 1 MiB" in refusal(tmp_path / "t.jsonl", b" " * 2**21)


def test_text_with_speakers_is_read_with_paragraphs_and_other_marks(tmp_path: Path) -> None:
    text = "T: How was it?\n\nI mean: the week.\nI said so.\nC： Bad.\n**user:** x\n[00:01:02] SPEAKER_1: see https://a.b\n"
    found = cells(tmp_path / "one.txt", text)
    assert [(row["speaker"], row["text"]) for row in found] == [
        ("T", "How was it?\n\nI mean: the week.\nI said so."),
        ("C", "Bad."),
        ("user", "x"),
        ("SPEAKER_1", "see https://a.b"),
    ]
    assert {row["file"] for row in found} == {"one"}


def test_neighbouring_cues_of_one_speaker_are_one_turn(tmp_path: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\n[A]: How\n\n2\n00:00:02,000 --> 00:00:03,000\n[A]: are you?\n\n"
    found = cells(tmp_path / "a.srt", srt + "3\n00:00:04,000 --> 00:00:05,000\n[B]: Bad.\n")
    assert [(row["speaker"], row["text"], row["end"]) for row in found] == [
        ("A", "How are you?", "00:00:03,000"),
        ("B", "Bad.", "00:00:05,000"),
    ]
    vtt = "WEBVTT\n\n00:01.000 --> 00:03.000\n<v Dr. Roe>How <i>was</i> it?</v>\n\n00:03.000 --> 00:04.000\nnobody\n"
    assert [row["speaker"] for row in cells(tmp_path / "a.vtt", vtt)] == ["Dr. Roe", ""]


def test_a_folder_and_a_pattern_are_a_session_a_file_and_names_tell_labels(tmp_path: Path) -> None:
    for name in ("high_1.txt", "low_2.txt"):
        cells(tmp_path / "talks" / name, "T: a\nC: b\n")
    cells(tmp_path / "talks" / ".hidden.txt", "T: a\n")
    for path in (tmp_path / "talks", tmp_path / "talks" / "*.txt", tmp_path / "t*" / "*_?.txt"):
        table = read_table(path, Writing(file_name="{quality}_{number}"))
        assert [row.cells["quality"] for row in table.rows] == ["high", "high", "low", "low"]
        assert [(Path(row.file).name, row.line) for row in table.rows][-1] == ("low_2.txt", 2)
    assert {row.cells["file"] for row in read_table(tmp_path / "talks").rows} == {"high_1", "low_2"}
    with pytest.raises(SpecError, match="the name 'high_1' is not of the form"):
        read_table(tmp_path / "talks", Writing(file_name="{quality}-{number}"))
    cells(tmp_path / "talks" / "high_1.srt", "00:00:01,000 --> 00:00:02,000\nA: x\n")
    assert {row.cells["file"] for row in read_table(tmp_path / "talks").rows} == {"high_1.srt", "high_1.txt", "low_2"}


def test_a_link_in_a_folder_of_sessions_is_not_followed(tmp_path: Path) -> None:
    cells(tmp_path / "secret.txt", "T: a\nC: b\n")
    (tmp_path / "talks").mkdir()
    (tmp_path / "talks" / "a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(SpecError, match="is a link; links are not followed"):
        read_table(tmp_path / "talks")


def test_a_folder_with_another_kind_of_file_names_it_and_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    with pytest.raises(SpecError, match=r"sound\.wav: unknown kind of file '\.wav'.* `path: sessions/\*\.txt`"):
        read_table(tmp_path)


def test_a_folder_that_may_not_be_looked_into_is_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("T: Hello.\n", encoding="utf-8")
    monkeypatch.setattr("cbtrun.tables.file_set.os.access", lambda *_: False)  # root may look into every folder
    with pytest.raises(SpecError, match="may not be looked into"):
        read_table(tmp_path)
