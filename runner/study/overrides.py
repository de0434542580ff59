"""A study as it was written: the file, the files that it extends, and what the command line sets.

Gives one tree in which each value still knows where it stands. Does not know what any key means but `extends` and `like`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbtrun.documents.schema_words import did_you_mean, got
from cbtrun.documents.yaml_source import Located, Node, parse_yaml, read_yaml
from cbtrun.errors import Place, Problem, SpecError
from cbtrun.study.earlier_forms import SET, Earlier, modernised
from cbtrun.study.likeness import merged, with_likeness

__all__ = ["SET", "Written", "find_path", "read_study", "with_set"]


@dataclass(frozen=True)
class Written:
    """A study before it is checked."""

    document: Located
    path: Path
    """The study's file, as the user gave it."""
    sources: Mapping[str, str]
    """Each file that was read, as messages show it, and its SHA-256; the study's own file first."""

    sets: Sequence[str] = ()
    """What the command line set, as given there."""
    contains: Mapping[str, str] = field(default_factory=dict)
    """File, or option of the command line -> what it says under `contains`; empty for a study that is settled already."""
    in_files: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Model -> `model` and `revision` as the files name them, whatever the command line sets."""
    earlier: Sequence[Earlier] = ()
    """What is written in a form of an earlier version, and read as its successor."""

    @property
    def order(self) -> list[str]:
        """Files and command-line options in the order in which their problems are shown."""
        return [*self.sources, *(SET + text.partition("=")[0] for text in self.sets)]

    def folder_of(self, place: Place) -> Path:
        """The folder that a relative path written at a place starts from: the file's own, or the current one."""
        if place.file.startswith(SET):
            return Path()
        return Path(place.file).parent if place.file in self.sources else self.path.parent


def read_study(path: str | Path, sets: Sequence[str] = ()) -> Written:
    """A study with everything that it extends, and with each `path.to.key=value` of `sets` put in.

    Raises SpecError with all problems of all files, or all problems of `sets`, at once.
    """
    shown = str(path)
    sources: dict[str, str] = {}
    contains: dict[str, str] = {}
    node = _with_bases(Located(Node({}, Place(shown)), shown), (), shown, sources, contains)
    problems: list[Problem] = []
    in_files = _models_named(node)
    for text in sets:
        try:
            node = with_set(node, text)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    _note_contains(contains, node)
    node, earlier = modernised(node)
    node = with_likeness(node)
    return Written(Located(node, shown), Path(path), sources, tuple(sets), contains, in_files, earlier)


def _models_named(node: Node) -> dict[str, dict[str, Any]]:
    """Model -> `model` and `revision` of its block, for each that names one."""
    try:
        value = with_likeness(node).plain()
    except SpecError:  # told once the command line is put in: it may mend it
        value = node.plain()
    models = value.get("models") if isinstance(value, dict) else None
    blocks = models.items() if isinstance(models, dict) else ()
    named = {
        name: {key: block[key] for key in ("model", "revision", "gguf_file") if isinstance(block.get(key), str)}
        for name, block in blocks
        if isinstance(block, dict)
    }
    return {name: told for name, told in named.items() if "model" in told}


def _note_contains(contains: dict[str, str], node: Node) -> None:
    """Note what a tree says of whose words it is about, under the place that says it."""
    child = node.value.get("contains") if isinstance(node.value, dict) else None
    if child is not None and isinstance(child.value, str):
        contains[child.place.file] = child.value


def with_set(node: Node, text: str) -> Node:
    """A tree with one value of the command line put in; `path.to.key=null` takes a key out.

    Raises SpecError when the text has no `=`, the value is no YAML, or the path leads through a plain value.
    """
    path, equals, written = text.partition("=")
    place = Place(SET + path)
    if not equals or not all(path.split(".")):
        raise SpecError([Problem(place, "", "expected path.to.key=value")])
    if path.split(".")[0] == "extends":
        raise SpecError([Problem(place, "", "'extends' can be written in a file only")])
    if not written.strip():
        raise SpecError([Problem(place, "", "no value; write '' for empty text, null to take the key out")])
    return _put(node, path.split("."), parse_yaml(written, place.file, lines=False), ())


def find_path(value: Any, path: str) -> tuple[str | int, ...]:
    """The steps of a path such as `tune.cbt.lora.rank` through a plain value; names may hold dots themselves.

    Raises KeyError with the words of what is wrong.
    """
    steps: list[str | int] = []
    names = path.split(".")
    while names:
        step, names = _step(value, names)
        inside = f" in {'/'.join(map(str, steps))}" if steps else ""
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]  # typed apart
        elif isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list):
            raise KeyError(f"no item '{step}'{inside}; it has {len(value)}, counted from 0")
        else:
            near = did_you_mean(str(step), value) if isinstance(value, dict) else ""
            raise KeyError(f"no '{step}'{inside}{near}")
        steps.append(step)
    return tuple(steps)


def _with_bases(
    by: Located, chain: tuple[Path, ...], shown: str, sources: dict[str, str], contains: dict[str, str]
) -> Node:
    """The tree of a file over those that it extends. by, chain: the file that asked for it, and all above it."""
    real = Path(shown).resolve()
    if real in chain:
        round_trip = " -> ".join(path.name for path in (*chain[chain.index(real) :], real))
        raise SpecError([Problem(by.place("extends"), "extends", f"goes round in a circle: {round_trip}")])
    if chain and not real.is_file():
        raise SpecError([Problem(by.place("extends"), "extends", f"no such file: {shown}")])
    document = read_yaml(shown)
    sources[shown] = document.sha256
    _note_contains(contains, document.node)
    base = document.value.get("extends")
    if base is None:
        return document.node
    if not isinstance(base, str) or not base:
        raise SpecError([Problem(document.place("extends"), "extends", f"expected a file, got {got(base)}")])
    below = os.path.normpath(Path(shown).parent / base)
    return merged(_with_bases(document, (*chain, real), below, sources, contains), _without(document.node, "extends"))


def _without(node: Node, key: str) -> Node:
    assert isinstance(node.value, dict)
    children = {name: child for name, child in node.value.items() if name != key}
    return Node(children, node.place, node.key_places)


def _put(node: Node, names: list[str], new: Node, above: tuple[str | int, ...]) -> Node:
    """A tree with `new` at the path of names; mappings on the way are made where they are missing."""
    if not names:
        return new
    where = "/".join(map(str, above))
    if node.value is None:
        node = Node({}, new.place)
    step, rest = _step(node.value, names)
    if isinstance(node.value, list):
        if not isinstance(step, int) or step >= len(node.value):
            what = f"no item '{step}'; the list has {len(node.value)}, counted from 0"
            raise SpecError([Problem(Place(new.place.file), where, what)])
        items = list(node.value)
        items[step] = _put(items[step], rest, new, (*above, step))
        return Node(items, node.place)
    if not isinstance(node.value, dict):
        raise SpecError([Problem(Place(new.place.file), where, f"has no keys: it is {got(node.value)}")])
    return _put_key(node, str(step), rest, new, above)


def _put_key(node: Node, key: str, rest: list[str], new: Node, above: tuple[str | int, ...]) -> Node:
    assert isinstance(node.value, dict)
    if not rest and new.value is None:
        if key not in node.value:
            what = f"no key '{key}' to take out{did_you_mean(key, node.value)}"
            raise SpecError([Problem(Place(new.place.file), "/".join(map(str, above)), what)])
        return _without(node, key)
    child = node.value.get(key, Node({}, new.place))
    places = {**node.key_places, key: node.key_places.get(key, new.place) if rest else new.place}
    return Node({**node.value, key: _put(child, rest, new, (*above, key))}, node.place, places)


def _step(value: Any, names: list[str]) -> tuple[str | int, list[str]]:
    """The next step of a path and what is left of it: the longest run of names that is a key, else one name."""
    if isinstance(value, dict):
        for length in range(len(names), 0, -1):
            if (key := ".".join(names[:length])) in value:
                return key, names[length:]
    if isinstance(value, list) and names[0].isascii() and names[0].isdigit() and len(names[0]) < 10:
        return int(names[0]), names[1:]
    return names[0], names[1:]
