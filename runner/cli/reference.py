"""The reference pages in docs/reference/, from the study's schema and from the commands' own help."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.cli.command_groups import PAGES, docs_address
from cbtrun.contract import marks

if TYPE_CHECKING:
    import click

    from cbtrun.contract.records import Json
    from cbtrun.registry import Registry

WIDTH = 100  # of a command's help text, in characters
MADE = "<!-- Made by `cbtrun schema --write` from {source}; edit that instead. -->\n"


def reference_pages(registry: Registry, commands: click.Group) -> dict[str, str]:
    """File name -> page."""
    return {"study.md": study_page(registry), "commands.md": commands_page(commands)}


def write_reference(docs: Path, registry: Registry, commands: click.Group) -> list[Path]:
    """Write the pages under docs/reference/; gives the files."""
    folder = docs / "reference"
    folder.mkdir(exist_ok=True)
    pages = reference_pages(registry, commands)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]


def study_page(registry: Registry) -> str:
    """Every key of a study, top to bottom, with the options of every plugin that ships."""
    from cbtrun.contract.stage_kinds import PLUGGED
    from cbtrun.study.study_schema import base_schema

    base = base_schema()
    lines = [MADE.format(source="the schemas"), "# The keys of a study", ""]
    lines += ["Required keys are in bold. A block that names a plugin with `using:` takes that plugin's options.", ""]
    lines += [*_table(base), ""]
    for key, schema in base["properties"].items():
        inside = schema if "properties" in schema else schema.get("additionalProperties")
        if isinstance(inside, dict) and "properties" in inside:
            lines += [f"## `{key}`", "", schema["description"], "", *_table(inside), ""]
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
        yield from [*_table(options), ""] if options.get("properties") else ["No options.", ""]


def _ships(registry: Registry, name: str) -> bool:
    plugin = registry.plugin(name)
    return str(getattr(plugin, "__name__", "")).startswith("cbtrun.")


def _table(schema: Json) -> Iterator[str]:
    yield "| key | value | default | what it is |"
    yield "| --- | --- | --- | --- |"
    yield from _rows(schema, "")


def _rows(schema: Json, before: str) -> Iterator[str]:
    """One row a key; keys of inner mappings follow theirs."""
    required = schema.get("required", ())
    for key, option in schema.get("properties", {}).items():
        if marks.is_internal(option):
            continue  # known so that it is refused with a reason of its own
        name = f"**`{before}{key}`**" if key in required else f"`{before}{key}`"
        default = f"`{json.dumps(option['default'], ensure_ascii=False)}`" if "default" in option else ""
        if len(default) > 60:
            default = "a text of ours"
        yield f"| {name} | {_cell(_value(option))} | {_cell(default)} | {_cell(option.get('description', ''))} |"
        if "properties" in option:
            yield from _rows(option, f"{before}{key}.")


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def _value(option: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    if "const" in option:
        return f"`{option['const']}`"
    if "enum" in option:
        return ", ".join(f"`{json.dumps(one) if not isinstance(one, str) else one}`" for one in option["enum"])
    if "anyOf" in option and "type" not in option:
        return " or ".join(dict.fromkeys(_value(one) for one in option["anyOf"] if one.keys() - {"required"})) or ""
    if names := marks.names_of(option):
        return "name: " + " or ".join(names)
    kind = option.get("type", "")
    if isinstance(kind, list):
        return " or ".join(_value({**option, "type": one}) for one in kind)
    if kind == "null":
        return "`null`"
    if kind == "array":
        return f"list of {_value(option['items'])}" if option.get("items") else "list"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(kind, "keys and values") + _range(option)


def _range(option: Mapping[str, Any]) -> str:
    low, above = option.get("minimum"), option.get("exclusiveMinimum")
    high, below = option.get("maximum"), option.get("exclusiveMaximum")
    parts = [f"from {low:g}" if low is not None else "", f"above {above:g}" if above is not None else ""]
    parts += [
        f"to {high:g}" if high is not None and high < 1e15 else "",
        f"below {below:g}" if below is not None else "",
    ]
    return "".join(f", {part}" for part in parts if part)


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
