"""What `cbtrun new` writes: a study, a rubric, personas or a plugin to start from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from cbtrun.errors import SpecError

NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


def write_scaffold(kind: str, name: str, folder: Path) -> Iterator[str]:
    """Write the files of a new study, rubric, set of personas or plugin; gives lines that say what to do next.

    Raises SpecError for a name that would not work, or when a file is there already.
    """
    if not NAME.fullmatch(name):
        raise SpecError.at(name, "not a name: use small letters, digits, '-' and '_', a letter first")
    files = {"study": _study, "rubric": _rubric, "personas": _personas, "plugin": _plugin}[kind](name)
    there = [folder / file for file in files if (folder / file).exists()]
    if there:
        raise SpecError.at(there[0], "is there already; nothing was written")
    for file, text in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        yield f"wrote {file}"
    yield {
        "study": f"next: cbtrun validate {name}.yaml",
        "rubric": f"next: write your items, then name it in a study: rubric: ./{name}.yaml",
        "personas": f"next: write your people, then name them in a study: {{using: files, path: {name}.yaml}}",
        "plugin": f"next: pip install -e ./{name} && python -m pytest {name}",
    }[kind]


def _study(name: str) -> dict[str, str]:
    return {
        f"{name}.yaml": _template("study.yaml", name),
        f"{name}.transcripts.csv": _template("transcripts.csv", name),
        f"{name}.schema.json": _composed_schema(),
    }


def _rubric(name: str) -> dict[str, str]:
    return {f"{name}.yaml": _template("rubric.yaml", name)}


def _personas(name: str) -> dict[str, str]:
    return {f"{name}.yaml": _template("personas.yaml", name)}


def _plugin(name: str) -> dict[str, str]:
    module = "cbtrun_" + name.replace("-", "_")
    return {
        f"{name}/pyproject.toml": _template("plugin/pyproject.toml.txt", name, module),
        f"{name}/{module}.py": _template("plugin/module.py.txt", name, module),
        f"{name}/test_{module}.py": _template("plugin/test.py.txt", name, module),
    }


def _template(file: str, name: str, module: str = "") -> str:
    text = resources.files("cbtrun.cli.scaffold_files").joinpath(file).read_text(encoding="utf-8")
    return text.replace("NAME", name).replace("MODULE", module)


def _composed_schema() -> str:
    import json

    from cbtrun.registry import load_registry
    from cbtrun.study.study_schema import study_schema

    return json.dumps(study_schema(load_registry()), indent=2, ensure_ascii=False) + "\n"
