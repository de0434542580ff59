"""A study's file rewritten in today's form: the words that have a successor are replaced where they stand, and nothing else.

So comments, order, quotes and line ends stay. A key that does nothing any more becomes a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from cbtrun.documents.yaml_source import parse_yaml
from cbtrun.errors import SpecError
from cbtrun.study.earlier_forms import Earlier, Form, modernised, shown

MARK = "\ufeff"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one that reads studies: the other minds a tab where this one does not. It only says where words stand."""


@dataclass(frozen=True)
class Migrated:
    """A file's text in today's form."""

    text: str
    earlier: tuple[Earlier, ...]
    """What was of an earlier form; empty where the text is as it was."""


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    new: str


def migrated(text: str, name: str, forms: Sequence[Form] | None = None) -> Migrated:
    """The text of a study's file in today's form.

    name: as messages call the file. Raises SpecError for a text that is no YAML of a study's, or that cannot be rewritten
    in place (an old key within a flow mapping that holds comments): it says which key to change by hand.
    """
    body = text.removeprefix(MARK)
    node, earlier = modernised(parse_yaml(body, name, number_keys=True), forms)
    if not earlier:
        return Migrated(text, ())
    root = yaml.compose(body, Loader=LOADER)  # read already, within bounds: now for the places of its words
    edits = {edit for one in earlier for edit in _edits(root, one, body)}
    for edit in sorted(edits, key=lambda one: -one.start):
        body = body[: edit.start] + edit.new + body[edit.end :]
    if parse_yaml(body, name, number_keys=True).plain() != node.plain():
        raise SpecError.at(
            name, f"cannot be rewritten in place; change it by hand: {'; '.join(one.words for one in earlier)}"
        )
    return Migrated(text[: len(text) - len(text.removeprefix(MARK))] + body, earlier)


def _edits(root: Any, one: Earlier, text: str) -> Iterator[_Edit]:
    """What to replace in the text for an earlier form."""
    holder = root
    for step in one.path[:-1]:
        holder = next(value for key, value in holder.value if key.value == step)
    key, value = next((key, value) for key, value in holder.value if key.value == one.form.key)
    if one.form.gone:
        yield _commented(holder, key, value, text)
    elif one.form.now:
        yield _replaced(key, one.form.now, text)
    if one.form.values:
        yield _replaced(value, shown(one.form.values[str(one.value)]), text)


def _replaced(node: Any, new: str, text: str) -> _Edit:
    """A plain word in another's place; an anchor before it stays."""
    start, end = node.start_mark.index, node.end_mark.index
    written = text[start:end].rstrip()
    if written.startswith("&"):
        _, _, word = written.partition(" ")
        start += len(written) - len(word.lstrip())
    return _Edit(start, start + len(text[start:end].rstrip()), new)


def _commented(holder: Any, key: Any, value: Any, text: str) -> _Edit:
    """A key with its value as a comment; in a flow mapping, left out with its comma."""
    start, end = key.start_mark.index, value.end_mark.index
    if holder.flow_style:
        if "#" in text[start:end]:
            return _Edit(start, start, "")  # it may hold a comment: left to the user
        after = len(text[end:]) - len(text[end:].lstrip(" "))
        if text[end + after : end + after + 1] == ",":
            end += after + 1
            end += len(text[end:]) - len(text[end:].lstrip(" "))
        else:
            start = text.rindex(",", 0, start) if "," in text[holder.start_mark.index : start] else start
        return _Edit(start, end, "")
    lines = text[start:end].rstrip("\r\n ").splitlines(keepends=True)
    indent = " " * key.start_mark.column
    kept = [lines[0], *(f"{indent}# {line.removeprefix(indent)}" if line.strip() else line for line in lines[1:])]
    return _Edit(start, start + len("".join(lines)), "# " + "".join(kept))
