"""Plugins are found by the name that a study uses, and only the named one is called."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pluggy
import pytest

from cbtrun import hookspecs
from cbtrun.contract.plugin_digest import plugin_digest
from cbtrun.errors import PluginError
from cbtrun.hookspecs import hookimpl
from cbtrun.registry import GROUP, Registry, load_registry, waits


class Reverse:
    """A sessions plugin."""

    @hookimpl
    def run_sessions(self, context: Any) -> list[str]:
        return [f"reversed {context}"]


class Other:
    """Its rival."""

    @hookimpl
    def run_sessions(self, context: Any) -> list[str]:
        raise AssertionError("the rival must stay silent")


class Watching:
    """Wraps the hook, whoever does it."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl(wrapper=True)
    def run_sessions(self, context: Any) -> Any:
        result = yield
        self.seen.append(result)
        return result


def registry(**plugins: object) -> Registry:
    return load_registry(extra=list(plugins.items()))


def test_only_the_named_plugin_is_called() -> None:
    assert registry(reverse=Reverse(), other=Other()).run("sessions", "reverse", "x") == ["reversed x"]


def test_a_wrapper_sees_the_result_of_whichever_plugin_ran() -> None:
    watching = Watching()
    registry(reverse=Reverse(), other=Other(), watching=watching).run("sessions", "reverse", "x")
    assert watching.seen == [["reversed x"]]


def test_a_wrapper_is_not_listed_as_doing_the_stage() -> None:
    names = registry(reverse=Reverse(), watching=Watching()).names("sessions")
    assert "reverse" in names
    assert "watching" not in names


def test_a_plugin_without_a_schema_takes_no_options() -> None:
    schema = registry(reverse=Reverse()).schema("sessions", "reverse")
    assert schema["properties"] == {}
    assert schema["additionalProperties"] is False


def test_a_hook_that_gives_nothing_back_is_the_plugins_fault() -> None:
    class Silent:
        @hookimpl
        def run_sessions(self, context: Any) -> None:
            return None

    with pytest.raises(PluginError, match="plugin 'silent' gave nothing back from run_sessions"):
        registry(silent=Silent()).run("sessions", "silent", "x")


def test_a_hook_with_a_wrong_argument_is_refused_by_name() -> None:
    class Wrong:
        @hookimpl
        def run_sessions(self, kontext: Any) -> list[str]:
            return []

    with pytest.raises(PluginError, match=r"(?s)'wrong'.*kontext"):
        registry(wrong=Wrong())


def test_a_misspelt_hook_is_refused() -> None:
    class Misspelt:
        @hookimpl
        def run_session(self, context: Any) -> list[str]:
            return []

    with pytest.raises(PluginError, match="run_session"):
        registry(misspelt=Misspelt())


def test_two_plugins_of_one_name_are_refused() -> None:
    with pytest.raises(PluginError, match="'import'"):
        load_registry(extra=[("import", SimpleNamespace())])


def test_the_plugins_that_wait_to_be_named_do_stages_and_nothing_else() -> None:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    for point in entry_points(group=GROUP):
        if waits(point):
            manager.register(point.load(), point.name)
    for hook in ("rubric_folders", "stage_started", "stage_advanced", "stage_finished"):
        assert getattr(manager.hook, hook).get_hookimpls() == []
    impls = [impl for caller in vars(manager.hook).values() for impl in getattr(caller, "get_hookimpls", list)()]
    assert impls
    assert [impl.plugin_name for impl in impls if impl.wrapper or impl.hookwrapper] == []


def test_a_plugin_of_ours_is_imported_when_it_is_named_and_no_other_with_it() -> None:
    program = """
import sys
from cbtrun.registry import load_registry
registry = load_registry()
assert registry.offers("models", "grammar") and not registry.offers("models", "nobody")
print(*(name for name in sys.modules if name.startswith("cbtrun.plugins.")))
assert "paired" in registry.names("analysis")
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "cbtrun.plugins.grammar.author" in out.split()
    assert "cbtrun.plugins.analyses.paired" not in out.split()


def test_a_file_beside_the_study_may_not_take_a_name_of_ours(tmp_path: Path) -> None:
    (tmp_path / "paired.py").write_text("")
    with pytest.raises(PluginError, match=r"'paired'.*another plugin has this name already"):
        load_registry([tmp_path / "paired.py"])


def test_a_file_beside_the_study_is_a_plugin_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "my_rater.py"
    path.write_text(
        "from cbtrun.hookspecs import hookimpl\n\n@hookimpl\ndef open_model(context):\n    return 'opened'\n"
    )
    assert load_registry([path]).run("models", "my-rater", None) == "opened"


def test_a_file_that_does_not_import_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import nothing_of_this_name\n")
    with pytest.raises(PluginError, match=r"broken\.py.*nothing_of_this_name"):
        load_registry([path])


def test_a_plugins_digest_changes_with_its_source_and_with_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("WORDS = 1\n")
    plugin = tmp_path / "rater.py"
    plugin.write_text("def use():\n    import words\n")
    before = load_registry([plugin]).digest("rater")
    (tmp_path / "words.py").write_text("WORDS = 2\n")
    assert load_registry([plugin]).digest("rater") != before


def test_a_plugins_digest_follows_its_imports_across_folders_and_stops_at_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "theirs"
    (package / "inner").mkdir(parents=True)
    for folder in (package, package / "inner"):
        (folder / "__init__.py").write_text("")
    (package / "inner" / "plugin.py").write_text("from theirs.words import SAY\nfrom .near import NEAR\n")
    (package / "inner" / "near.py").write_text("NEAR = 1\n")
    (package / "words.py").write_text("SAY = 'a'\n")
    (package / "unused.py").write_text("")

    def digest() -> str:
        module = ModuleType("theirs.inner.plugin")
        module.__file__ = str(package / "inner" / "plugin.py")
        return plugin_digest(module)

    first = digest()
    (package / "unused.py").write_text("X = 1\n")
    assert digest() == first
    (package / "words.py").write_text("SAY = 'b'\n")
    second = digest()
    assert second != first
    (package / "inner" / "near.py").write_text("NEAR = 2\n")
    assert digest() not in (first, second)
