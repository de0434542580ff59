"""Keeps `cbtrun.plugin`, the face that plugins import, in step: `python tools/plugin_face.py`

Reads the names in runner/plugin.py, adds what a file of plugins/ imports from the engine, makes those files import it from
the face, and writes the same for type checkers into runner/plugin.pyi.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FACE, TYPES = ROOT / "runner/plugin.py", ROOT / "runner/plugin.pyi"
TABLE = re.compile(r"(?<=^HOMES: Mapping\[str, str\] = \{\n).*?(?=^\}$)", re.MULTILINE | re.DOTALL)
OTHER_NAMES = {("cbtrun.calls.transport", "Answer"): "ServerAnswer", ("cbtrun.tables.transcript_table", "Row"): "TableRow"}  # fmt: skip
"""Names that two modules have: (module, name) -> its name in the face."""
DATA = ("cbtrun.rubrics", "cbtrun.specs", "cbtrun.schemas")
"""Packages that hold no code."""

Sections = dict[str, dict[str, set[str]]]
"""Title -> module -> names, `name` or `name=name_in_the_face`."""


def read_sections() -> Sections:
    """The table of the face, with the titles that stand in it as comments."""
    found: Sections = {}
    title = ""
    table = TABLE.search(FACE.read_text(encoding="utf-8"))
    assert table is not None
    for line in table[0].splitlines():
        if line.strip().startswith("# "):
            title = line.strip().removeprefix("# ")
            found[title] = {}
        elif module := re.match(r'\s*"(cbtrun[\w.]*)":', line):
            name = module[1]
            found[title][name] = {*" ".join(re.findall(r'"([^"]*)"', line)[1:]).split()}
        else:
            found[title][name] |= {*" ".join(re.findall(r'"([^"]*)"', line)).split()}
    return found


def add(sections: Sections, module: str, name: str) -> str:
    """Put a name into the table. Returns its name in the face."""
    shown = OTHER_NAMES.get((module, name), name)
    entry = name if shown == name else f"{name}={shown}"
    rooms = [one for one in sections if module in sections[one]]
    rooms += [one for one in sections if any(_room(known) == _room(module) for known in sections[one])]
    sections[(rooms or list(sections))[0]].setdefault(module, set()).add(entry)
    return shown


def _room(module: str) -> str:
    return module.rpartition(".")[0] if module.count(".") > 1 else module


def rewrite(sections: Sections, path: Path) -> None:
    """Make a file of plugins/ import the engine from the face alone."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for node in reversed([*ast.walk(ast.parse("".join(lines)))]):
        if not isinstance(node, ast.ImportFrom) or not _is_engine(node.module or ""):
            continue
        names = []
        for one in node.names:
            shown = add(sections, str(node.module), one.name)
            called = one.asname or one.name
            names.append(shown if shown == called else f"{shown} as {called}")
        lines[node.lineno - 1 : node.end_lineno] = [
            f"{' ' * node.col_offset}from cbtrun.plugin import {', '.join(names)}\n"
        ]
    path.write_text("".join(lines), encoding="utf-8")


def _is_engine(module: str) -> bool:
    return module.startswith("cbtrun.") and not module.startswith(("cbtrun.plugin", *DATA))


def table_text(sections: Sections) -> str:
    """The table as it stands in the face."""
    lines = []
    for title, modules in sections.items():
        lines.append(f"    # {title}")
        for module in sorted(modules):
            lines += _entry(module, sorted(modules[module], key=str.lower))
    return "".join(f"{line}\n" for line in lines)


def _entry(module: str, names: list[str]) -> list[str]:
    whole = f'    "{module}": "{" ".join(names)}",'
    if len(whole) <= 118:
        return [whole]
    rows, row = [], ""
    for name in names:
        if len(row) + len(name) > 96:
            rows, row = [*rows, row], ""
        row += f"{name} "
    rows.append(row.rstrip())
    return [f'    "{module}": (', *(f'        "{one}"' for one in rows), "    ),"]


def types_text(sections: Sections) -> str:
    """The face for type checkers."""
    lines = ['"""What plugins may import, for type checkers: written by tools/plugin_face.py."""\n']
    lines.append("from collections.abc import Mapping\n")
    renamed: list[str] = []  # a renamed import is no export; a name that is given in the file is one
    for title, modules in sections.items():
        lines.append(f"# {title}")
        for module in sorted(modules):
            names = sorted(modules[module], key=str.lower)
            lines += [f"from {module} import {name} as {name}" for name in names if "=" not in name]
            for own, shown in (name.split("=") for name in names if "=" in name):
                lines.append(f"from {module} import {own} as _{shown}")
                renamed.append(f"{shown} = _{shown}")
    lines += ["", *renamed, "HOMES: Mapping[str, str]", "", "def home_of(name: str) -> str | None: ..."]
    return _formatted("\n".join(lines) + "\n")


def _formatted(text: str) -> str:
    ruff = ["ruff", "--quiet"]
    sorted_ = _through(
        [ruff[0], "check", "--quiet", "--fix", "--select", "I", "--stdin-filename", str(TYPES), "-"], text
    )
    return _through([*ruff[:1], "format", "--quiet", "--stdin-filename", str(TYPES), "-"], sorted_)


def _through(command: list[str], text: str) -> str:
    tool = Path(sys.executable).with_name(command[0])
    return subprocess.run([str(tool), *command[1:]], input=text, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Write all of it."""
    sections = read_sections()
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        if any(_is_engine(str(node.module)) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)):  # fmt: skip
            rewrite(sections, path)
    FACE.write_text(TABLE.sub(lambda _: table_text(sections), FACE.read_text(encoding="utf-8")), encoding="utf-8")
    TYPES.write_text(types_text(sections), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
