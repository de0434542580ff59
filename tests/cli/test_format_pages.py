"""The pages of file formats: their examples are read by the program, what they say is refused is refused so, their keys are the schemas'."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from cbtrun.cli.format_pages import filled_pages
from cbtrun.cli.schema_tables import record_tables
from cbtrun.testing.projects import StudyProject
from tests.helpers.format_pages import FOLDER, FormatPage, format_page, pages, said_of
from tests.helpers.places import ROOT

Make = Callable[[Mapping[str, str]], StudyProject]
BESIDE = {
    name: text for page in ("study", "transcripts") for name, text in format_page(FOLDER / f"{page}.md").files.items()
}
"""Files of two pages that examples of others name."""
WITHOUT_EXAMPLE = {"run-folder.md"}
"""Pages of no single file."""


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_example_of_a_format_is_read_and_its_changes_are_refused_in_these_words(
    page: FormatPage, study_project: Make
) -> None:
    assert page.name in WITHOUT_EXAMPLE or (page.files and len(page.refusals) > 1)
    project = study_project(BESIDE)
    assert said_of(page, page.files, project)[0] == 0, said_of(page, page.files, project)
    for refused in page.refusals:
        changed = next(name for name, text in page.files.items() if refused.old in text)
        text = page.files[changed].replace(refused.old, refused.new, 1)
        code, said = said_of(page, {**page.files, changed: text}, project)
        assert code == 2, refused
        assert said.startswith(refused.said), refused


def test_the_keys_of_every_format_are_fresh() -> None:
    stale = [
        page.name for page, text in filled_pages(ROOT / "docs").items() if page.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: cbtrun schema --write"


def test_every_key_that_people_write_is_described() -> None:
    written = ("rubric.md", "personas.md", "attributes.md", "theme.md", "course.md", "practice.md", "where.md")
    lines = [line for name in written for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if line.startswith(("| `", "| **`")) and line.endswith("|  |")] == []


def test_every_schema_has_a_page_and_every_page_stands_in_the_list() -> None:
    schemas = {path.name.partition(".")[0] for path in (ROOT / "schemas").glob("*.schema.json")}
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md"))
    assert {name for name in schemas if f"<!-- keys of {name}:" not in text} == {
        "study",
        "personas",
    }  # of their own, and a list
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [
        path.name for path in FOLDER.glob("*.md") if path.name != "README.md" and f"({path.name})" not in index
    ] == []


def test_a_table_has_the_keys_of_lists_names_and_records() -> None:
    schema = {
        "required": ["parts"],
        "properties": {
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}, "description": "Its parts."},
            "named": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9e18}}},
                "description": "By name.",
            },
            "levels": {"propertyNames": {"enum": ["a"]}, "type": "object", "additionalProperties": {"type": "number"}},
        },
        "$defs": {
            "Part": {"description": "A part.", "type": "object", "properties": {"of": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]}}},
        },
    }  # fmt: skip
    assert [*record_tables(schema)][2:] == [
        "| **`parts`** | list of [Part](#part) |  | Its parts. |",
        "| `named` | name: keys and values |  | By name. |",
        "| `named.NAME.n` | whole number |  |  |",
        "| `levels` | `a`: number |  |  |",
        "",
        "### Part",
        "",
        "A part.",
        "",
        "| key | value | default | what it is |",
        "| --- | --- | --- | --- |",
        "| `of` | [Part](#part) or null |  |  |",
    ]
