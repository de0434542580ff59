"""Amazon Transcribe's JSON: `audio_segments` with speaker or channel, or words (`items`) that `speaker_labels` give speakers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.tables.readers.talk_segments import Segment, seconds, turns_of
from cbtrun.tables.row import Row
from cbtrun.tables.source import Source

LABELS = ("speaker_label", "channel_label")


def fits(value: Any) -> bool:
    """Whether a document is a job's result."""
    results = value.get("results") if isinstance(value, Mapping) else None
    return (
        isinstance(results, Mapping)
        and "transcripts" in results
        and ("items" in results or "audio_segments" in results)
    )


def rows(value: Any, source: Source) -> Iterator[Row]:
    """A row for each turn, in order of time. A word without a speaker is its neighbour's before it."""
    results = value["results"]
    segments = _listed(results.get("audio_segments"))
    if segments and all(_speaker(one) and isinstance(one.get("transcript"), str) for one in segments):
        found = [
            Segment(_speaker(one), one["transcript"], seconds(one.get("start_time")), seconds(one.get("end_time")), at)
            for at, one in enumerate(segments, start=1)
        ]
    else:
        found = list(_words(results, source))
    return turns_of(sorted(found, key=lambda one: one.start or 0.0))


def _words(results: Mapping[str, Any], source: Source) -> Iterator[Segment]:
    """Runs of words of one speaker; a mark of punctuation has no time and goes to the word before it."""
    by_time = _speakers_by_time(results)
    run: Segment | None = None
    for number, item in enumerate(_items(results), start=1):
        choices = _listed(item.get("alternatives"))
        content = choices[0].get("content") if choices else ""
        if not isinstance(content, str):
            raise SpecError.at(str(source), f"word {number} of its `items` is no text")
        if item.get("type") == "punctuation":
            run = run._replace(text=f"{run.text}{content}") if run else None
            continue
        speaker = _speaker(item) or by_time.get(str(item.get("start_time")), "") or (run.speaker if run else "")
        start, end = seconds(item.get("start_time")), seconds(item.get("end_time"))
        if run and run.speaker == speaker:
            run = run._replace(text=f"{run.text} {content}", end=end)
            continue
        if run:
            yield run
        run = Segment(speaker, content, start, end, number)
    if run:
        yield run


def _items(results: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Words in the order of the talk; a recording of channels has each channel's apart."""
    labels = results.get("channel_labels")
    channels = _listed(labels.get("channels")) if isinstance(labels, Mapping) else []
    if not channels:
        return _listed(results.get("items"))
    timed: list[tuple[float, Mapping[str, Any]]] = []
    for channel in channels:
        at = 0.0
        for item in _listed(channel.get("items")):
            started = seconds(item.get("start_time"))
            at = at if started is None else started
            timed.append((at, {**item, "channel_label": _speaker(item) or str(channel.get("channel_label", ""))}))
    return [item for _, item in sorted(timed, key=lambda one: one[0])]


def _speakers_by_time(results: Mapping[str, Any]) -> dict[str, str]:
    """Start of a word -> who says it, where words do not say it themselves."""
    labels = results.get("speaker_labels")
    segments = _listed(labels.get("segments")) if isinstance(labels, Mapping) else []
    return {
        str(item.get("start_time")): _speaker(item) or _speaker(segment)
        for segment in segments
        for item in _listed(segment.get("items"))
    }


def _speaker(one: Mapping[str, Any]) -> str:
    return next((one[name] for name in LABELS if isinstance(one.get(name), str)), "")


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
