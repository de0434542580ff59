"""Vignettes as they lie in folders: a text a file, whose name is the person's id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cbtrun.plugin import Json, SpecError, Writing, files_of, session_names, text_of
from cbtrun.plugins.transcripts.mapping_schema import WRITTEN

TEXTS = (".txt", ".md")
WRITING: Json = {
    **WRITTEN,
    "records": {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "description": "Where the people of a JSON document are: `clients[]`, `data.cases[]`.",
    },
}
"""Options that say how a file of people is written."""


def writing_of(options: Mapping[str, Any]) -> Writing:
    """What a block says of how its file is written."""
    return Writing(**{name: options[name] for name in WRITING if name in options})


def is_vignette(path: Path) -> bool:
    """Whether a file, a folder or a pattern is of texts, one person each. A folder of texts and tables is an error."""
    if path.is_file():
        return path.suffix.lower() in TEXTS
    kinds = {one.suffix.lower() in TEXTS for one in files_of(path)}
    if len(kinds) > 1:
        raise SpecError.at(path, "holds texts and other files; a pattern names some of them: `path: people/*.txt`")
    return kinds == {True}


def vignettes(path: Path, encoding: str = "") -> Iterator[tuple[Path, dict[str, str]]]:
    """Each file with its persona: the name without its ending is the id. Raises SpecError for an empty one."""
    files = [path] if path.is_file() else files_of(path)
    names = {path: path.stem} if path.is_file() else session_names(path, files)
    for one in files:
        words = text_of(one, encoding).strip()
        if not words:
            raise SpecError.at(one, "is empty: nothing tells of this person")
        yield one, {"id": names[one], "text": words}
