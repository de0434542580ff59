"""Plugins import one face of the engine; the engine imports no plugin and names none."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cbtrun import plugin
from tests.helpers.places import ROOT

sys.path.insert(0, str(ROOT / "tools"))
house = importlib.import_module("house")
plugin_face = importlib.import_module("plugin_face")
sys.path.remove(str(ROOT / "tools"))

FOR_TYPES_ALONE = {"Blocks"}
"""Names that their modules have for type checkers only."""
DATA = ("cbtrun.rubrics", "cbtrun.schemas", "cbtrun.specs")
"""Packages without code."""


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names if node.module == "cbtrun")


def _of_engine(name: str) -> bool:
    known = ("cbtrun.plugin", "cbtrun.plugins", *DATA)
    return name.startswith("cbtrun.") and not any(name == one or name.startswith(f"{one}.") for one in known)


def test_plugins_import_nothing_of_the_engine_but_the_face() -> None:
    files = sorted((ROOT / "plugins").rglob("*.py"))
    found = {str(path.relative_to(ROOT)): one for path in files for one in _imported(path) if _of_engine(one)}
    assert found == {}, "run `python tools/plugin_face.py`"


def test_the_engine_imports_no_plugin_and_not_the_face() -> None:
    looks_behind_it = ROOT / "runner/contract/sources.py"
    files = sorted({*(ROOT / "runner").rglob("*.py")} - {looks_behind_it})
    found = {str(path.relative_to(ROOT)): one for path in files for one in _imported(path) if one.startswith("cbtrun.plugin")}  # fmt: skip
    assert found == {}


def test_the_engine_compares_with_no_plugins_name() -> None:
    engine = [module for name, module in house.modules().items() if not name.startswith("cbtrun.plugins")]
    names = house.plugin_names()
    assert [place for module in engine for place in house.named_plugins(module, names)] == []


def test_type_checkers_see_the_same_face() -> None:
    types = plugin_face.types_text(plugin_face.read_sections())
    assert (ROOT / "runner/plugin.pyi").read_text(encoding="utf-8") == types, "run `python tools/plugin_face.py`"


@pytest.mark.parametrize("name", sorted({*dir(plugin)} - FOR_TYPES_ALONE))
def test_every_name_of_the_face_is_there(name: str) -> None:
    assert getattr(plugin, name) is not None
    assert plugin.home_of(name) in plugin.HOMES


def test_no_name_stands_twice_in_the_face() -> None:
    shown = [entry.rpartition("=")[2] for names in plugin.HOMES.values() for entry in names.split()]
    assert sorted(shown) == sorted({*shown})


def test_a_name_that_is_not_in_the_face_is_refused_with_words() -> None:
    with pytest.raises(AttributeError, match=r"cbtrun\.plugin has no 'Journal'"):
        _ = plugin.Journal  # type: ignore[attr-defined]
    assert plugin.home_of("Journal") is None


def test_the_face_imports_a_module_only_when_its_name_is_asked_for() -> None:
    program = (
        "import sys, cbtrun.plugin as face; face.hookimpl; print(*(m for m in sys.modules if m.startswith('cbtrun.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"cbtrun.plugin", "cbtrun.hookspecs"} <= {*done.stdout.split()}
    # cbtrun.run itself is a name of the package, and empty.
    heavy = ("cbtrun.statistics", "cbtrun.calls", "cbtrun.run.")
    assert not [name for name in done.stdout.split() if name.startswith(heavy)]


def test_the_code_that_decides_a_stage_is_found_behind_the_face() -> None:
    from cbtrun.contract.sources import reached as _reached

    reached = _reached(("cbtrun.plugins.analyses.paired",))
    assert {"cbtrun.analysis.block", "cbtrun.statistics.paired", "cbtrun.statistics.bootstrap"} <= {*reached}
    assert "cbtrun.plugin" not in reached
