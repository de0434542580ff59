"""Files as people have them are known for what they are: every small file of the documentation, and others of those kinds."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from cbtrun.plugins.corpus.mapping import mapped
from cbtrun.plugins.transcripts.mapping_schema import table_of
from cbtrun.plugins.transcripts.session_rows import read_sessions
from cbtrun.tables.row import Writing
from tests.helpers.intake_files import TALK, messages, options, proposed, refusal, turns
from tests.helpers.places import ROOT

FORMATS = ROOT / "tests/fixtures/formats"
SLEEP = [("patient", "I cannot sleep."), ("therapist", "What keeps you awake?")]
NAMELESS = {
    ("SPEAKER_01", "SPEAKER_00"): ("talk.srt", "pyannote.json", "whisperx.json"),
    ("spk_1", "spk_0"): ("transcribe.json",),
    ("1", "0"): ("zero-one.csv",),
}
"""(therapist, patient) in the words of files that do not tell -> the files."""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("array.json", "JSON: messages"),
        ("sharegpt.jsonl", "JSON lines: ShareGPT"),
        ("openai.jsonl", "OpenAI messages"),
        ("packed.jsonl.gz", "JSON lines: OpenAI messages"),
        ("nested.json", "JSON: messages"),
        ("talk.vtt", "WebVTT: a session a file"),
        ("plain.txt", "text with speakers: a session a file"),
        ("talks", "text with speakers: a session a file, turn by turn, 2 files"),
        ("utf16.tsv", "TSV: a row a turn"),
        ("excel.csv", "CSV: a row a turn"),
        ("answers.csv", "CSV: a row an exchange: 'Context' is asked, 'Response' answered"),
        ("preference.jsonl", "preference set"),
        ("prompted.jsonl", "preference set: a prompt"),
    ],
)
def test_a_format_is_named(name: str, words: str) -> None:
    assert words in proposed(FORMATS / name).words


@pytest.mark.parametrize("name", sorted(one.name for one in FORMATS.iterdir()))
def test_every_small_file_of_the_page_gives_its_talk(name: str) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    if name.endswith((".xlsx", ".docx")):
        pytest.importorskip("openpyxl" if ".xlsx" in name else "docx")
    said = next(({"therapist": [t], "patient": [p]} for t, p in NAMELESS if name in NAMELESS[t, p]), {})
    begins, sheet = "patient" * (name == "unnamed.jsonl"), "turns" * (name == "turns.xlsx")
    block = proposed(FORMATS / name, Writing(sheet=sheet), speakers=said, begins=begins).block
    filled = {"factors": {}, "labels": {}, "where": {}, "system": "", **block.options}
    table = table_of(filled)
    if block.stage == "corpus":
        found = mapped(table, filled, FORMATS / name)
        assert [(one.role, one.content) for one in found.transcripts[0].messages][:2] == SLEEP
        assert found.transcripts[0].rejected == "Cheer up."
    else:
        sessions, problems = read_sessions(table, filled, FORMATS / name)
        assert problems == []
        assert [(turn.speaker, turn.text) for turn in sessions[0].turns][:2] == SLEEP


def test_records_inside_others_are_found_by_their_path(tmp_path: Path) -> None:
    inner = {"number": 1, "session_dialogue": messages("party", "line", T="Counselor", C="Client")}
    one = proposed(tmp_path / "a.json", json.dumps({"client": "x", "sessions": [inner, {**inner, "number": 2}]}))
    assert options(one, "records", "columns", "speakers") == {
        "records": "sessions[]",
        "columns": {
            "session": "number",
            "messages": "session_dialogue",
            "role": "party",
            "content": "line",
            "persona": "client",
        },
        "speakers": {"Counselor": "therapist", "Client": "patient"},
    }
    several = proposed(tmp_path / "b.json", json.dumps([{"sessions": [inner]}, {"sessions": [inner]}]))
    assert several.block.options["records"] == "[].sessions[]"
    deep = proposed(tmp_path / "c.json", json.dumps({"data": {"set": {"dialogs": [inner]}}}))
    assert deep.block.options["records"] == "data.set.dialogs[]"


def test_separator_and_encoding_are_found_and_a_guess_is_called_one(tmp_path: Path) -> None:
    german = turns({"T": "Therapeutin", "C": "Klient"}).replace("How", "Grüße – wie").replace(",", ";")
    one = proposed(tmp_path / "excel.csv", german.encode("windows-1252"))
    assert options(one, "encoding", "speakers") == {
        "encoding": "windows-1252",
        "speakers": {"Therapeutin": "therapist", "Klient": "patient"},
    }
    assert one.said[0].startswith("A GUESS: the encoding is windows-1252")
    assert one.block.whys["encoding"]
    chinese = "session,speaker,text\n" + "s1,咨询师,你好，怎么了？\ns1,来访者,我睡不着觉。\n" * 1
    assert proposed(tmp_path / "zh.csv", chinese.encode("gb18030")).block.options["encoding"] == "gb18030"
    russian = turns().replace("week", "неделя")
    assert proposed(tmp_path / "ru.csv", russian.encode("windows-1251")).block.options["encoding"] == "windows-1251"


def test_damaged_text_and_two_encodings_in_a_folder_are_refused(tmp_path: Path) -> None:
    assert "it is damaged" in refusal(tmp_path / "a.csv", turns().replace("How", "Hôw — ").encode() + b"s9,T,\xff\n")
    (tmp_path / "two").mkdir()
    (tmp_path / "two/a.csv").write_bytes("speaker,text\nT,Naïve?\nC,x\n".encode("latin-1"))
    (tmp_path / "two/b.csv").write_text("speaker,text\nT,Naïve?\nC,x\n", encoding="utf-8")
    assert "b.csv: is UTF-8, and others beside it are not" in refusal(tmp_path / "two")


def test_of_two_separators_the_one_with_known_columns_is_a_guess(tmp_path: Path) -> None:
    text = re.sub(r" (\d)\n", r" \1,y;y\n", turns(head="session,speaker,text,note;x"))
    one = proposed(tmp_path / "t.csv", text)
    assert one.block.options["delimiter"] == ","
    assert "A GUESS: columns are parted by ','" in one.said[0]


def test_names_of_files_propose_labels(tmp_path: Path) -> None:
    for name in ("high_001", "high_002", "low_001", "low_002"):
        (tmp_path / f"{name}.txt").write_text("T: How?\nC: Bad.\n")
    (tmp_path / "README.md").write_text("what this is")
    (tmp_path / "empty.txt").write_text("")
    one = proposed(tmp_path)
    assert options(one, "path") == {"path": str(tmp_path / "*.txt")}
    assert "1 file of another kind: README.md" in one.left_out
    assert "1 file with nothing said: empty.txt" in one.left_out
    (tmp_path / "empty.txt").unlink()
    one = proposed(tmp_path)
    assert options(one, "file_name", "factors") == {"file_name": "{label}_{number}", "factors": {"label": "label"}}
    assert one.facts.levels == {"label": ("high", "low")}


def test_a_file_that_is_one_session_is_read_as_one(tmp_path: Path) -> None:
    one = proposed(tmp_path / "talk.json", json.dumps(messages(T="assistant", C="user")))
    assert options(one, "path", "columns") == {
        "path": str(tmp_path / "talk.jso[n]"),
        "columns": {"session": "file", "speaker": "role", "text": "content"},
    }
    assert any(sentence.startswith("A GUESS: no column tells sessions apart") for sentence in one.said)


def test_several_annotators_propose_where(tmp_path: Path) -> None:
    rows = [
        f"{s},{n},{who},{text},{by}"
        for s in range(3)
        for n, (who, text) in enumerate(TALK)
        for by in ((3, 5) if s else (5,))
    ]
    one = proposed(tmp_path / "t.csv", "\n".join(["transcript_id,utterance_id,who,text,annotator_id", *rows]))
    assert options(one, "where", "columns") == {
        "where": {"annotator_id": "5"},
        "columns": {"session": "transcript_id", "order": "utterance_id", "speaker": "who", "text": "text"},
    }
    assert "8 rows of 1 other in 'annotator_id'" in one.left_out
    unordered = [f"{s},{who},{text},{by}" for s in range(2) for by in "xy" for who, text in TALK]
    same = proposed(tmp_path / "u.csv", "\n".join(["session,speaker,text,coder", *unordered]))
    assert same.block.options["where"] == {"coder": "x"}


def test_exchanges_are_joined_to_sessions_where_a_column_says_so(tmp_path: Path) -> None:
    rows = "".join(f"c{c},I am sad {c}{n},Why {c}{n}?\n" for c in range(2) for n in range(2))
    one = proposed(tmp_path / "t.csv", "conversation_id,user,assistant\n" + rows)
    assert one.block.options["columns"] == {"session": "conversation_id", "question": "user", "answer": "assistant"}
    several = "".join(f"{n // 2},I am sad {n // 2},Answer {n}\n" for n in range(4))
    assert proposed(tmp_path / "u.csv", "questionID,questionText,answerText\n" + several).block.options["columns"] == {
        "question": "questionText",
        "answer": "answerText",
    }


def test_columns_that_nothing_is_taken_from_are_told(tmp_path: Path) -> None:
    one = proposed(tmp_path / "t.json", json.dumps([{"input": "I am sad.", "history": [["a", "b"]], "output": "Why?"}]))
    assert one.left_out == ("1 column that is not read: history",)


def test_what_is_no_text_is_dropped_by_a_rule_that_the_study_declares(tmp_path: Path) -> None:
    talk = [
        {"role": "user", "content": None},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Why?"},
    ]
    one = proposed(tmp_path / "t.jsonl", json.dumps({"messages": talk}))
    assert one.block.options["not_text"] == "drop"


def test_for_a_corpus_rows_belong_to_transcripts(tmp_path: Path) -> None:
    one = proposed(tmp_path / "t.csv", turns(), to="tune")
    assert one.block.stage == "corpus"
    assert one.block.options["columns"] == {"transcript": "session", "speaker": "speaker", "text": "text"}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is a PNG picture, by its first bytes"),
        ("t.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "whatever its ending '.csv' says"),
        ("t.csv", b"session,speaker,text\n" + bytes(4096), "holds zero bytes"),
        ("t.csv", bytes(4096), "begins with nothing but zero bytes"),
        ("t.csv", b"", "is empty"),
        ("t.bin", b"\x07\x08\x01", "unknown kind of file '.bin'"),
        ("t.txt", bytes(range(1, 256)) * 40, "its encoding cannot be told"),
        ("t.json", b"[" * 100_000 + b"]" * 100_000, "nested deeper than 100 levels"),
        ("t.csv", b"a,b\n1,2\n3,4\n", "nothing in it is known as a session"),
        ("t.jsonl.gz", gzip.compress(b" " * 2**20), "holds more than 0 MiB"),
    ],
)
def test_senseless_input_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, what: str
) -> None:
    monkeypatch.setattr("cbtrun.intake.first_bytes.MOST_BYTES", 2**19)
    assert what in refusal(tmp_path / name, content)


def test_places_that_hold_no_file_are_refused(tmp_path: Path) -> None:
    assert "no files" in refusal(tmp_path)
    assert "no such file or folder" in refusal(tmp_path / "nothere.csv")
    assert "is neither a file nor a folder" in refusal(Path("/dev/zero"))
    (tmp_path / "a.docm").write_text("x")
    assert "no file of a known kind in it (.docm)" in refusal(tmp_path)
    with (tmp_path / "large.csv").open("wb") as file:
        file.write(b"session,speaker,text\n" + b"s,T,x\n" * 20_000)
        file.truncate(2 * 2**30)
    assert "holds more than 256 MiB" in refusal(tmp_path / "large.csv")


def test_columns_that_the_user_names_must_be_there(tmp_path: Path) -> None:
    assert "--column: no column 'said'; it has: session, speaker, text" in refusal(
        tmp_path / "t.csv", turns(), columns={"text": "said"}
    )
    one = proposed(tmp_path / "t.csv", turns(head="a,b,c"), columns={"session": "a", "speaker": "b", "text": "c"})
    assert one.block.options["columns"] == {"session": "a", "speaker": "b", "text": "c"}
