"""Writes every sentence that an error can say into docs/errors.md, found in the source: `python tools/error_index.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/errors.md"
BEGIN, END = "<!-- sentences: python tools/error_index.py -->\n", "<!-- sentences end -->\n"
VARIES = "…"
"""Stands for what differs from case to case."""
FEWEST_LETTERS = 12
"""Fewer than these beside what varies tell a reader nothing."""
KINDS = {
    "Problem": "In a study or another file (exit 2)",
    "SpecError": "In a study or another file (exit 2)",
    "ConsentMissing": "In a study or another file (exit 2)",
    "CopiedRun": "In a study or another file (exit 2)",
    "PluginError": "Plugins (exit 2)",
    "ModelError": "Models (before a run exit 2; one unit that failed exit 3)",
    "Refusal": "Models (before a run exit 2; one unit that failed exit 3)",
    "StageError": "While a stage works, or in a run folder (exit 2)",
    "WouldAsk": "While a stage works, or in a run folder (exit 2)",
    "StatisticsError": "Statistics (exit 2)",
    "StopRun": "Stops from which the same command goes on (exit 4)",
    "AccessRefused": "A server that takes no call (exit 2)",
    "WrongModel": "A tuned model that is not the one that was trained (exit 3)",
}
"""Class of an error (runner/errors.py) -> the heading under which its sentences stand."""


class Sentence(NamedTuple):
    """What an error says, with what varies as `…`."""

    kind: str
    words: str
    file: str
    """Where it is said: `runner/study/checks.py`."""


def with_sentences(page: str) -> str:
    """The page with its list made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{_list()}\n\n{END}{after}"


@cache
def sentences() -> list[Sentence]:
    """Every sentence of an error in the engine and the plugins that ship, each once, by heading and alphabet."""
    found = {sentence for file, tree in _source().items() for sentence in _in_file(file, tree)}
    order = list(dict.fromkeys(KINDS.values()))
    return sorted(found, key=lambda one: (order.index(one.kind), one.words.lower().lstrip(f"'`{VARIES}:;., "), one))


def texts() -> set[str]:
    """Every text in the engine and the plugins, with what varies as `…`."""
    kinds = (ast.Constant, ast.JoinedStr, ast.BinOp)
    nodes = (node for tree in _source().values() for node in ast.walk(tree) if isinstance(node, kinds))
    return {" ".join(words(node).split()) for node in nodes}


@cache
def _source() -> dict[str, ast.Module]:
    """Every Python file of the engine and the plugins, read once: it takes seconds."""
    files = (path for folder in ("runner", "plugins") for path in sorted((ROOT / folder).rglob("*.py")))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def _list() -> str:
    lines: list[str] = []
    for kind, group in groupby(sentences(), key=lambda one: one.kind):
        lines += [f"### {kind}", "", *(f"- {_span(one.words)} ({one.file})" for one in group), ""]
    return "\n".join(lines).rstrip()


def _span(text: str) -> str:
    """Words as they are shown on a terminal: a code span, whatever is in them."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _in_file(file: str, tree: ast.Module) -> Iterator[Sentence]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _error_named(node.func)):
            for argument in node.args:
                said = " ".join(words(argument).split())
                if " " in said and sum(map(str.isalpha, said)) >= FEWEST_LETTERS:
                    yield Sentence(KINDS[name], said, file)


def _error_named(function: ast.expr) -> str:
    """The class of error that a call makes; empty where it makes none."""
    if isinstance(function, ast.Attribute) and function.attr == "at":
        function = function.value
    name = function.id if isinstance(function, ast.Name) else ""
    return name if name in KINDS else ""


def words(node: ast.expr) -> str:
    """A text as the source has it, with what is filled in as `…`."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else VARIES
    if isinstance(node, ast.JoinedStr):
        return "".join(words(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return words(node.left) + words(node.right)
    return VARIES


if __name__ == "__main__":
    PAGE.write_text(with_sentences(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
