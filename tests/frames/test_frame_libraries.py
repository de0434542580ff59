"""Which library makes the frames, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

import cbtrun
from cbtrun.contract import extras
from cbtrun.frames.library import library_for


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As where these packages are not installed."""
    found = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in names else found(name))


def test_pandas_comes_first_and_polars_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert library_for(None) == "pandas"
    without(monkeypatch, "pandas")
    assert library_for(None) == "polars"


@pytest.mark.parametrize("asked", ["pandas", "polars"])
def test_a_library_that_is_not_installed_is_told_with_its_extra(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, asked)
    with pytest.raises(cbtrun.PluginError, match=rf"{asked} is not installed here; pip install 'cbtrun\[{asked}\]'"):
        library_for(asked)


def test_where_there_is_neither_both_extras_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without(monkeypatch, "pandas", "polars")
    with pytest.raises(cbtrun.PluginError, match=r"neither .* 'cbtrun\[pandas\]' or pip install 'cbtrun\[polars\]'"):
        cbtrun.load_run(tmp_path)
