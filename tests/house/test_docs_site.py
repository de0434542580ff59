"""The site has every page, in an order that somebody chose; what its pages lack or load from elsewhere stops the build."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.places import ROOT

sys.path.insert(0, str(ROOT / "tools"))
docs_site = importlib.import_module("docs_site")
sys.path.remove(str(ROOT / "tools"))


def _named(nav: Any) -> Iterator[str]:
    """The pages of a part of the navigation, in its order."""
    if isinstance(nav, str):
        yield nav
    for part in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
        yield from _named(part)


def test_every_page_stands_once_in_the_navigation_of_the_site() -> None:
    nav = [*_named(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])]
    cards = "docs/reference/cards/"  # reached from a list of their own, which a test of theirs holds
    pages = [page.as_posix() for page in docs_site.pages()]
    pages = [page for page in pages if not page.startswith(cards) or page == f"{cards}README.md"]
    assert sorted(nav) == sorted(pages), "give it a place under nav: in mkdocs.yml"


def test_files_that_pages_link_to_come_along(tmp_path: Path) -> None:
    config = docs_site.put_together(tmp_path / "docs", versions=True)
    staged = config.parent / "pages"
    for name in ("README.md", "docs/trust.md", "docs/report.png", "runner/hookspecs.py", "docs/site/iframe-worker.js"):
        assert (staged / name).is_file(), name
    assert yaml.safe_load(config.read_text(encoding="utf-8"))["extra"] == {"version": {"provider": "mike"}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<a href="b.html#there">b</a> <a href="#here">here</a> <a href="https://example.org/x">x</a>', []),
        ('<a href="c.html">c</a>', ["a.html: no c.html"]),
        ('<a href="b.html#nowhere">b</a>', ["a.html: no place b.html#nowhere"]),
        ('<a href="#nowhere">b</a>', ["a.html: no place #nowhere"]),
        ('<img src="p.png">', ["a.html: no p.png"]),
        ('<script src="https://cdn.example.org/s.js"></script>', ["a.html: loads https://cdn.example.org/s.js from another host"]),
        ('<link rel="stylesheet" href="//fonts.example.org/f.css">', ["a.html: loads //fonts.example.org/f.css from another host"]),
        ('<link rel="canonical" href="https://example.org/a.html">', []),
    ],
)  # fmt: skip
def test_what_a_page_lacks_or_takes_from_elsewhere_is_told(tmp_path: Path, body: str, said: list[str]) -> None:
    (tmp_path / "a.html").write_text(f'<h1 id="here">a</h1>{body}', encoding="utf-8")
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1>', encoding="utf-8")
    assert [*docs_site.problems(tmp_path)] == said


def test_a_style_that_loads_from_another_host_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.css").write_text("@font-face{src:url(https://fonts.example.org/f.woff)}", encoding="utf-8")
    assert [*docs_site.problems(tmp_path)] == ["s.css: loads https://fonts.example.org/f.woff from another host"]


def test_versions_stand_beside_each_other_and_the_newest_comes_first(tmp_path: Path) -> None:
    built, folder = tmp_path / "built", tmp_path / "all"
    built.mkdir()
    folder.mkdir()
    (built / "index.html").write_text("of this version", encoding="utf-8")
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        docs_site.put_into(folder, built, version)
    listed = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    assert [(one["version"], one["aliases"]) for one in listed] == [
        ("0.10.0", ["latest"]),
        ("0.9.0", []),
        ("0.2.0", []),
    ]
    assert "url=0.10.0/index.html" in (folder / "index.html").read_text(encoding="utf-8")
    assert (folder / "0.2.0/index.html").is_file()
