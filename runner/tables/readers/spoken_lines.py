"""Plain text in which each turn begins with its speaker: `T: ...`, `user: ...`, `**Therapist:** ...`, `[00:10] C： ...`.

A turn goes on to the next speaker, over blank lines too. Columns: `speaker` and `text`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.text_file import text_of

TURN = re.compile(
    r"\s{0,20}(?:[\[(]?\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?[\])]?[ \t]{1,4})?"  # when it was said
    r"[*_]{0,3}[\[(<]?(?P<speaker>[^\W\d_][\w.'’-]{0,39}(?: [\w.'’-]{1,30}){0,3})[\])>]?[*_]{0,3}"
    r"[ \t]{0,4}[:：](?!//)[*_]{0,3}\s*(?P<text>.*)\Z",
    re.DOTALL,
)
"""A speaker, a colon of half or full width, and what is said. Every part is bounded, so that no line takes long."""


def rows(path: Path, writing: Writing) -> Iterator[Row]:
    """A row for each turn, with the line on which it begins. Raises SpecError for text that nobody says."""
    lines = text_of(path, writing.encoding).splitlines()
    speakers = _speakers(lines)
    begun, speaker, said = 0, "", [""]  # the turn that goes on: its line, who speaks, its lines
    for number, line in enumerate(lines, start=1):
        turn = TURN.match(line)
        if turn and turn["speaker"] in speakers:
            if begun:
                yield _turn(begun, speaker, said)
            begun, speaker, said = number, turn["speaker"], [turn["text"].strip()]
        elif begun:
            said.append(line.strip())
        elif line.strip():
            what = "nobody says this: each turn begins with SPEAKER and a colon, e.g. `T: `"
            raise SpecError.at(path, what, line=number)
    if begun:
        yield _turn(begun, speaker, said)


def _turn(line: int, speaker: str, said: list[str]) -> Row:
    return Row(line, {"speaker": speaker, "text": "\n".join(said).strip()})


def _speakers(lines: list[str]) -> set[str]:
    """A single word before a colon is a speaker; several words are one where they begin more than one line."""
    found = Counter(turn["speaker"] for line in lines if (turn := TURN.match(line)))
    return {speaker for speaker, count in found.items() if " " not in speaker or count > 1}
