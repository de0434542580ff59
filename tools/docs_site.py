"""Build the site from the repository's pages: `python tools/docs_site.py [--into FOLDER]`, or `make docs`.

The pages are the files as they lie here, under the addresses that they have here, so that a link that leads somewhere in
the repository leads there on the site. Files that pages link to come along. Zensical builds them (broken links and anchors
stop it), then every page that came out is looked through: whatever it loads or links to must be there, and it loads nothing
from another host. Nothing is fetched.

--into FOLDER: also put it there as this version, beside earlier ones, with the list by which pages offer them.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "plugins/README.md",
    "plugins/tiny/model/MODEL_CARD.md",
)
"""Pages outside docs/."""
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
LOADS = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
"""Element -> attribute by which a page loads something."""
WHOLE = re.compile(r"^\[[^\]]+\]\((cookbook/[\w-]+\.yaml)\)$", re.MULTILINE)
"""A line that is a link to a study of the cookbook: on the site the study stands below it."""
SHIM = "https://unpkg.com/iframe-worker/shim"
NO_ASSET = {"canonical", "alternate", "next", "prev", "edit"}
"""Kinds of `<link>` by which a page loads nothing."""


def pages() -> list[Path]:
    """Every page of the site, relative to the repository."""
    return [*map(Path, PAGES), *(page.relative_to(ROOT) for page in sorted((ROOT / "docs").rglob("*.md")))]


def put_together(build: Path, *, versions: bool) -> Path:
    """Pages, and the files that they link to, under build/pages; gives the configuration beside them."""
    staged = build / "pages"  # Zensical wants pages and site below its configuration
    shutil.rmtree(build, ignore_errors=True)
    wanted = {*pages(), *(file.relative_to(ROOT) for file in (ROOT / "docs/site").iterdir())}
    for page in pages():
        links = LINK.findall((ROOT / page).read_text(encoding="utf-8"))
        there = ((ROOT / page).parent / unquote(link) for link in links)
        wanted |= {one.resolve().relative_to(ROOT) for one in there if one.is_file()}
    for file in wanted:
        (staged / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, staged / file)
    cookbook = staged / "docs/cookbook.md"
    cookbook.write_text(WHOLE.sub(_shown, cookbook.read_text(encoding="utf-8")), encoding="utf-8")
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config = build / "mkdocs.yml"
    config.write_text(text + ("extra: {version: {provider: mike}}\n" if versions else ""), encoding="utf-8")
    return config


def _shown(link: re.Match[str]) -> str:
    study = (ROOT / "docs" / link[1]).read_text(encoding="utf-8")
    return f"{link[0]}\n\n```yaml\n{study}```"


def mend(site: Path) -> None:
    """Have pages load our copy of the one script that the theme would take from another host; an empty corner of a table
    is no heading of a column.
    """
    for path in site.rglob("*.html"):
        above = "../" * (len(path.relative_to(site).parts) - 1)
        text = path.read_text(encoding="utf-8")
        text = text.replace(SHIM, f"{above}docs/site/iframe-worker.js").replace("<th></th>", "<td></td>")
        path.write_text(text, encoding="utf-8")


class Page(HTMLParser):
    """What a page loads and links to, and the places in it that links may name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in LOADS and LOADS[tag] in given and given.get("rel") not in NO_ASSET:
            self.loads.append(given[LOADS[tag]])


def problems(site: Path) -> Iterator[str]:
    """What is wrong with a built site: `page: what`."""
    there = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in there.items():
        if path.name == "404.html":
            continue  # is shown at any address, so its links are from the root
        for loaded in page.loads:
            if urlsplit(loaded).scheme not in ("", "data") or loaded.startswith("//"):
                yield f"{path.relative_to(site)}: loads {loaded} from another host"
        for link in (*page.links, *page.loads):
            yield from _leads_nowhere(site, there, path, link)
    for style in sorted(site.rglob("*.css")):
        for address in re.findall(
            r"(?:url\(|@import\s)\s*[\"']?((?:https?:)?//[^\"')\s]+)", style.read_text(encoding="utf-8")
        ):
            yield f"{style.relative_to(site)}: loads {address} from another host"


def _leads_nowhere(site: Path, there: dict[Path, Page], path: Path, link: str) -> Iterator[str]:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        yield f"{path.relative_to(site)}: no {link}"
    elif parts.fragment and target in there and unquote(parts.fragment) not in there[target].ids | {"__"}:
        yield f"{path.relative_to(site)}: no place {link}"


def put_into(folder: Path, site: Path, version: str) -> None:
    """A copy of the site as a version among others: FOLDER/VERSION, versions.json, a first page that leads to the newest."""
    shutil.rmtree(folder / version, ignore_errors=True)
    shutil.copytree(site, folder / version)
    numbers = sorted(
        (one.name for one in folder.iterdir() if (one / "index.html").is_file()), key=_by_number, reverse=True
    )
    listed = [{"version": one, "title": one, "aliases": ["latest"] if one == numbers[0] else []} for one in numbers]
    (folder / "versions.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    leads = f'<!doctype html><meta charset="utf-8"><title>cbtrun</title><meta http-equiv="refresh" content="0; url={numbers[0]}/index.html">'
    (folder / "index.html").write_text(
        f'{leads}<a href="{numbers[0]}/index.html">cbtrun {numbers[0]}</a>\n', encoding="utf-8"
    )


def _by_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def version() -> str:
    """The version that the pages are of."""
    found = re.search(r'"([^"]+)"', (ROOT / "runner/version.py").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def build(folder: Path, *, versions: bool) -> list[str]:
    """Build the site as FOLDER/site; gives what is wrong with it."""
    config = put_together(folder / "docs", versions=versions)
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(config)]
    if subprocess.run(command, check=False).returncode:
        return ["nothing was built"]
    shutil.move(config.parent / "site", site)
    mend(site)
    return [*problems(site)]


def main() -> int:
    """Build; gives 1 where something is wrong."""
    asked = argparse.ArgumentParser(description="Build the site from the repository's pages.")
    asked.add_argument("--into", type=Path, help="also put it into this folder, as this version beside others")
    into: Path | None = asked.parse_args().into
    wrong = build(ROOT / "build", versions=into is not None)
    print("", *wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    if wrong:
        return 1
    if into is not None:
        put_into(into, ROOT / "build/site", version())
    print(f"{ROOT / 'build/site/index.html'}: {len(pages())} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
