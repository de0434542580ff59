"""Problems as a terminal shows them: each with the line that it stands in, and a caret under the word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from cbtrun.errors import Problem, SpecError

MOST_LINES = 20
"""Problems that are shown with their line; the others have the place alone."""
WIDEST = 100
"""Characters of a line that are shown, around the word."""
BEFORE = 60
"""Of these, how many may stand before the word."""
WORD = re.compile(r"\"[^\"]{0,100}\"|'[^']{0,100}'|[^\s,:{}\[\]#]{1,100}")


def told(error: SpecError) -> str:
    """The message of an error with the lines of its problems. What each first line says stays as it is for editors."""
    texts: dict[str, list[str]] = {}
    shown = []
    for at, problem in enumerate(error.problems):
        shown.append(str(problem))
        if at < MOST_LINES:
            shown += _excerpt(problem, texts)
    return "\n".join([*shown, str(error).splitlines()[-1]])


def _excerpt(problem: Problem, texts: dict[str, list[str]]) -> Iterator[str]:
    """The line with its number, and carets under the word; nothing where there is no line to show."""
    place = problem.place
    if place.line is None or place.column is None:
        return
    if place.file not in texts:
        texts[place.file] = _lines_of(Path(place.file))
    lines = texts[place.file]
    if not 0 < place.line <= len(lines):
        return
    line = lines[place.line - 1].replace("\t", " ")
    column = min(place.column - 1, len(line))
    if _holds_persons(lines):
        line, column = _without_words(line, column)
    word = WORD.match(line, column)
    length = len(word[0]) if word else 1
    start = max(0, column - BEFORE) if len(line) > WIDEST else 0
    part = line[start : start + WIDEST]
    number = f"{place.line:>5} | "
    yield f"{number}{'…' if start else ''}{part}{'…' if start + WIDEST < len(line) else ''}"
    ahead = _columns(line[start:column]) + (1 if start else 0)
    carets = max(1, _columns(line[column : min(column + length, start + WIDEST)]))
    yield f"{'':>5} | {' ' * ahead}{'^' * carets}"


def _lines_of(path: Path) -> list[str]:
    """The lines of a file that people write for cbtrun; none of a file of data, whose words are not repeated."""
    from cbtrun.documents.yaml_source import text_in

    if path.suffix not in (".yaml", ".yml"):
        return []
    try:
        return text_in(path).splitlines()
    except SpecError:
        return []


def _holds_persons(lines: list[str]) -> bool:
    """Whether a file is a list, as only files of persons are."""
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return first.startswith(("-", "["))


def _without_words(line: str, column: int) -> tuple[str, int]:
    """A line about a person: the key, and its value where that is a number or one short word; and the place of the word."""
    key = re.search(r"[\w-]{1,60}: {0,20}$", line[max(0, column - 80) : column])
    word = re.match(r"[\w.+-]{1,12}(?= {0,20}([,}\]#]|$))|[\w-]{1,60}(?=:)", line[column:])
    before, value = key[0] if key else "", word[0] if word else "…"
    return f"  {before}{value}", 2 + len(before)


def _columns(text: str) -> int:
    """How wide a text stands on a terminal: signs of East Asian scripts take two columns, combining ones none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
