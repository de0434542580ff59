"""What `cbtrun new study` writes: a template, or a study that ships, made the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cbtrun.cli.scaffolds import checked_name, schema_line, template, write_files
from cbtrun.documents.schema_words import did_you_mean
from cbtrun.documents.yaml_source import parse_yaml
from cbtrun.errors import SpecError
from cbtrun.study.shipped import shipped_folder, shipped_studies, title_in

TEMPLATES = {
    "api": "my model behind a server, against another",
    "prompt": "two system prompts, one model",
    "ratings": "rate sessions that exist already, compare two groups",
    "tune": "tune a model on transcripts, compare it with what it was",
    "sessions": "simulated sessions of two therapists, rated and compared; runs as it is",
}
"""Template -> what it is for. The studies that ship stand beside them."""
USUAL = "ratings"
"""What a study is like if nobody says."""
TRANSCRIPTS = "transcripts.csv"
LONGEST_NAME = 200
"""Characters of a text that may still be the name of a file."""


def kinds_of_study() -> list[str]:
    """One line for each thing that a new study may be like."""
    ships = [f"  {name:<16} {title_in(path)}" for name, path in shipped_studies().items()]
    return [
        "To fill in:",
        *(f"  {name:<16} {what}" for name, what in TEMPLATES.items()),
        "Copies of studies that ship (each also runs by its name from any folder: cbtrun quickstart):",
        *ships,
    ]


def write_study(name: str, like: str | None, folder: Path) -> Iterator[str]:
    """Write a study called `name`, and what it reads, into a folder; gives lines that say what to do next.

    like: a template or a study that ships. Raises SpecError for one that is neither (with all that there are), for a name
    that would not work, and where a file is there already.
    """
    checked_name(name)
    what = like or USUAL
    files = _files(name, what)
    yield from write_files(files, folder, ("study",))
    yield f"next: cbtrun validate {name}.yaml"
    if like is None:
        yield f"other kinds: cbtrun new study NAME --like {'|'.join([*TEMPLATES, *shipped_studies()][:8])}|... (`cbtrun new study` tells all)"


def _files(name: str, what: str) -> dict[str, str]:
    if what in TEMPLATES:
        text = schema_line("study") + template(f"studies/{what}.yaml", name)
        beside = {f"{name}.{TRANSCRIPTS}": template(TRANSCRIPTS, name)} if TRANSCRIPTS in text else {}
        return {f"{name}.yaml": text, **beside}
    ships = shipped_studies()
    if what in ships:
        return dict(_copied(name, ships[what], f"{name}.yaml"))
    near = did_you_mean(what, [*TEMPLATES, *ships])
    raise SpecError.at(
        f"--like {what}", f"there is no such study to start from{near}. There are:\n" + "\n".join(kinds_of_study())
    )


def _copied(name: str, path: Path, target: str) -> Iterator[tuple[str, str]]:
    """(file, text) of a shipped study under another name, of what it extends and of the data that it names.

    Only what lies in files beside it moves; rubrics, personas and courses that ship are known by their names everywhere.
    """
    text = re.sub(r"^# yaml-language-server:.*\n(#\n)?", "", path.read_text(encoding="utf-8"))
    text = re.sub(r"^study: .*$", f"study: {Path(target).stem.replace('.', '-')}", text, count=1, flags=re.MULTILINE)
    text = text.replace(f"specs/{path.name}", target)
    for written in _files_beside(text):
        source = shipped_folder() / written
        beside = f"{name}.{source.name}"
        text = re.sub(rf"(?<![\w/.-]){re.escape(written)}(?![\w/])", beside, text)
        if source.suffix == ".yaml":
            yield from _copied(name, source, beside)
        else:
            yield beside, source.read_text(encoding="utf-8")
    yield target, schema_line("study") + text


def _files_beside(text: str) -> list[str]:
    """Texts of a study that are files beside the shipped studies, each once."""
    named = (one for one in _texts(parse_yaml(text, "study").plain()) if "." in one and len(one) < LONGEST_NAME)
    return list(dict.fromkeys(one for one in named if (shipped_folder() / one).is_file()))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
