"""Marks of schemas: one home in the engine, each explained in the guide for plugin authors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cbtrun.contract import marks
from tests.helpers.places import ROOT

GUIDE = (ROOT / "plugins/README.md").read_text(encoding="utf-8")
HOME = ROOT / "runner/contract/marks.py"


def _written(source: Path) -> set[str]:
    """Marks that a file writes down as strings; docstrings and messages only speak of them."""
    constants = (node.value for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))) if isinstance(node, ast.Constant))  # fmt: skip
    return {value for value in constants if isinstance(value, str) and re.fullmatch(r"x-[a-z]+", value)}


def test_every_mark_is_in_the_list() -> None:
    assert {*marks.MARKS} == _written(HOME)


@pytest.mark.parametrize("mark", marks.MARKS)
def test_every_mark_stands_in_the_guide(mark: str) -> None:
    assert f'| `"{mark}"' in GUIDE


def test_the_engine_writes_no_mark_anywhere_else() -> None:
    files = [path for path in (ROOT / "runner").rglob("*.py") if path != HOME]
    assert {str(path): found for path in files if (found := _written(path))} == {}


def test_every_mark_of_our_plugins_and_of_the_base_schema_is_known() -> None:
    found = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        found |= {mark for mark in _written(path) if mark in {*marks.MARKS} or not path.match("*/mock_server/*")}
    found |= {*re.findall(r'"(x-[a-z]+)":', (ROOT / "schemas/study.base.json").read_text(encoding="utf-8"))}
    assert found <= {*marks.MARKS}


def test_a_text_names_one_kind_several_or_none() -> None:
    assert marks.names_of({"x-names": "models"}) == ("models",)
    assert marks.names_of({"x-names": ["shipped", "file"]}) == ("shipped", "file")
    assert marks.names_of({"type": "string"}) == ()


def test_whether_a_text_brings_words_is_left_open_where_nothing_is_said() -> None:
    assert marks.brings_words({}) is None
    assert marks.brings_words({"x-words": False}) is False
    assert marks.brings_words({"x-words": True}) is True


def test_a_schema_that_is_just_true_is_no_internal_option() -> None:
    assert not marks.is_internal(True)
    assert marks.is_internal({"x-internal": True})
