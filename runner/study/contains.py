"""Whether real people speak in what a study reads: what its files and the command line say of it, and what that covers.

A stranger's file cannot speak for data that it does not name: `contains: none` covers what the same file names, or
everything when the command line says it. `real-people` holds for whatever extends the file that says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cbtrun.contract.marks import brings_words, names_of
from cbtrun.documents.schema import Part
from cbtrun.documents.yaml_source import Steps
from cbtrun.study.references import is_path

BRINGING = ("personas", "corpus", "sessions")
"""Stages whose blocks may read words that somebody said."""
NONE, REAL = "none", "real-people"


@dataclass(frozen=True)
class Brought:
    """A file or data set that brings words into a study."""

    stage: str
    """Id of the stage that reads it: `sessions`, `corpus.real` ..."""
    source: str
    """Its path or name, as the study has it."""
    at: Steps
    """Where the study names it."""


def brought_words(parts: Iterable[Part]) -> Iterator[Brought]:
    """What brings words: each file or folder under personas, corpus and sessions that its schema does not except.

    parts: paths from the top of the study. A plugin excepts a value by `x-words: false` (a plan, a rubric), and marks
    one that is no file (the name of a data set) by `x-words: true`.
    """
    for part in parts:
        if part.path[:1] and part.path[0] in BRINGING and isinstance(part.value, str) and _brings(part):
            stage = str(part.path[0]) if part.path[0] == "sessions" else f"{part.path[0]}.{part.path[1]}"
            yield Brought(stage, part.value, part.path)


def _brings(part: Part) -> bool:
    marked = brings_words(part.schema)
    if marked is not None:
        return marked
    kinds = names_of(part.schema)
    if "shipped" in kinds and not is_path(part.value):
        return False  # comes with cbtrun: nobody real
    return bool({"file", "folder"} & {*kinds})


def settled(said: Mapping[str, str], named_in: Sequence[str], command_line: str) -> str | None:
    """What holds of a study: `none`, `real-people`, or None where nobody has said it of all that it reads.

    said: file (or option of the command line) -> what it says. named_in: where each source of words is named.
    command_line: how the command line's options begin.
    """
    for place, word in said.items():
        if place.startswith(command_line):
            return word
    covered = all(said.get(place) == NONE for place in named_in)
    if REAL in said.values():
        return NONE if covered and named_in else REAL
    return NONE if covered and said else None
