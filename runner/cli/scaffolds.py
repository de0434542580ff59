"""What `cbtrun new` writes besides studies: a rubric, personas or a plugin to start from; and how any of it is written."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

from cbtrun.errors import SpecError

NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
SCHEMAS = ".cbtrun"
"""Folder beside what is written that holds the schemas for editors; all files of a folder share them."""


def write_scaffold(kind: str, name: str, folder: Path) -> Iterator[str]:
    """Write the files of a new rubric, set of personas or plugin; gives lines that say what to do next.

    Raises SpecError for a name that would not work, or when a file is there already.
    """
    checked_name(name)
    files = {"rubric": _rubric, "personas": _personas, "plugin": _plugin}[kind](name)
    yield from write_files(files, folder, () if kind == "plugin" else (kind,))
    yield {
        "rubric": f"next: cbtrun validate {name}.yaml; then name it in a study: rubric: ./{name}.yaml",
        "personas": f"next: cbtrun validate {name}.yaml; then name them in a study: {{using: files, path: {name}.yaml}}",
        "plugin": f'next: {_python()} -m pip install -e "./{name}[test]" && {_python()} -m pytest {name}',
    }[kind]


def checked_name(name: str) -> None:
    """Raises SpecError for what cannot be the name of something new."""
    if not NAME.fullmatch(name):
        raise SpecError.at(name, "not a name: use small letters, digits, '-' and '_', a letter first")


def write_files(files: Mapping[str, str], folder: Path, schemas: tuple[str, ...]) -> Iterator[str]:
    """Write files that are not there yet, and the schemas by which editors check them; gives a line for each.

    Raises SpecError when one of the files is there already; a schema is made anew.
    """
    there = [folder / file for file in files if os.path.lexists(folder / file)]
    if there:
        raise SpecError.at(there[0], "is there already; nothing was written")
    for kind in schemas:
        path = folder / SCHEMAS / f"{kind}.schema.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(schema_text(kind), encoding="utf-8")
    for file, text in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        yield f"wrote {file}"
    for kind in schemas:
        yield f"wrote {SCHEMAS}/{kind}.schema.json (for your editor)"


def schema_line(kind: str) -> str:
    """The first line of a file, by which an editor with a YAML language server completes and checks it."""
    return f"# yaml-language-server: $schema=./{SCHEMAS}/{kind}.schema.json\n#\n"


def schema_text(kind: str) -> str:
    """The JSON Schema of a kind of file that people write: a study, a rubric, personas."""
    from cbtrun.registry import load_registry
    from cbtrun.study.study_schema import record_schemas, study_schema

    schema = study_schema(load_registry()) if kind == "study" else record_schemas()[f"{kind}.schema.json"]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def template(file: str, name: str, module: str = "") -> str:
    """A file to start from, under its new name."""
    text = resources.files("cbtrun.cli.scaffold_files").joinpath(file).read_text(encoding="utf-8")
    return re.sub(r"\bNAME\b", name, text).replace("MODULE", module)


def _rubric(name: str) -> dict[str, str]:
    return {f"{name}.yaml": schema_line("rubric") + template("rubric.yaml", name)}


def _personas(name: str) -> dict[str, str]:
    return {f"{name}.yaml": schema_line("personas") + template("personas.yaml", name)}


def _plugin(name: str) -> dict[str, str]:
    module = "cbtrun_" + name.replace("-", "_")
    return {
        f"{name}/pyproject.toml": template("plugin/pyproject.toml.txt", name, module),
        f"{name}/{module}.py": template("plugin/module.py.txt", name, module),
        f"{name}/test_{module}.py": template("plugin/test.py.txt", name, module),
    }


def _python() -> str:
    """How this Python is called in a command: by its path where `python` is another one, or none."""
    found = shutil.which("python")
    same = found is not None and Path(found).parent.resolve() == Path(sys.executable).parent.resolve()
    return "python" if same else sys.executable
