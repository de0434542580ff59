"""What the house looks like: rooms, floors, arrows, circles, and what should not be there. `python tools/house.py`

A room is a folder of modules; a loose module at the engine's root is a room of its own. An arrow is an import from one
room into another, wherever it stands: inside a function and for types alone too. A floor is how deep a room stands on
others; in a circle of rooms nobody is above or below, so its arrows run up as well as down.

Ends with one JSON line. Exit 1 when a figure that must be 0 is not.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"runner": "cbtrun", "plugins": "cbtrun.plugins"}
MOST_LOOSE = 8
DIGGING = re.compile(
    r"""(?:\bstudy|\.data|self\._study|context\.study)(?:\.data)?(?:\.get\(|\[)["'](?:arms|models|personas|corpus|tune|sessions|ratings|analysis|report|contains|limits|seed|study|title)["']"""
)
"""The study dug out of a dict: `study["arms"]`, `study.data.get("tune")`."""


@dataclass(frozen=True)
class Module:
    """One Python file of the package."""

    name: str
    """As it is imported."""
    path: Path
    tree: ast.Module
    text: str

    @property
    def room(self) -> str:
        """Its folder, or itself where it stands at the engine's root."""
        home = self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]
        if home == "cbtrun":
            return self.name
        parts = home.split(".")
        return ".".join(parts[:3] if parts[1] == "plugins" else parts[:2])


def modules() -> dict[str, Module]:
    """Every module of the package by name."""
    found = {}
    for part, package in PARTS.items():
        for path in sorted((ROOT / part).rglob("*.py")):
            inner = path.relative_to(ROOT / part).with_suffix("").parts
            inner = inner[:-1] if inner[-1] == "__init__" else inner
            text = path.read_text(encoding="utf-8")
            name = ".".join([package, *inner])
            found[name] = Module(name, path, ast.parse(text), text)
    return found


def imports(module: Module, known: Mapping[str, Module]) -> set[str]:
    """Modules of the package that a module imports itself."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            inner = [f"{node.module}.{name.name}" for name in node.names]
            names = [name if name in known else str(node.module) for name in inner]
        else:
            continue
        found |= {name for name in names if name in known}
    return found - {module.name}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of nodes that reach each other, largest first (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10_000)
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(found, key=len, reverse=True)


def floors(graph: Mapping[str, set[str]], together: Iterable[Iterable[str]]) -> dict[str, int]:
    """Room -> floor, from 0; rooms of one circle share theirs."""
    group = {room: min(rooms) for rooms in together for room in rooms}
    below: dict[str, set[str]] = defaultdict(set)
    for room, others in graph.items():
        own = group.get(room, room)
        below[own] |= {group.get(other, other) for other in others} - {own}
    depth: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in depth:
            depth[room] = 1 + max((floor(other) for other in below.get(room, ())), default=-1)
        return depth[room]

    return {room: floor(group.get(room, room)) for room in graph}


def plugin_names() -> set[str]:
    """Names that studies give after `using:`, of plugins that ship."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["entry-points"]["cbtrun"])


def named_plugins(module: Module, names: set[str]) -> Iterator[str]:
    """`place: name` for each comparison with the name of a plugin, and each import of one, in the engine."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Compare):
            words = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            sides = " ".join(ast.unparse(part) for part in [node.left, *node.comparators])
            if "using" in sides:
                yield from (f"{module.name}:{node.lineno} {word}" for word in words if word in names)
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("cbtrun.plugins"):
            yield f"{module.name}:{node.lineno} {node.module}"


def diggings(found: Iterable[Module]) -> list[str]:
    """Places outside study/ that dig in the study's dict."""
    return [
        f"{module.path.relative_to(ROOT)}:{number}"
        for module in found
        if not module.name.startswith(("cbtrun.study.", "cbtrun.contract.study_"))
        for number, line in enumerate(module.text.splitlines(), start=1)
        if DIGGING.search(line)
    ]


def twins(found: Iterable[Module]) -> tuple[list[str], list[str]]:
    """Names of modules, and of classes, that stand twice or more."""
    all_ = list(found)
    names = Counter(module.path.stem for module in all_ if module.path.stem != "__init__")
    classes = Counter(node.name for module in all_ for node in module.tree.body if isinstance(node, ast.ClassDef))
    return sorted(name for name, n in names.items() if n > 1), sorted(name for name, n in classes.items() if n > 1)


def main() -> int:
    """Print the house."""
    known = modules()
    graph = {name: imports(module, known) for name, module in known.items()}
    rooms: dict[str, set[str]] = {module.room: set() for module in known.values()}
    for name, others in graph.items():
        for other in others:
            if known[name].room != known[other].room:
                rooms[known[name].room].add(known[other].room)
    of_modules, of_rooms = circles(graph), circles(rooms)
    in_circle = {room: number for number, group in enumerate(of_rooms) for room in group}
    up = [(a, b) for a, others in rooms.items() for b in others if in_circle.get(a, -1) == in_circle.get(b, -2)]
    loose = sorted(module.path.name for module in known.values() if module.path.parent == ROOT / "runner" and module.path.name != "__init__.py")  # fmt: skip
    engine = [module for module in known.values() if not module.name.startswith("cbtrun.plugins")]
    names = plugin_names()
    named = [place for module in engine for place in named_plugins(module, names)]
    dug = diggings(known.values())
    module_twins, class_twins = twins(known.values())
    for title, lines in {
        "circles of modules": [" ".join(group) for group in of_modules],
        "circles of rooms": [" ".join(group) for group in of_rooms],
        "plugins named in the engine": named,
        "loose files": [" ".join(loose)],
        "twins": [" ".join(module_twins), " ".join(class_twins)],
    }.items():
        print(f"{title}: {len(lines)}", *lines, sep="\n  ")
    figures = {
        "rooms": len(rooms),
        "floors": 1 + max(floors(rooms, of_rooms).values()),
        "arrows": sum(map(len, rooms.values())),
        "upward_arrows": len(up),
        "module_circles": len(of_modules),
        "room_circles": len(of_rooms),
        "loose_files": len(loose),
        "diggings": len(dug),
        "plugins_named": len(named),
        "module_twins": len(module_twins),
        "class_twins": len(class_twins),
    }
    print(json.dumps(figures))
    must = ("module_circles", "upward_arrows", "diggings", "plugins_named")
    return int(any(figures[name] for name in must) or len(loose) > MOST_LOOSE)


if __name__ == "__main__":
    sys.exit(main())
