"""Pieces of speech with speaker and times, as turns: neighbouring pieces of one known speaker are one turn.

What programs that write down recordings give (Whisper, WhisperX, pyannote, Amazon Transcribe, ELAN) comes through here.
Columns: `speaker` (empty where the file names none), `text`, `start` and `end` in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cbtrun.tables.row import Row


class Segment(NamedTuple):
    """Something said by one speaker without a break."""

    speaker: str
    text: str
    start: float | None = None
    end: float | None = None
    number: int = 0
    """Where it stands in the file, from 1."""


def turns_of(segments: Iterable[Segment]) -> Iterator[Row]:
    """A row for each turn, with the number of its first segment."""
    turn: Segment | None = None
    for number, one in enumerate(segments, start=1):
        if turn and one.speaker and turn.speaker == one.speaker:
            text = f"{turn.text} {one.text.strip()}".strip()
            turn = turn._replace(text=text, end=turn.end if one.end is None else one.end)
            continue
        if turn:
            yield _row(turn)
        turn = one._replace(text=one.text.strip(), number=one.number or number)
    if turn:
        yield _row(turn)


def seconds(value: object) -> float | None:
    """A time in seconds, also where it is written as text; none for anything else."""
    try:
        return None if isinstance(value, bool) else float(value)  # type: ignore[arg-type] # float says what it takes
    except (TypeError, ValueError):
        return None


def _row(turn: Segment) -> Row:
    return Row(turn.number, {"speaker": turn.speaker, "text": turn.text, "start": turn.start, "end": turn.end})
