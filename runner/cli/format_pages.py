"""Tables of keys in the pages of docs/formats/: made from the schemas, between marks in a page that people write."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.cli.schema_tables import record_tables

if TYPE_CHECKING:
    from cbtrun.contract.records import Json

MARK = re.compile(r"(<!-- keys of (?P<schema>[a-z]+): cbtrun schema --write -->\n).*?(<!-- keys end -->)", re.DOTALL)


def filled_pages(docs: Path) -> dict[Path, str]:
    """Page -> its text with tables made anew, for each page of a format."""
    return {page: filled(page.read_text(encoding="utf-8")) for page in sorted((docs / "formats").glob("*.md"))}


def filled(page: str) -> str:
    """A page with the tables between its marks made anew."""
    return MARK.sub(lambda mark: f"{mark[1]}\n{_tables(mark['schema'])}\n\n{mark[3]}", page)


def _tables(name: str) -> str:
    return "\n".join(record_tables(schema_named(name)))


def schema_named(name: str) -> Json:
    """The schema that a mark names: one of schemas/, or that of the file for `--on`."""
    if name == "where":
        from cbtrun.cluster.where import SCHEMA

        return SCHEMA
    schema: Json = json.loads(
        resources.files("cbtrun.schemas").joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    )
    return schema
