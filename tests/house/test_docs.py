"""The docs say what is: reference pages are fresh, links lead somewhere, and every command in them is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cbtrun.cli.main import cli
from cbtrun.cli.reference import reference_pages
from cbtrun.registry import load_registry
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT

PAGES = [ROOT / "README.md", ROOT / "plugins/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
Make = Callable[[Mapping[str, str]], StudyProject]

NOT_RUN = (
    (r"cbtrun specs/", "a study of minutes: checked here as it stands; tests of its own run it"),
    (r"cbtrun (?!new |plugins|schema)", "needs a study or a run of the reader's: command and options are looked up"),
    (r"(?!cbtrun )", "no command of cbtrun's: CI runs those of make, the others are installers and servers"),
)
"""What a command that is not run begins with -> how it is checked, and why it is not run. The first that fits counts."""


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of every line after `$ ` in a console block, continued lines joined."""
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    yield page.relative_to(ROOT).as_posix(), line[2:].split("  # ")[0].strip()


@pytest.mark.parametrize("name", ["study.md", "commands.md"])
def test_the_reference_is_fresh(name: str) -> None:
    there = (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
    assert there == reference_pages(load_registry(), cli)[name], "run: cbtrun schema --write"


def test_every_key_of_the_reference_is_described() -> None:
    page = (ROOT / "docs/reference/study.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("| ") and line.endswith("|  |")] == []


@pytest.mark.parametrize(("page", "command"), sorted(set(commands())))
def test_every_command_in_the_docs_runs_or_is_looked_up(page: str, command: str, study_project: Make) -> None:
    words = shlex.split(command)
    way = next((at for at, (begins, _) in enumerate(NOT_RUN) if re.match(begins, command)), None)
    if way is None:
        outcome = study_project({}).run(*words[1:])
        assert outcome.code == 0, f"{page}: {outcome.err}"
    elif way == 0:
        _options_exist("run", words)
        _validated(words[1:], study_project({}))
    elif way == 1:
        command = (
            "run" if re.search(r"\.ya?ml$", words[1]) else " ".join(words[1:3] if words[1] == "journal" else words[1:2])
        )
        _options_exist(command, words)


def _validated(words: list[str], project: StudyProject) -> None:
    """A shipped study with what is set, but for files that the reader has and we have not."""
    sets = [word for at, word in enumerate(words) if at and words[at - 1] == "--set"]
    if not any(".csv" in one or "http" in one for one in sets):
        outcome = project.run("validate", str(ROOT / words[0]), *(part for one in sets for part in ("--set", one)))
        assert outcome.code == 0, outcome.err


def _options_exist(command: str, words: list[str]) -> None:
    """The command is there, and has each option that is given."""
    import click

    from cbtrun.cli.main import cli

    found: click.Command = cli
    for part in command.split():
        assert isinstance(found, click.Group)
        assert part in found.commands, f"no command {command}"
        found = found.commands[part]
    known = {option for parameter in found.params for option in parameter.opts} | {"--help", "-h"}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    cards = "reference/cards/"  # named by a list of their own, which a test of theirs holds
    pages = [page for page in pages if not page.startswith(cards) or page == f"{cards}README.md"]
    assert [page for page in pages if page != "README.md" and f"]({page})" not in index] == []


def test_every_shipped_study_stands_in_the_readme_and_says_how_to_run_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for spec in sorted((ROOT / "specs").glob("*.yaml")):
        assert f"specs/{spec.name}" in readme, spec.name
        opening = spec.read_text(encoding="utf-8").partition("\ncbtrun: ")[0]
        assert re.search(rf"cbtrun specs/{spec.name}\b", opening), f"{spec.name}: no command in its opening comment"
        assert re.search(r"GPU", opening), f"{spec.name}: its opening comment does not say whether it needs a GPU"
