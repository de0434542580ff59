"""The pages of docs/formats/ as data: the files that they show, the command that reads one, and what is refused in which words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cbtrun.cluster.where import where_of
from cbtrun.contract.records import Rating, Session, Transcript
from cbtrun.errors import CbtrunError
from cbtrun.files.record_list import FileLines, RecordList
from cbtrun.results.records import results_in
from cbtrun.scores.score import Score
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT

FOLDER = ROOT / "docs/formats"
BLOCK = re.compile(r'```[a-z]+ title="([^"]+)"\n(.*?)```', re.DOTALL)
RECORDS = {"sessions.jsonl": Session, "cbt.jsonl": Transcript, "ratings.jsonl": Rating, "scores.jsonl": Score}
"""File of records in an example -> what each of its lines is."""
ROW = re.compile(r"^\| `(.+?)` \| (?:`(.*?)`|nothing) \| `(.+)` \|$", re.MULTILINE)


@dataclass(frozen=True)
class Refusal:
    """One change of a page's example, and what the program says of it."""

    old: str
    new: str
    said: str


@dataclass(frozen=True)
class FormatPage:
    """A page of a format."""

    name: str
    files: dict[str, str]
    """File name -> text of each example."""
    command: list[str]
    """Words of the command that reads it; none for a format that no command reads by itself."""
    refusals: tuple[Refusal, ...]


def format_page(path: Path) -> FormatPage:
    """What a page shows."""
    text = path.read_text(encoding="utf-8")
    commands = re.findall(r"^\$ cbtrun (.+)$", text, re.MULTILINE)
    _, _, refused = text.partition("## Bounds and what is refused")
    rows = (Refusal(*((cell or "").replace("\\|", "|") for cell in row.groups())) for row in ROW.finditer(refused))
    return FormatPage(path.name, dict(BLOCK.findall(text)), shlex.split(commands[0]) if commands else [], tuple(rows))


def pages() -> list[FormatPage]:
    """Every page of a format, by name; the index is none."""
    return [format_page(path) for path in sorted(FOLDER.glob("*.md")) if path.name != "README.md"]


def said_of(page: FormatPage, files: Mapping[str, str], project: StudyProject) -> tuple[int, str]:
    """Exit code and first line of what the program says when it reads a page's files by their own door."""
    for name, text in files.items():
        (project.folder / name).write_text(" ".join(text.split()) if name in RECORDS else text, encoding="utf-8")
    if page.command and page.name != "where.md":  # `--on` would look for the cluster
        outcome = project.run(*page.command)
        return outcome.code, (outcome.err or outcome.out).partition("\n")[0].replace(f"{project.folder}/", "")
    try:
        for name in files:
            _read(project.folder / name)
    except CbtrunError as error:
        return 2, str(error).partition("\n")[0].replace(f"{project.folder}/", "")
    return 0, ""


def _read(path: Path) -> None:
    if path.name in RECORDS:
        assert len([*RecordList(RECORDS[path.name], FileLines(path))]) == 1
    elif path.name == "results.json":
        results_in(path)
    elif path.name == "where.yaml":
        where_of(str(path))
