"""YAML read as data and nothing else, with the place of every key and value.

Does not check what the file means: that is `schema_problems` in schema.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

import yaml

from cbtrun.documents.yaml_scalars import Scalar, plain_scalar
from cbtrun.errors import Place, Problem, SpecError

MAX_BYTES = 5_000_000
MAX_DEPTH = 100
MAX_NODES = 200_000  # after aliases are expanded: what a file of the largest size may reasonably hold

Steps = tuple[str | int, ...]
Top = type[dict[Any, Any]] | type[list[Any]]
MERGE = "<<"
"""The key that takes another mapping's keys in (YAML 1.1's merge key, which YAML files everywhere use)."""
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is about ten times faster


class PlaceOf(Protocol):
    """Gives the place of a path: of its key with `key=True`, of its value otherwise."""

    def __call__(self, *path: str | int, key: bool = False) -> Place: ...


@dataclass(frozen=True)
class Node:
    """A value as it was written: a scalar, or children by key or in order."""

    value: Scalar | dict[str, Node] | list[Node]
    place: Place
    key_places: dict[str, Place] = field(default_factory=dict)
    size: int = 1
    """Nodes in it, aliases expanded."""

    def plain(self) -> Any:
        """The value without places: dicts, lists and scalars, nothing shared."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


@dataclass(frozen=True)
class Located:
    """A document: its plain value, and where each part of it stands."""

    node: Node
    file: str
    sha256: str = ""
    """Of the file's bytes; empty for what was not read from one file."""

    @cached_property
    def value(self) -> Any:
        """The document as dicts, lists and scalars."""
        return self.node.plain()

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where a path stands: its key with `key=True`, else its value (for a mapping or list, its key).

        A path that was not written (a default) has the place of the nearest one around it that was.
        """
        node, place = self.node, self.node.place
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                place = node.key_places[str(step)]
                node = node.value[str(step)]
            elif isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
                node = node.value[step]
                place = node.place
            else:
                return place
        return place if key or isinstance(node.value, dict | list) else node.place


def read_yaml(
    path: str | Path,
    *,
    shown: str | None = None,
    top: Top = dict,
    number_keys: bool = False,
) -> Located:
    """A YAML file as plain data with places.

    shown: how messages call the file, the path itself unless told. top: dict or list. number_keys: whole numbers may
    be keys, and are kept as words. Raises SpecError with all duplicate keys, tags and odd keys at once; a file that
    cannot be read or parsed is a single problem.
    """
    name = shown or str(path)
    content = _content(Path(path), name)
    node = parse_yaml(_text(content, name), name, number_keys=number_keys)
    if not isinstance(node.value, top):
        expected = "a list" if top is list else "keys and values"
        raise SpecError([Problem(node.place, "", f"expected {expected} at the top of the file, got {_kind(node)}")])
    return Located(node, name, hashlib.sha256(content).hexdigest())


def parse_yaml(text: str, name: str, *, number_keys: bool = False, lines: bool = True) -> Node:
    """The single document in a text. lines: whether places have line and column. Raises SpecError."""
    composer = _Composer(text, name, number_keys, lines)
    try:
        node = composer.document()
    except yaml.YAMLError as error:
        raise SpecError([*composer.problems, _syntax_problem(error, text, name, lines)]) from None
    if composer.problems:
        raise SpecError(composer.problems)
    return node


def check_bounds(text: str, name: str) -> None:
    """Raises SpecError for a text that is no YAML, nested too deep, or too large once aliases are expanded; and for tags."""
    composer = _Composer(text, name, number_keys=True, lines=True)
    try:
        composer.document()
    except yaml.YAMLError as error:
        raise SpecError([_syntax_problem(error, text, name, True)]) from None
    if tags := [one for one in composer.problems if one.what.startswith("tag ")]:
        raise SpecError(tags)


def text_in(path: Path) -> str:
    """The text of a YAML file. Raises SpecError for one that is too long, no file, or no text."""
    return _text(_content(path, str(path)), str(path))


def _content(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise SpecError.at(name, "is a folder; expected a YAML file")
        if not path.is_file():
            what = "is not a regular file" if path.exists() else "no such file"
            raise SpecError.at(name, what)
        if (size := path.stat().st_size) > MAX_BYTES:
            raise SpecError.at(name, f"is {size / 1e6:.1f} MB long; at most {MAX_BYTES // 10**6} MB are read")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise SpecError.at(name, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        place = Place(name, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        what = f"is not UTF-8 text: byte 0x{content[error.start]:02x}; save the file as UTF-8"
        raise SpecError([Problem(place, "", what)]) from None


class _Composer:
    """Builds nodes from the parser's events; never makes objects, so a tag can do nothing."""

    def __init__(self, text: str, name: str, number_keys: bool, lines: bool) -> None:
        self.name = name
        self.number_keys = number_keys
        self.lines = lines
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node | None] = {}  # None while the anchor's own node is being built
        self.events = _events(text)
        self.nodes = 0

    def document(self) -> Node:
        next(self.events)  # stream start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise SpecError.at(self.name, "is empty")
        node = self.node(next(self.events), 1)
        next(self.events)  # document end
        if not isinstance(event := next(self.events), yaml.StreamEndEvent):
            self._problem(event, "a second document starts here; a file holds one")
        return node

    def node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise SpecError([*self.problems, Problem(self._place(event), "", f"nested over {MAX_DEPTH} levels deep")])
        if isinstance(event, yaml.AliasEvent):
            return self._count(self._alias(event), event)
        if event.tag is not None:
            self._problem(event, f"tag '{_short_tag(event.tag)}' is not allowed; write plain values")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node = self._count(self._fresh(event, depth), event)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _fresh(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            children = []
            while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
                children.append(self.node(item, depth + 1))
            return Node(children, self._place(event), size=1 + sum(child.size for child in children))
        return Node(plain_scalar(event.value) if event.implicit[0] else event.value, self._place(event))

    def _mapping(self, event: Any, depth: int) -> Node:
        children: dict[str, Node] = {}
        places: dict[str, Place] = {}
        merged: list[Node] = []
        while not isinstance(key_event := next(self.events), yaml.MappingEndEvent):
            key = self._key(self.node(key_event, depth + 1), key_event)
            child = self.node(next(self.events), depth + 1)
            if key == MERGE and key_event.implicit[0]:  # plain, not in quotes
                merged += self._merged(child, key_event)
            elif key in children:
                self._problem(key_event, f"duplicate key '{key}'; it stands first in line {places[key].line}")
            elif key is not None:
                children[key], places[key] = child, self._place(key_event)
        for one in merged:  # an earlier one wins, and what the mapping says itself over all of them
            for key, child in cast(dict[str, Node], one.value).items():
                places.setdefault(key, one.key_places[key])
                children.setdefault(key, child)
        return Node(children, self._place(event), places, 1 + sum(child.size for child in children.values()))

    def _merged(self, node: Node, event: Any) -> list[Node]:
        """The mappings that a merge key takes in."""
        found = node.value if isinstance(node.value, list) else [node]
        if not found or not all(isinstance(one.value, dict) for one in found):
            self._problem(event, f"'{MERGE}' takes in a mapping or a list of them, such as *name, got {_kind(node)}")
            return []
        return found

    def _key(self, node: Node, event: Any) -> str | None:
        if isinstance(node.value, str):
            return node.value
        if self.number_keys and isinstance(node.value, int) and not isinstance(node.value, bool):
            return str(node.value)
        if isinstance(node.value, dict | list):
            self._problem(event, f"a key must be a word, got {_kind(node)}")
        else:
            self._problem(event, f"a key must be a word; put it in quotes: '{getattr(event, 'value', '')}'")
        return None

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            what = f"unknown alias '*{event.anchor}'; no anchor '&{event.anchor}' stands before it"
        elif (node := self.anchors[event.anchor]) is None:
            what = f"alias '*{event.anchor}' stands inside what it names"
        else:
            return Node(node.value, self._place(event), node.key_places, node.size)
        self._problem(event, what)
        return Node(None, self._place(event))

    def _count(self, node: Node, event: Any) -> Node:
        self.nodes += node.size if isinstance(event, yaml.AliasEvent) else 1
        if self.nodes > MAX_NODES or node.size > MAX_NODES:
            what = f"over {MAX_NODES} values once aliases are expanded"
            raise SpecError([*self.problems, Problem(self._place(event), "", what)])
        return node

    def _place(self, event: Any) -> Place:
        if not self.lines:
            return Place(self.name)
        return Place(self.name, event.start_mark.line + 1, event.start_mark.column + 1)

    def _problem(self, event: Any, what: str) -> None:
        self.problems.append(Problem(self._place(event), "", what))


def _events(text: str) -> Iterator[Any]:
    loader = _Loader(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _syntax_problem(error: yaml.YAMLError, text: str, name: str, lines: bool) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # the reader itself stopped
        reason = getattr(error, "reason", None) or str(error).splitlines()[0]
        return Problem(Place(name), "", f"not valid YAML: {reason}")
    if getattr(error, "context", None) == "while scanning a quoted scalar":
        mark = error.context_mark  # type: ignore[attr-defined]  # where the quote opens; it ends at the end of the file
    line, column = _last_place(text, mark)
    place = Place(name, line, column) if lines else Place(name)
    written = text.splitlines()[line - 1] if text else ""
    indentation = written[: len(written) - len(written.lstrip())]
    if "\t" in indentation:
        return Problem(place, "", "a tab stands in the indentation; use spaces")
    if "maximum nesting depth" in str(error):  # PyYAML 6.0.4 has a limit of its own, met while it looks ahead
        return Problem(place, "", f"nested over {MAX_DEPTH} levels deep")
    return Problem(place, "", f"not valid YAML: {_plain_words(error)}, near '{_excerpt(written)}'")


def _last_place(text: str, mark: Any) -> tuple[int, int]:
    """Line and column of a mark, moved back to the last line that holds anything when it lies behind the end."""
    written = text.splitlines()
    line = mark.line
    if line < len(written) and written[line].strip():
        return line + 1, mark.column + 1
    while line > 0 and (line >= len(written) or not written[line].strip()):
        line -= 1
    return line + 1, len(written[line]) + 1 if written else 1


def _plain_words(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or error)
    if problem == "mapping values are not allowed in this context" or problem == "mapping values are not allowed here":
        return "a second ': ' in one line (put text with ': ' in quotes)"
    if problem.startswith("found character") and problem.endswith("that cannot start any token"):
        return "this character cannot start a value (put it in quotes)"
    return "this quote is not closed" if problem == "found unexpected end of stream" else problem


def _excerpt(line: str, length: int = 60) -> str:
    line = line.strip()
    return line if len(line) <= length else line[: length - 3] + "..."


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _kind(node: Node) -> str:
    if isinstance(node.value, dict):
        return "keys and values"
    if isinstance(node.value, list):
        return "a list"
    return "nothing" if node.value is None else f"'{_excerpt(str(node.value))}'"
