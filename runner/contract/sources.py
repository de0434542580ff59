"""The code that decides a stage: the modules that its plugin reaches by imports, and the data beside them.

A digest is over statements: what a module does, without comments, docstrings and positions, so that a reworded comment voids
nothing and a changed statement anywhere in the reach of a stage is seen. Data files (words, templates) count by their
bytes. Parsing all of cbtrun takes a second, so what a file holds is remembered by the SHA-256 of its bytes.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from cbtrun import plugin
from cbtrun.contract.digests import digest

DATA = frozenset({".yaml", ".yml", ".json", ".jsonl", ".j2", ".jinja", ".txt", ".css", ".js", ".csv", ".mplstyle"})
"""Endings of files that modules read beside themselves. Weights are no part of it: a model's identity has their digest."""
CACHE = "code-{0}.{1}.json"
"""What files hold, by their bytes. The shape of a parsed statement differs between versions of Python."""


@dataclass(frozen=True)
class Held:
    """What one source file holds."""

    statements: str
    """SHA-256 over its parsed statements."""
    imports: tuple[str, ...]
    """Modules that it may import, types alone left out: `a.b` and, for `from a.b import c`, `a.b.c` too; `.b` as written."""
    packages: tuple[str, ...]
    """Packages whose data it names: `files("cbtrun.specs")`."""


def code_digest(roots: Iterable[str], beside: Path | None = None, within: str = "") -> str:
    """SHA-256 over the code that modules reach.

    roots: names of modules. beside: folder of a one-file plugin, whose neighbours it may import. within: a package that
    the way does not leave. Modules outside the roots' own top-level packages and cbtrun are left out: their versions
    stand in the lock file.
    """
    return digest([[name, one] for name, one in sorted(reached(tuple(sorted(roots)), beside, within).items())])


def statements_digest(modules: Iterable[str]) -> str:
    """SHA-256 over the statements of just these modules."""
    paths = {name: _file_of(name, None) for name in modules}
    return digest([[name, _held(path).statements if path else ""] for name, path in sorted(paths.items())])


def reached(roots: tuple[str, ...], beside: Path | None = None, within: str = "") -> dict[str, str]:
    """Module or data file -> digest of what it holds."""
    ours = {"cbtrun", *(root.partition(".")[0] for root in roots)}
    found: dict[str, str] = {}
    waiting = list(roots)
    folders: set[Path] = set()
    packages: set[str] = set()
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if name in found or (top not in ours and not (beside and (beside / f"{top}.py").is_file())):
            continue
        path = _file_of(name, beside)
        if path is None:
            continue
        if within and not f"{name}.".startswith(f"{within}."):
            continue
        held = _held(path)
        found[name] = held.statements
        if name.count(".") > 1 or not name.startswith("cbtrun."):  # the engine's root holds no words
            folders.add(path.parent)
        packages |= {*held.packages}
        waiting += [behind for one in held.imports for behind in _behind_the_face(_absolute(one, name, path))]
    data = {file for folder in folders for file in _data_in(folder)}
    for package in packages:
        # What it ships by kind: personas, courses, templates. What lies loose there is named by studies.
        home = _folder_of(package)
        inner = [path for path in home.iterdir() if path.is_dir()] if home else []
        data |= {file for folder in inner for file in _data_in(folder)}
    found |= {f"{file.parent.name}/{file.name}": _held(file).statements for file in data}
    _remember()
    return found


def _absolute(imported: str, by: str, path: Path) -> str:
    """The full name of a module that `by` imports, which may be written from where it stands: `.near`, `..words`."""
    level = len(imported) - len(imported.lstrip("."))
    if not level:
        return imported
    package = by.split(".") if path.name == "__init__.py" else by.split(".")[:-1]
    return ".".join([*package[: len(package) - level + 1], imported.lstrip(".")]).strip(".")


def _behind_the_face(module: str) -> tuple[str, ...]:
    """Where a name of `cbtrun.plugin` may come from: its module, or itself where it is one. The face decides nothing."""
    face, _, name = module.rpartition(".")
    if module == plugin.__name__:
        return ()
    if face != plugin.__name__:
        return (module,)
    home = plugin.home_of(name)
    return (home, f"{home}.{name}") if home else ()


def _data_in(folder: Path) -> Iterator[Path]:
    """Data files of a folder and of the folders below it that hold no modules."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not any(path.glob("*.py")) and path.name != "__pycache__":
                yield from _data_in(path)
        elif path.suffix in DATA:
            yield path


@cache
def _file_of(module: str, beside: Path | None) -> Path | None:
    """The source file of a module, or none: a module that is not there, or one without Python source."""
    near = beside and beside.joinpath(*module.split(".")).with_suffix(".py")
    if near and near.is_file():
        return near
    package, _, name = module.rpartition(".")
    folder = _folder_of(package) if package else None
    if folder is not None:
        for path in (folder / f"{name}.py", folder / name / "__init__.py"):
            if path.is_file():
                return path
    if module.count(".") > 1:
        return None
    # A package may lie elsewhere than its name says (`cbtrun.plugins` in a checkout): the import system knows. Asked of a
    # deeper name it would import what stands above.
    origin = getattr(sys.modules.get(module), "__file__", None)
    if origin is None:
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, AttributeError, ValueError):  # `from a import b` where b is no module
            return None
        origin = found.origin if found else None
    return Path(origin) if origin and origin.endswith(".py") else None


@cache
def _folder_of(package: str) -> Path | None:
    """The folder of a package; none for a module that is none."""
    source = _file_of(package, None)
    return source.parent if source and source.name == "__init__.py" else None


_memory: dict[str, Held] = {}
_new = False


def _held(path: Path) -> Held:
    global _new
    content = path.read_bytes()
    key = hashlib.sha256(content).hexdigest()
    known = _known().get(key)
    if known is None:
        known = _known()[key] = read_source(content) if path.suffix == ".py" else _read_data(content, path.suffix)
        _new = True
    return known


def read_source(content: bytes) -> Held:
    """What a source file holds. Raises SyntaxError for what is no Python."""
    tree = ast.parse(content)
    imports = tuple(sorted({*_imports(tree)}))
    packages = tuple(sorted({*_packages(tree)}))
    _strip(tree)
    return Held(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports, packages)


def _read_data(content: bytes, suffix: str) -> Held:
    """What a data file holds: YAML by its values, so that a comment in it is none; anything else by its bytes."""
    if suffix in (".yaml", ".yml"):
        import yaml

        try:
            value = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            return Held(digest(value), (), ())
        except (yaml.YAMLError, TypeError, ValueError):
            pass
    return Held(hashlib.sha256(content).hexdigest(), (), ())


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names that may be modules, wherever a statement imports them; types alone decide nothing."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield start
            yield from (f"{start}{'' if start.endswith('.') else '.'}{name.name}" for name in node.names)
        else:
            yield from _imports(node)


def _packages(tree: ast.AST) -> Iterator[str]:
    """Packages that are asked for their files by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == "files" and isinstance(node.args[0].value, str):
                yield node.args[0].value


def _strip(tree: ast.AST) -> None:
    """Take out what does nothing: docstrings and other strings that stand alone."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _says_nothing(one)]  # type: ignore[attr-defined]


def _says_nothing(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@lru_cache(maxsize=1)
def _known() -> dict[str, Held]:
    path = _cache_file()
    try:
        kept = json.loads(path.read_bytes()) if path and path.is_file() else {}
        _memory.update({key: Held(one[0], tuple(one[1]), tuple(one[2])) for key, one in kept.items()})
    except (OSError, ValueError, TypeError, IndexError, AttributeError):
        pass  # a cache that cannot be read is made anew
    return _memory


def _remember() -> None:
    """Keep what was parsed for the next start; a machine without a home, or a full one, parses again."""
    global _new
    path = _cache_file()
    if not _new or path is None:
        return
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({key: [one.statements, one.imports, one.packages] for key, one in _known().items()}))
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
    _new = False


def _cache_file() -> Path | None:
    base = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("HOME") and f"{os.environ['HOME']}/.cache")
    return Path(base) / "cbtrun" / CACHE.format(*sys.version_info) if base else None
