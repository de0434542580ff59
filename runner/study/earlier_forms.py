"""Forms that earlier versions took: read as their successors, and told with file and line.

The table is schemas/earlier-forms.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from cbtrun.documents.yaml_source import Node, parse_yaml
from cbtrun.errors import Place

SET = "--set "
"""How the place of a value from the command line begins."""


@dataclass(frozen=True)
class Form:
    """One key or value that has a successor."""

    where: tuple[str, ...]
    """Path of the mapping that holds the key; `*` is any name."""
    key: str
    until: str
    using: tuple[str, ...] = ()
    now: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    gone: str = ""


@dataclass(frozen=True)
class Earlier:
    """An earlier form that a study holds."""

    path: tuple[str, ...]
    """Of the key."""
    place: Place
    form: Form
    value: Any
    """What is written there, where it is a plain value."""

    @property
    def words(self) -> str:
        """`study.yaml:14: tune/a/sharding: 'fsdp' was the form until version 0.1.0; write 'true' ...`."""
        form = self.form
        if form.gone:
            what = f"'{form.key}' does nothing since version {form.until} ({form.gone}); leave it out"
        elif form.now:
            what = f"'{form.key}' was its name until version {form.until}; write '{form.now}'"
        else:
            what = (
                f"'{self.value}' was the form until version {form.until}; write '{shown(form.values[str(self.value)])}'"
            )
        where = f"{self.place.file}:{self.place.line}" if self.place.line else self.place.file
        written = not self.place.file.startswith(SET)
        cure = f" (`cbtrun migrate {self.place.file} --write` does it)" if written else ""
        return f"{where}: {'/'.join(self.path)}: {what}{cure}"


def shown(value: Any) -> str:
    """A plain value as YAML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def earlier_forms() -> tuple[Form, ...]:
    """The table."""
    text = files("cbtrun.schemas").joinpath("earlier-forms.yaml").read_text(encoding="utf-8")
    return tuple(
        Form(
            where=tuple(row["in"].split(".")),
            key=row["key"],
            until=str(row["until"]),
            using=tuple(row.get("using", ())),
            now=row.get("now", ""),
            values=row.get("values", {}),
            gone=row.get("gone", ""),
        )
        for row in parse_yaml(text, "earlier-forms.yaml").plain()
    )


def modernised(node: Node, forms: Sequence[Form] | None = None) -> tuple[Node, tuple[Earlier, ...]]:
    """A study's tree in today's form, each value where it was written, and what was of an earlier one."""
    told: list[Earlier] = []
    for form in earlier_forms() if forms is None else forms:
        node = _applied(node, form, form.where, (), told)
    return node, tuple(told)


def _applied(node: Node, form: Form, where: Sequence[str], path: tuple[str, ...], told: list[Earlier]) -> Node:
    if not isinstance(node.value, dict):
        return node
    if not where:
        return _renewed(node, form, path, told)
    children = dict(node.value)
    for name in [where[0]] if where[0] != "*" else [*children]:
        if name in children:
            children[name] = _applied(children[name], form, where[1:], (*path, name), told)
    return Node(children, node.place, node.key_places, node.size)


def _renewed(block: Node, form: Form, path: tuple[str, ...], told: list[Earlier]) -> Node:
    """A block whose key is of today's form."""
    assert isinstance(block.value, dict)
    child = block.value.get(form.key)
    if child is None or not _is_meant(block, form) or (form.now and form.now in block.value):
        return block  # both written: the old one is an unknown key, and said to be
    plain = child.value
    if form.values and (isinstance(plain, dict | list) or shown(plain) not in form.values):
        return block
    told.append(
        Earlier(
            (*path, form.key),
            block.key_places.get(form.key, child.place),
            form,
            shown(plain) if not isinstance(plain, dict | list) else None,
        )
    )
    children, places = {}, {}
    for name, value in block.value.items():
        if name != form.key:
            children[name], places[name] = value, block.key_places.get(name, value.place)
        elif not form.gone:
            renamed = form.now or name
            children[renamed] = Node(form.values[shown(plain)], value.place) if form.values else value
            places[renamed] = block.key_places.get(name, value.place)
    return Node(children, block.place, places, block.size)


def _is_meant(block: Node, form: Form) -> bool:
    assert isinstance(block.value, dict)
    using = block.value.get("using")
    return not form.using or (using is not None and using.value in form.using)


def told_words(earlier: Sequence[Earlier]) -> Iterator[str]:
    """A line for each, once."""
    yield from dict.fromkeys(one.words for one in earlier)
