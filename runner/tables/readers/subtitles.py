"""SubRip (.srt) and WebVTT (.vtt): cues with their speaker. Neighbouring cues of one speaker are one turn.

A speaker is `<v NAME>` or stands before a colon. Columns: `speaker`, `text`, `start` and `end` (as the file writes times).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cbtrun.tables.readers.spoken_lines import TURN
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Source
from cbtrun.tables.text_file import text_of

TIMES = re.compile(r"([\d:.,]{5,15})[ \t]+-->[ \t]+([\d:.,]{5,15})")
VOICE = re.compile(r"<v(?:\.[^ \t>]{0,50})?[ \t]+([^>]{1,100})>")
TAG = re.compile(r"</?[a-zA-Z][^<>]{0,100}>")


def rows(path: Source, writing: Writing) -> Iterator[Row]:
    """A row for each turn, with the line of its first cue's times."""
    begun: Row | None = None
    for cue in _cues(text_of(path, writing.encoding).splitlines()):
        if begun and begun.cells["speaker"] == cue.cells["speaker"]:
            text = f"{begun.cells['text']} {cue.cells['text']}".strip()
            begun = Row(begun.line, {**begun.cells, "text": text, "end": cue.cells["end"]})
            continue
        if begun:
            yield begun
        begun = cue
    if begun:
        yield begun


def _cues(lines: list[str]) -> Iterator[Row]:
    at = 0
    while at < len(lines):
        times = TIMES.match(lines[at].lstrip())
        start = at
        at += 1
        if not times:
            continue
        said = []
        while at < len(lines) and lines[at].strip():
            said.append(lines[at].strip())
            at += 1
        speaker, text = _spoken(" ".join(said))
        yield Row(start + 1, {"speaker": speaker, "text": text, "start": times[1], "end": times[2]})


def _spoken(cue: str) -> tuple[str, str]:
    """Speaker and text of a cue; an empty speaker where it names none."""
    voice = VOICE.search(cue)
    plain = TAG.sub("", VOICE.sub("", cue)).strip()
    if voice:
        return voice[1].strip(), plain
    turn = TURN.match(plain)
    return (turn["speaker"], turn["text"]) if turn else ("", plain)
