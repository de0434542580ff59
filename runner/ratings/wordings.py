"""The wordings of a rating set: ways to tell the rater who it is and how to judge, compared as a facet of their own.

A wording stands in place of the first two lines of the rater's system message. The rubric, the rules, the form of the
answer, and the lines that make the transcript mere material stay as they are: no wording can take those away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cbtrun.errors import StageError
from cbtrun.ratings.request import Brief

MOST_CHARACTERS = 20_000
"""Of a wording."""
ALWAYS = 2
"""Lines at the end of the rater's system message that every wording keeps."""


@dataclass(frozen=True)
class Wording:
    """A named way to ask."""

    name: str
    """Empty in a set without wordings."""
    text: str
    """None of its own: the shipped words."""

    def of(self, brief: Brief) -> Brief:
        """The brief with these words in front of what always stands."""
        if not self.text:
            return brief
        always = brief.system.splitlines()[-ALWAYS:]
        return replace(brief, system="\n".join([self.text, *always]))


def wordings_of(options: Mapping[str, Any]) -> tuple[Wording, ...]:
    """The wordings of a rating block, its files read; one without a name where it declares none.

    Raises StageError for a file that cannot be read as text of a bearable length, or says nothing.
    """
    declared: Sequence[Mapping[str, Any]] = options.get("wordings") or ()
    return tuple(Wording(str(one["name"]), _text(one)) for one in declared) or (Wording("", ""),)


def count_wordings(options: Mapping[str, Any]) -> int:
    """How many ratings of each rater and repeat a block asks for."""
    return max(1, len(options.get("wordings") or ()))


def _text(declared: Mapping[str, Any]) -> str:
    if "file" not in declared:
        return str(declared.get("text") or "").strip()
    path = Path(str(declared["file"]))
    try:
        with path.open(encoding="utf-8") as opened:
            text = opened.read(MOST_CHARACTERS + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"wording '{declared['name']}': {path} cannot be read as text: {error}") from error
    if not text:
        raise StageError(f"wording '{declared['name']}': {path} is empty")
    if len(text) > MOST_CHARACTERS:
        raise StageError(f"wording '{declared['name']}': {path} is longer than {MOST_CHARACTERS:,} characters")
    return text


def wording_faults(options: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Number of a wording in its block, from 0, and what is wrong with it."""
    found: list[tuple[int, str]] = []
    names: set[str] = set()
    texts: dict[str, str] = {}
    for at, declared in enumerate(options.get("wordings") or ()):
        name = str(declared["name"])
        if name in names:
            found.append((at, f"a second wording is called '{name}'"))
        names.add(name)
        if "text" in declared and "file" in declared:
            found.append((at, f"wording '{name}' has `text` and `file`: one of them"))
            continue
        try:
            text = _text(declared)
        except StageError as error:
            found.append((at, str(error)))
            continue
        if text in texts:
            same = "the shipped words" if not text else "the same words"
            found.append(
                (at, f"wordings '{texts[text]}' and '{name}' are {same}: that would be a repeat, not a wording")
            )
        texts.setdefault(text, name)
    return found
