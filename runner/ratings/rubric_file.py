"""A rubric from its YAML file: found by name or path, checked in full, each problem with its line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from cbtrun.contract.records import Json
from cbtrun.documents.schema import schema_problems
from cbtrun.documents.yaml_source import read_yaml
from cbtrun.errors import Problem, SpecError
from cbtrun.ratings.rubric import Rubric
from cbtrun.ratings.rubric_checks import rubric_faults

if TYPE_CHECKING:
    from cbtrun.documents.yaml_source import Located


def read_rubric(path: Path) -> Rubric:
    """The rubric of a YAML file. Raises SpecError with all its problems, each with its line."""
    document = read_yaml(path, number_keys=True)
    problems = schema_problems(document.value, _written_schema(), document.place)
    if not problems:
        try:
            rubric = Rubric.model_validate(_with_borrowed_signals(document, path))
        except ValidationError as error:
            # A list whose items all fail is reported as too short as well: the value errors say it.
            found = [detail for detail in error.errors() if detail["type"] == "value_error"] or error.errors()
            problems = [_problem(document, *_what(detail, document.value)) for detail in found]
        else:
            problems = [_problem(document, fault.path, fault.what) for fault in rubric_faults(rubric)]
    if problems:
        raise SpecError(sorted(problems, key=lambda problem: problem.place.line or 0))
    return rubric


def _with_borrowed_signals(document: Located, path: Path) -> Any:
    """The rubric's value with the signals of `signals_from` in front of its own, so that its digest covers them too."""
    name = document.value.get("signals_from")
    if name is None:
        return document.value

    folders = [path.parent, Path(str(files("cbtrun.rubrics")))]
    if name == document.value["name"]:
        raise SpecError([_problem(document, ("signals_from",), "a rubric cannot borrow signals from itself")])
    try:
        lender = read_rubric(find_rubric(name, folders))
    except FileNotFoundError as error:
        raise SpecError([_problem(document, ("signals_from",), str(error))]) from None
    borrowed = {id: signal.model_dump(mode="json") for id, signal in lender.signals.items()}
    return {**document.value, "signals": {**borrowed, **document.value.get("signals", {})}}


def find_rubric(name_or_path: str, folders: Sequence[Path]) -> Path:
    """The file of a rubric, by its name in one of the folders or by its path (ending in .yaml).

    A relative path is looked up from the first folder: put the study's own there.
    Raises FileNotFoundError that says which names are known.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        candidates = [folder / name_or_path for folder in folders[:1]] or [Path(name_or_path)]
    else:
        candidates = [folder / f"{name_or_path}.yaml" for folder in folders]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise FileNotFoundError(f"no rubric {name_or_path!r}; known: {', '.join(known) or 'none'}")


@cache
def _written_schema() -> Json:

    return cast(Json, json.loads((files("cbtrun.schemas") / "rubric.schema.json").read_text(encoding="utf-8")))


def _problem(document: Located, path: Sequence[str | int], what: str) -> Problem:
    return Problem(document.place(*path), "/".join(map(str, path)), what)


def _what(detail: Any, value: Any) -> tuple[tuple[str | int, ...], str]:
    """Path and words of what pydantic found and the schema cannot say: a bad regular expression, an empty window."""
    path: list[str | int] = []
    for part in detail["loc"]:
        if isinstance(value, dict) and part not in value:
            continue  # the name of the chosen kind of signal, which is no key of the file
        path.append(part)
        value = value[part] if isinstance(value, dict | list) else None
    return tuple(path), str(detail["msg"]).removeprefix("Value error, ")
