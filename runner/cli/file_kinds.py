"""What kind of file somebody means by a YAML file: a study, a rubric, personas and what they are drawn from, a course, a practice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from cbtrun.errors import SpecError

KEYS = {"theme": "theme", "attributes": "attributes", "course": "course", "practice": "practice", "items": "rubric"}
"""Key that only one kind of file has -> that kind."""
STUDY_KEYS = ("cbtrun", "study", "extends")
FOLDERS = {
    "rubrics": "rubric",
    "personas": "attributes",
    "themes": "theme",
    "courses": "course",
    "practices": "practice",
}
"""Folder -> the kind of what usually lies in it: what is looked at where the keys do not tell."""
NAMES = {
    "study": "study",
    "rubric": "rubric",
    "personas": "personas",
    "attributes": "persona attributes",
    "theme": "theme",
    "course": "course",
    "practice": "practice",
}
"""Kind -> what it is called."""
YAML = (".yaml", ".yml")
FEWEST_KEYS = 2
"""Keys in common with a kind that a file must have to be taken for it."""


def kind_of(path: Path) -> str:
    """The kind of a file, by what is in it; empty for one that is of no kind. Raises SpecError for what is no YAML."""
    if path.suffix not in YAML:
        return "personas" if path.suffix in (".jsonl", ".json", ".csv", ".tsv") else ""
    from cbtrun.documents.yaml_source import parse_yaml, text_in

    value = parse_yaml(text_in(path), str(path), number_keys=True).plain()
    if isinstance(value, list):
        return "personas"
    if not isinstance(value, dict):
        return ""
    if any(key in value for key in STUDY_KEYS):
        return "study"
    told = next((kind for key, kind in KEYS.items() if key in value), "")
    return told or FOLDERS.get(path.absolute().parent.name, "") or _nearest(value)


def files_in(folder: Path) -> list[Path]:
    """The YAML files of a folder and those below it, sorted; nothing hidden, nothing of a run."""
    return sorted(_yaml_files(folder))


def _yaml_files(folder: Path) -> Iterator[Path]:
    there = [*folder.iterdir()]
    if any(one.name == "study.lock.yaml" for one in there):
        return
    for one in there:
        if one.name.startswith(".") or one.is_symlink():
            continue
        if one.is_dir():
            yield from _yaml_files(one)
        elif one.suffix in YAML:
            yield one


def _nearest(value: dict[str, Any]) -> str:
    """The kind whose keys a file has most of, for one in which the telling key is misspelt."""
    common = {kind: len({*value} & keys) for kind, keys in _known_keys().items()}
    best = max(common, key=lambda kind: common[kind])
    return best if common[best] >= FEWEST_KEYS else ""


@cache
def _known_keys() -> dict[str, frozenset[str]]:
    from cbtrun.study.study_schema import base_schema

    kinds = ("rubric", "attributes", "theme", "course", "practice")
    found = {"study": frozenset(base_schema()["properties"])}
    return found | {kind: frozenset(schema_of(kind)["properties"]) for kind in kinds}


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file."""
    text = resources.files("cbtrun.schemas").joinpath(f"{kind}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def no_kind(path: Path) -> SpecError:
    """What is said of a file that is of no kind."""
    kinds = ", ".join(NAMES.values())
    return SpecError.at(path, f"is none of: {kinds}; `cbtrun import {path}` looks at transcripts and scores")
