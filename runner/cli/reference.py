"""The reference pages in docs/, from the study's schema, from the commands' own help and from what the program says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.cli.command_groups import PAGES, docs_address
from cbtrun.cli.format_pages import filled_pages
from cbtrun.cli.schema_tables import table

if TYPE_CHECKING:
    import click

    from cbtrun.registry import Registry

WIDTH = 100  # of a command's help text, in characters
MADE = "<!-- Made by `cbtrun schema --write` from {source}; edit that instead. -->\n"


def reference_pages(registry: Registry, commands: click.Group) -> dict[str, str]:
    """File name -> page."""
    return {"study.md": study_page(registry), "commands.md": commands_page(commands)}


def card_pages() -> dict[str, str]:
    """File name below docs/reference/ -> the card of a rubric or of personas that ships, and a list of them all."""
    from cbtrun.cards.shipped import shipped_cards

    cards = shipped_cards()
    titles = {name: text.splitlines()[0].removeprefix("# ") for name, text in cards.items()}
    head = MADE.format(source="what ships")
    index = [head, "# Cards of what ships", "", "What to know of it before you use it. `cbtrun card rubric NAME` and `cbtrun card personas NAME` print one, of your own files too.", ""]  # fmt: skip
    index += [f"- [{title}]({name})" for name, title in titles.items()]
    pages = {f"cards/{name}": f"{head}\n{text}" for name, text in cards.items()}
    return {"cards/README.md": "\n".join(index) + "\n", **pages}


def write_reference(docs: Path, registry: Registry, commands: click.Group) -> list[Path]:
    """Write the pages under docs/reference/, and what is made in other pages; gives the files."""
    folder = docs / "reference"
    (folder / "cards").mkdir(parents=True, exist_ok=True)
    made = reference_pages(registry, commands) | card_pages()
    pages = {folder / name: text for name, text in made.items()} | filled_pages(docs)
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return [*pages]


def study_page(registry: Registry) -> str:
    """Every key of a study, top to bottom, with the options of every plugin that ships."""
    from cbtrun.contract.stage_kinds import PLUGGED
    from cbtrun.study.study_schema import base_schema

    base = base_schema()
    lines = [MADE.format(source="the schemas"), "# The keys of a study", ""]
    lines += ["Required keys are in bold. A block that names a plugin with `using:` takes that plugin's options.", ""]
    lines += [*table(base), ""]
    for key, schema in base["properties"].items():
        inside = schema if "properties" in schema else schema.get("additionalProperties")
        if isinstance(inside, dict) and "properties" in inside:
            lines += [f"## `{key}`", "", schema["description"], "", *table(inside), ""]
        elif key in PLUGGED:
            lines += [f"## `{key}`", "", schema["description"], "", *_plugins(registry, key)]
    return "\n".join(lines).rstrip() + "\n"


def _plugins(registry: Registry, stage: str) -> Iterator[str]:
    """A section for each plugin of ours that does the stage."""
    for name in registry.names(stage):
        if not _ships(registry, name):
            continue
        options = registry.schema(stage, name)
        yield f"### `{stage}`: `using: {name}`"
        yield ""
        yield from [*table(options), ""] if options.get("properties") else ["No options.", ""]


def _ships(registry: Registry, name: str) -> bool:
    plugin = registry.plugin(name)
    return str(getattr(plugin, "__name__", "")).startswith("cbtrun.")


def commands_page(commands: click.Group) -> str:
    """The help of every command, as `--help` prints it."""
    lines = [MADE.format(source="the commands' help"), "# Commands", ""]
    for name, command in _commands(commands, "cbtrun"):
        lines += [f"## `{name}`", "", "```", _help(command, name), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    import click

    yield name, group
    for key, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {key}")
        elif not command.hidden:
            yield f"{name} {key}", command


def _help(command: click.Command, name: str) -> str:
    import click

    names = ["-h", "--help"]  # as the group has them: click keeps what it was first asked with
    context = click.Context(
        command, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH, help_option_names=names
    )
    told = command.get_help(context).replace(docs_address(), PAGES)  # the page is the same wherever the checkout lies
    return "\n".join(line.rstrip() for line in told.splitlines())
