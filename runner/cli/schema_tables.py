"""A JSON Schema as tables in Markdown: a row for each key, with what may stand there, its default and what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.contract import marks

if TYPE_CHECKING:
    from cbtrun.contract.records import Json

HEAD = ("| key | value | default | what it is |", "| --- | --- | --- | --- |")
BEYOND = 1e15
"""From here on a bound says what a number of the program may hold, and nothing that a reader needs."""


def table(schema: Json, *, inside: bool = False) -> Iterator[str]:
    """One table: the keys of a mapping, those of inner mappings after their own.

    inside: also the keys of what lists and named entries hold.
    """
    yield from HEAD
    yield from _rows(schema, "", inside=inside)


def record_tables(schema: Json, level: int = 3) -> Iterator[str]:
    """The table of a file, then one under a heading for each record that it is made of, in the order in which they are named."""
    root = schema["items"] if schema.get("type") == "array" else schema
    yield from table(root, inside=True)
    defined = schema.get("$defs", {})
    for name in _named(root, defined):
        part = defined[name]
        if "properties" in part:
            yield from ("", f"{'#' * level} {name}", "")
            if told := cell(part.get("description", "")):
                yield from (told, "")
            yield from table(part, inside=True)
        elif words := _alternatives(part):
            yield from ("", f"{'#' * level} {name}", "", words)


def _named(schema: Any, defined: Mapping[str, Json]) -> list[str]:
    """Names of the records that a schema refers to, and of those that these refer to, each once."""
    found: list[str] = []
    _collect(schema, defined, found)
    return found


def _collect(schema: Any, defined: Mapping[str, Json], found: list[str]) -> None:
    if isinstance(schema, list):
        for one in schema:
            _collect(one, defined, found)
    elif isinstance(schema, dict):
        name = _reference(schema)
        if name and name not in found:
            found.append(name)
            _collect(defined[name], defined, found)
        for key, value in schema.items():
            if key != "$defs":
                _collect(value, defined, found)


def _reference(option: Mapping[str, Any]) -> str:
    target = option.get("$ref", "")
    return target.rpartition("/")[2] if isinstance(target, str) else ""


def _alternatives(part: Json) -> str:
    """What a record that is no mapping may be."""
    told = cell(part.get("description", ""))
    kinds = value({"anyOf": part["oneOf"]} if "oneOf" in part else part, linked=True)
    return f"{kinds[:1].upper()}{kinds[1:]}. {told}".strip()


def _rows(schema: Json, before: str, *, inside: bool) -> Iterator[str]:
    required = schema.get("required", ())
    for key, option in schema.get("properties", {}).items():
        if marks.is_internal(option):
            continue  # known so that it is refused with a reason of its own
        name = f"**`{before}{key}`**" if key in required else f"`{before}{key}`"
        default = f"`{json.dumps(option['default'], ensure_ascii=False)}`" if "default" in option else ""
        if len(default) > 60:
            default = "a text of ours"
        yield f"| {name} | {cell(value(option, linked=inside))} | {cell(default)} | {cell(option.get('description', ''))} |"
        if "properties" in option:
            yield from _rows(option, f"{before}{key}.", inside=inside)
        elif inside:
            yield from _inner_rows(option, f"{before}{key}")


def _inner_rows(option: Json, name: str) -> Iterator[str]:
    items, entry = option.get("items"), option.get("additionalProperties")
    if isinstance(items, dict) and "properties" in items:
        yield from _rows(items, f"{name}[].", inside=True)
    if isinstance(entry, dict) and "properties" in entry:
        yield from _rows(entry, f"{name}.NAME.", inside=True)


def cell(text: str) -> str:
    """A text as a table's cell takes it."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def value(option: Mapping[str, Any], *, linked: bool = False) -> str:
    """What may stand there, in words.

    linked: a record is named by a link to its heading on the page.
    """
    if (name := _reference(option)) and linked:
        return f"[{name}](#{name.lower()})"
    if "const" in option:
        return f"`{option['const']}`"
    if "enum" in option:
        return ", ".join(f"`{json.dumps(one) if not isinstance(one, str) else one}`" for one in option["enum"])
    if "anyOf" in option and "type" not in option:
        kinds = (value(one, linked=linked) for one in option["anyOf"] if one.keys() - {"required"})
        return " or ".join(dict.fromkeys(kinds)) or ""
    if names := marks.names_of(option):
        return "name: " + " or ".join(names)
    kind = option.get("type", "")
    if isinstance(kind, list):
        return " or ".join(value({**option, "type": one}, linked=linked) for one in kind)
    if kind == "array":
        return f"list of {value(option['items'], linked=linked)}" if option.get("items") else "list"
    if kind == "object" and linked and (told := _entries(option)):
        return told
    words = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "null": "null",
    }
    return words.get(kind, "keys and values") + _range(option)


def _entries(option: Mapping[str, Any]) -> str:
    """What a mapping without keys of its own holds: which names, and what each is for."""
    entry, names = option.get("additionalProperties"), option.get("propertyNames", {}).get("enum")
    if not isinstance(entry, dict) or "properties" in option:
        return ""
    called = ", ".join(f"`{one}`" for one in names) if names else "name"
    return f"{called}: {value(entry, linked=True)}"


def _range(option: Mapping[str, Any]) -> str:
    low, above = option.get("minimum"), option.get("exclusiveMinimum")
    high, below = option.get("maximum"), option.get("exclusiveMaximum")
    parts = [
        f"from {low:g}" if low is not None and low > -BEYOND else "",
        f"above {above:g}" if above is not None else "",
        f"to {high:g}" if high is not None and high < BEYOND else "",
        f"below {below:g}" if below is not None else "",
    ]
    return "".join(f", {part}" for part in parts if part)
