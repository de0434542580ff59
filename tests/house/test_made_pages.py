"""Pages that are made from the source are fresh: errors and prompts; and every error that a person explains can still be said."""

from __future__ import annotations

import importlib
import re
import sys
from functools import cache

import pytest

from cbtrun import errors
from tests.helpers.places import ROOT

sys.path.insert(0, str(ROOT / "tools"))
error_index = importlib.import_module("error_index")
prompts_page = importlib.import_module("prompts_page")
sys.path.remove(str(ROOT / "tools"))

TOP = (ROOT / "docs/errors.md").read_text(encoding="utf-8").partition("## All sentences")[0]
EXPLAINED = re.findall(r"^\| `(.+?)` \| ", TOP, re.MULTILINE)


@cache
def _texts() -> str:
    """Every text of the source that has words, a line each."""
    return "\n".join(text for text in error_index.texts() if " " in text)


def test_the_list_of_errors_is_fresh() -> None:
    page = error_index.PAGE.read_text(encoding="utf-8")
    assert error_index.with_sentences(page) == page, "run: make schemas"


def test_every_class_of_error_has_its_heading() -> None:
    def below(kind: type) -> set[str]:
        return {kind.__name__} | {
            name for one in kind.__subclasses__() if one.__module__ == errors.__name__ for name in below(one)
        }

    assert below(errors.CbtrunError) - {"CbtrunError"} == {*error_index.KINDS} - {"Problem"}


def test_an_error_in_the_source_is_found_with_what_varies_left_out() -> None:
    said = {one.words for one in error_index.sentences()}
    assert "the study wants to run Python of its own (…); read it, then add --allow-local-plugins" in said
    assert len(said) > 300


@pytest.mark.parametrize("quote", EXPLAINED)
def test_an_error_that_is_explained_can_be_said(quote: str) -> None:
    parts = [re.escape(part) for part in quote.replace("\\|", "|").strip("…").split("…")]
    assert re.search(".*".join(parts), _texts()), f"nothing in the source says: {quote}"


def test_the_prompts_are_fresh() -> None:
    page = prompts_page.PAGE.read_text(encoding="utf-8")
    assert prompts_page.with_prompts(page) == page, "run: make schemas"


def test_every_long_default_of_a_study_is_among_the_prompts() -> None:
    from cbtrun.contract.stage_kinds import PLUGGED
    from cbtrun.registry import load_registry

    registry = load_registry()
    defaults = {
        option["default"]
        for stage in PLUGGED
        for name in registry.names(stage)
        for option in registry.schema(stage, name).get("properties", {}).values()
        if isinstance(option.get("default"), str) and len(option["default"]) > 60
    }
    assert defaults
    page = prompts_page.PAGE.read_text(encoding="utf-8")
    assert [text for text in defaults if text.strip() not in page] == []
