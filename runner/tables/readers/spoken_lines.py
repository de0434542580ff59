"""Plain text in which each turn begins with its speaker: `T: ...`, `user: ...`, `**Therapist:** ...`, `[00:10] C： ...`.

A speaker may stand on a line of its own, with a colon or, where nobody has one, without. Turns may be numbered (`T1:`, `C1:`,
`12. T:`). A turn goes on to the next speaker, over blank lines too. What stands before the first one has an empty speaker.
Columns: `speaker` and `text`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cbtrun.errors import SpecError
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Source
from cbtrun.tables.text_file import text_of

_CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?(?!:?\d)"
_TIME = rf"[\[(<]?{_CLOCK}(?:[ \t]{{0,3}}(?:-|–|-->)[ \t]{{0,3}}{_CLOCK})?[\])>]?"
_NAME = r"[^\W\d_][\w.'’-]{0,39}(?: [\w.'’&-]{1,30}){0,3}(?<!_)"
_BEFORE = (
    rf"\s{{0,20}}(?:[-–•>]|#{{1,6}})?[ \t]{{0,4}}(?:[\[(#]?\d{{1,5}}[\])]?[.:)]?[ \t]{{1,4}})?(?:{_TIME}[ \t]{{1,4}})?"
)
TURN = re.compile(
    rf"{_BEFORE}[*_]{{0,3}}[\[(<]?(?P<speaker>{_NAME})[\])>]?[*_]{{0,3}}(?:[ \t]{{1,4}}{_TIME})?"
    r"[ \t]{0,4}(?:[:：](?!//|\d)|(?<!\d)[:：])(?!//)[*_]{0,3}\s*(?P<text>.*)\Z",
    re.DOTALL,
)
"""A speaker, a colon of half or full width, and what is said. Every part is bounded, so that no line takes long."""
ALONE = re.compile(
    rf"{_BEFORE}[*_]{{0,3}}[\[(<]?(?P<speaker>{_NAME})[\])>]?[*_]{{0,3}}(?:[ \t]{{1,9}}{_TIME})?\s{{0,20}}\Z"
)
"""A speaker on a line of its own, without a colon."""
NUMBERED = re.compile(r"([^\W\d_]{1,20})[ .-]?(\d{1,5})\Z")
"""A speaker with the number of the turn."""


def rows(source: Source, writing: Writing) -> Iterator[Row]:
    """A row for each turn, with the line on which it begins. Raises SpecError for text that nobody says."""
    yield from turns_in(text_of(source, writing.encoding).splitlines(), source)


def spoken_turns(text: str, known: frozenset[str] | None = None) -> list[tuple[str, str]]:
    """Speaker and what is said for each turn of a text; none where it has no speaker.

    known: words that begin a turn. Others do so where they begin as many lines as the rarest of these, and more than one.
    """
    lines = text.splitlines()
    marks = _marks(lines, known)
    return [(row.cells["speaker"], row.cells["text"]) for row in _turns(lines, marks, 1)] if marks else []


def turns_in(lines: Sequence[str], source: Source, first: int = 1, *, alone: bool = True) -> Iterator[Row]:
    """A row for each turn of some lines. first: number of their first one. alone: whether they are the whole text.

    Raises SpecError where that is alone and nobody speaks in it.
    """
    marks = _marks(lines)
    if not marks and alone and (said := [at for at, line in enumerate(lines, start=first) if line.strip()]):
        what = "nobody says this: each turn begins with SPEAKER and a colon, e.g. `T: `"
        raise SpecError.at(str(source), what, line=said[0])
    yield from _turns(lines, marks, first)


def _turns(lines: Sequence[str], marks: Mapping[int, tuple[str, str]], first: int) -> Iterator[Row]:
    begun, speaker, said_so_far = first, "", [""]  # the turn that goes on: its line, who speaks, its lines
    for at, line in enumerate(lines):
        if at in marks:
            yield from _turn(begun, speaker, said_so_far)
            begun, (speaker, text) = first + at, marks[at]
            said_so_far = [text.strip()]
        else:
            begun = begun if speaker or any(said_so_far) else first + at
            said_so_far.append(line.strip())
    yield from _turn(begun, speaker, said_so_far)


def _turn(line: int, speaker: str, said: Sequence[str]) -> Iterator[Row]:
    text = "\n".join(said).strip()
    if speaker or text:
        yield Row(line, {"speaker": speaker, "text": text})


def _marks(lines: Sequence[str], known: frozenset[str] | None = None) -> dict[int, tuple[str, str]]:
    """Place of each line that begins a turn -> its speaker, and what the line says."""
    turns = {at: found for at, line in enumerate(lines) if (found := TURN.match(line))}
    counts = Counter(found["speaker"] for found in turns.values())
    speakers = _speakers(counts) if known is None else _beside(counts, known)
    marks = {at: (found["speaker"], found["text"]) for at, found in turns.items() if found["speaker"] in speakers}
    return _without_numbers(marks) if known is None and marks else marks or _alone(lines, known)


def _speakers(counts: Counter[str]) -> set[str]:
    """A single word before a colon is a speaker; several words are one where they begin more than one line."""
    return {name for name, count in counts.items() if " " not in name or count > 1}


def _beside(counts: Counter[str], known: frozenset[str]) -> set[str]:
    """The known speakers, and whom the study seems to have forgotten: it is told of them."""
    found = {name for name in counts if name in known}
    least = max(2, min((counts[name] for name in found), default=0))
    return found | {name for name, count in counts.items() if found and " " not in name and count >= least}


def _alone(lines: Sequence[str], known: frozenset[str] | None) -> dict[int, tuple[str, str]]:
    """Names on lines of their own, each at the beginning or after a blank line, before what is said, and more than once."""
    starts = [at for at, line in enumerate(lines[:-1]) if line.strip() and lines[at + 1].strip()]
    starts = [at for at in starts if at == 0 or not lines[at - 1].strip()]
    turns = {at: found["speaker"] for at in starts if (found := ALONE.match(lines[at]))}
    counts = Counter(turns.values())
    if known is None and len(counts) < 2:
        return {}
    names = {name for name, count in counts.items() if count > 1} if known is None else {*known}
    return {at: (name, "") for at, name in turns.items() if name in names}


def _without_numbers(marks: dict[int, tuple[str, str]]) -> dict[int, tuple[str, str]]:
    """T1, C1, T2, C2 are T and C, and P1 and P2 are two: several speakers whose numbers ascend number their turns.

    A number may stand twice in a row (T3, T3) where a speaker has three others or more. Names without a number stay.
    """
    numbers: dict[str, list[int]] = {}
    for name, _ in marks.values():
        if found := NUMBERED.match(name):
            numbers.setdefault(found[1], []).append(int(found[2]))
    if len(numbers) < 2 or not all(_ascend(held) for held in numbers.values()):
        return marks
    return {at: (NUMBERED.sub(r"\1", name), text) for at, (name, text) in marks.items()}


def _ascend(numbers: Sequence[int]) -> bool:
    return list(numbers) == sorted(numbers) and (len({*numbers}) == len(numbers) or len({*numbers}) > 3)
