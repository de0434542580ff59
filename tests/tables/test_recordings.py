"""What programs write of recordings gives turns with speaker and times; what it does not say is not made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import SpecError
from cbtrun.tables.formats import opened
from cbtrun.tables.readers import elan
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.transcript_table import read_table


def said(path: Path) -> list[tuple[str, str]]:
    return [(row.cells["speaker"], row.cells["text"]) for row in read_table(path).rows]


def written(folder: Path, value: Any, name: str = "t.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def segment(speaker: str | None, text: str, start: float = 0.0, **more: Any) -> dict[str, Any]:
    whose = {} if speaker is None else {"speaker": speaker}
    return {"start": start, "end": start + 1, "text": text, **whose, **more}


def test_neighbouring_segments_of_one_speaker_are_one_turn_with_its_times(tmp_path: Path) -> None:
    parts = [
        segment("A", " I", 0.0),
        segment("A", " cannot.", 1.0),
        segment("B", "Why?", 2.0),
        segment("A", "Hm.", 3.0),
    ]
    path = written(tmp_path, {"segments": parts, "language": "en"})
    assert opened(path).name == "Whisper, WhisperX or pyannote"
    assert next(dict(row.cells) for row in read_table(path).rows) == {
        "file": "t", "speaker": "A", "text": "I cannot.", "start": 0.0, "end": 2.0,
    }  # fmt: skip
    assert [row.line for row in read_table(path).rows] == [1, 3, 4]


@pytest.mark.parametrize(
    "document",
    [
        [segment("A", "Hi."), segment("B", "Yes.")],
        {"speakers": [{"speaker": "A", "text": "Hi.", "timestamp": [0, 1]}, {"speaker": "B", "text": "Yes.", "timestamp": [1, None]}]},
        {"output": {"turnLevelTranscription": [segment("A", "Hi."), segment("B", "Yes.")], "diarization": []}},
        {"text": "Hi. Yes.", "segments": [segment("A", "Hi.", type="transcript.text.segment"), segment("B", "Yes.")]},
    ],
)  # fmt: skip
def test_documents_that_are_alike_are_read_alike(tmp_path: Path, document: Any) -> None:
    assert said(written(tmp_path, document)) == [("A", "Hi."), ("B", "Yes.")]


def test_words_tell_the_speaker_of_a_segment_that_has_none(tmp_path: Path) -> None:
    words = [{"word": "Well"}, {"word": "hm.", "speaker": "B"}, {"word": "Go"}, {"word": "on.", "speaker": "A"}]
    parts = [segment("A", "Hi."), segment(None, "Well hm. Go on.", words=words), segment("A", "Please.")]
    assert said(written(tmp_path, {"segments": parts})) == [("A", "Hi."), ("B", "Well hm. Go"), ("A", "on. Please.")]


def test_segments_that_nobody_is_named_for_stay_apart(tmp_path: Path) -> None:
    parts = [segment(None, "Hi."), segment(None, "Yes.")]
    assert said(written(tmp_path, {"segments": parts})) == [("", "Hi."), ("", "Yes.")]


def test_who_speaks_when_without_a_word_is_no_transcript(tmp_path: Path) -> None:
    turns = [{"speaker": "A", "start": 0.0, "end": 1.0}]
    with pytest.raises(SpecError, match="says who speaks when, and no word of it"):
        read_table(written(tmp_path, {"diarization": turns}))


def test_a_table_with_times_is_no_recording_and_records_say_where_they_are(tmp_path: Path) -> None:
    rows = [segment("A", "Hi.", session="s")]
    assert opened(written(tmp_path, rows)).name == "JSON"
    path = written(tmp_path, {"segments": [segment("A", "Hi."), segment("A", "Yes.")]})
    assert len(read_table(path, Writing(records="segments[]")).rows) == 2


def transcribed(*said: tuple[str | None, str], **more: Any) -> dict[str, Any]:
    """A job's result, a word at a time; a mark of punctuation has neither time nor speaker."""
    items, labels = [], []
    for at, (speaker, word) in enumerate(said):
        if word and word in ".?":
            items.append({"type": "punctuation", "alternatives": [{"content": word}]})
            continue
        items.append(
            {
                "type": "pronunciation",
                "start_time": str(at),
                "end_time": str(at + 1),
                "alternatives": [{"content": word}],
            }
        )
        if speaker:
            labels.append({"start_time": str(at), "speaker_label": speaker})
    segments = [{"speaker_label": "spk_0", "items": labels}]
    return {"results": {"transcripts": [], "items": items, "speaker_labels": {"segments": segments}, **more}}  # fmt: skip


def test_amazon_transcribe_gives_turns_by_words_or_by_segments(tmp_path: Path) -> None:
    words = transcribed(("a", "I"), ("a", "cannot"), (None, "."), ("b", "Why"), (None, "?"), (None, "yes"), ("a", "No"))
    assert said(written(tmp_path, words)) == [("a", "I cannot."), ("b", "Why? yes"), ("a", "No")]
    parts = [
        {"start_time": "2.0", "end_time": "3", "transcript": "Why?", "speaker_label": "b"},
        {"start_time": "0.0", "end_time": "1", "transcript": "I cannot.", "speaker_label": "a"},
    ]
    path = written(tmp_path, transcribed(audio_segments=parts))
    assert opened(path).name == "Amazon Transcribe"
    assert said(path) == [("a", "I cannot."), ("b", "Why?")]


@pytest.mark.parametrize("strange", [{"text": None}, {"text": 5}, {"speaker": ["A"]}, {"speaker": {"name": "A"}}])
def test_segments_whose_words_or_speakers_are_no_text_are_not_made_into_some(
    tmp_path: Path, strange: dict[str, Any]
) -> None:
    path = written(tmp_path, {"segments": [segment("A", "Hi."), {**segment("B", "Yes."), **strange}]})
    assert opened(path).name == "JSON"


def test_a_word_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="word 1 of its `items` is no text"):
        read_table(written(tmp_path, transcribed(("a", None))))  # type: ignore[arg-type] # what a damaged file has


def test_a_recording_of_channels_is_put_together_by_time(tmp_path: Path) -> None:
    def word(start: float, content: str) -> dict[str, Any]:
        return {"type": "pronunciation", "start_time": str(start), "alternatives": [{"content": content}]}

    mark = {"type": "punctuation", "alternatives": [{"content": "."}]}
    channels = [
        {"channel_label": "ch_0", "items": [word(0.5, "Hi"), mark, word(9, "No"), mark]},
        {"channel_label": "ch_1", "items": [word(2, "Yes"), mark]},
    ]
    path = written(tmp_path, {"results": {"transcripts": [], "items": [], "channel_labels": {"channels": channels}}})
    assert said(path) == [("ch_0", "Hi."), ("ch_1", "Yes."), ("ch_0", "No.")]


EAF = """<?xml version="1.0"?>
<ANNOTATION_DOCUMENT><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="2000"/><TIME_SLOT TIME_SLOT_ID="t2"/><TIME_SLOT TIME_SLOT_ID="t0" TIME_VALUE="100"/>
</TIME_ORDER>
<TIER TIER_ID="T">ONE</TIER><TIER TIER_ID="C">TWO</TIER><TIER TIER_ID="Code" PARENT_REF="T">THREE</TIER>
</ANNOTATION_DOCUMENT>"""


def annotation(id_: str, start: str, text: str) -> str:
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{id_}" TIME_SLOT_REF1="{start}" TIME_SLOT_REF2="t2">'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def test_tiers_of_elan_are_speakers_in_order_of_time(tmp_path: Path) -> None:
    code = (
        '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="x" ANNOTATION_REF="a"><ANNOTATION_VALUE>Q</ANNOTATION_VALUE>'
        "</REF_ANNOTATION></ANNOTATION>"
    )
    text = EAF.replace("ONE", annotation("a", "t1", "Why &amp; when?") + annotation("b", "t2", "Hm?"))
    path = written(tmp_path, text.replace("TWO", annotation("c", "t0", "Bad.")).replace("THREE", code), "t.eaf")
    assert said(path) == [("C", "Bad."), ("T", "Why & when? Hm?"), ("Code", "Q")]
    rows: list[Row] = list(read_table(path).rows)
    assert [row.cells["start"] for row in rows] == [0.1, 2.0, 2.0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><ANNOTATION_DOCUMENT>&b;</ANNOTATION_DOCUMENT>', "declares a document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><ANNOTATION_DOCUMENT/>', "declares a document type"),
        ("<html/>", "is no ELAN document: it begins with <html>"),
        ("<ANNOTATION_DOCUMENT>\n<TIER>", "t.eaf:2:7: not XML: no element found"),
        ("<ANNOTATION_DOCUMENT/>", "has no annotation"),
        ("<ANNOTATION_DOCUMENT>" + "<a>" * 60, "nested deeper than 50 levels"),
    ],
)
def test_xml_that_is_no_talk_or_could_grow_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(SpecError) as refused:
        read_table(written(tmp_path, text, "t.eaf"))
    assert what in str(refused.value)


def test_annotations_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elan, "MOST_ANNOTATIONS", 3)
    many = "".join(annotation(f"a{at}", "t1", "x") for at in range(9))
    with pytest.raises(SpecError, match="more than 3 annotations"):
        read_table(written(tmp_path, EAF.replace("ONE", many), "t.eaf"))
