"""JSON of Whisper, WhisperX, pyannote and what writes like them: segments with times, most with a speaker.

Known are `segments` (Whisper, faster-whisper, WhisperX, OpenAI's `verbose_json` and `diarized_json`), `speakers` or `chunks`
with `timestamp` (insanely-fast-whisper, transformers), pyannoteAI's `turnLevelTranscription`, and a bare list of segments.
A segment's speaker is taken; where it has none, its words' speakers are, a word without one being its neighbour's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.tables.readers.talk_segments import Segment, seconds, turns_of
from cbtrun.tables.row import Row
from cbtrun.tables.source import Source

LISTS = ("segments", "speakers", "chunks", "turnLevelTranscription", "diarization")
"""Where a document has its segments; the first that holds any is read."""
OF_SEGMENTS = {
    *("id", "seek", "start", "end", "timestamp", "text", "speaker", "words", "tokens", "temperature", "avg_logprob"),
    *("compression_ratio", "no_speech_prob", "confidence", "channel", "chars", "type", "language", "score"),
}
"""Keys of a segment. A bare list whose objects have others is a table, not a talk."""


def fits(value: Any) -> bool:
    """Whether a document holds segments of speech."""
    return bool(_segments_in(value))


def rows(value: Any, source: Source) -> Iterator[Row]:
    """A row for each turn, with the number of its first segment. Raises SpecError for speakers and times without words."""
    segments = _segments_in(value)
    if not any(_text(one) or one.get("words") for one in segments):
        raise SpecError.at(str(source), "says who speaks when, and no word of it; a transcript is needed beside it")
    return turns_of(part for number, one in enumerate(segments, start=1) for part in _parts(one, number))


def _segments_in(value: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(value, list):
        return value if all(_is_segment(one) and {*one} <= OF_SEGMENTS for one in value) else ()
    if not isinstance(value, Mapping):
        return ()
    for name in LISTS:
        found = value.get(name)
        if isinstance(found, list) and found and all(_is_segment(one) for one in found):
            return found
    return _segments_in(value["output"]) if isinstance(value.get("output"), Mapping) else ()  # pyannoteAI's job


def _is_segment(one: Any) -> bool:
    if not isinstance(one, Mapping):
        return False
    if not isinstance(one.get("text", ""), str) or not isinstance(one.get("speaker"), str | int | None):
        return False  # a table whose cells are no text: the mapping says so, with the row
    timed = isinstance(one.get("timestamp"), list) or ("start" in one and "end" in one)
    return timed and ("text" in one or "speaker" in one) and _time(one, 0) is not None


def _time(one: Mapping[str, Any], which: int) -> float | None:
    times = one.get("timestamp")
    if isinstance(times, list):
        return seconds(times[which]) if len(times) == 2 else None
    return seconds(one.get(("start", "end")[which]))


def _text(one: Mapping[str, Any]) -> str:
    return one["text"].strip() if isinstance(one.get("text"), str) else ""


def _parts(one: Mapping[str, Any], number: int) -> Iterator[Segment]:
    """A segment, or its runs of words of one speaker where it has none of its own."""
    speaker = one.get("speaker")
    words = [word for word in one.get("words") or () if isinstance(word, Mapping)]
    if speaker is None and any(word.get("speaker") is not None for word in words):
        yield from _runs(words, number)
        return
    text = _text(one) or " ".join(_word(word) for word in words)
    yield Segment("" if speaker is None else str(speaker), text, _time(one, 0), _time(one, 1), number)


def _runs(words: Sequence[Mapping[str, Any]], number: int) -> Iterator[Segment]:
    last = next(str(word["speaker"]) for word in words if word.get("speaker") is not None)
    for word in words:
        last = last if word.get("speaker") is None else str(word["speaker"])
        yield Segment(last, _word(word), _time(word, 0), _time(word, 1), number)


def _word(word: Mapping[str, Any]) -> str:
    said = word.get("word", word.get("text"))
    return said.strip() if isinstance(said, str) else ""
