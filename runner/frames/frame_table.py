"""A frame before it is pandas' or polars': rows under the columns that the list of columns has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.frames.frame_columns import Column, frame_columns


@dataclass(frozen=True)
class Table:
    """Columns of one length, each with its kind."""

    columns: tuple[Column, ...]
    values: Mapping[str, list[Any]]
    """Column -> a value for each row; None where there is none."""


def table_of(frame: str, rows: Iterable[Mapping[str, Any]]) -> Table:
    """A frame's table. A row may leave columns out, which are then None, and have further ones that begin as an open column.

    Raises KeyError for a value under a name that the frame does not have: a fault of ours.
    """
    known = frame_columns()[frame].columns
    values: dict[str, list[Any]] = {one.name: [] for one in known if not one.is_open}
    opened: dict[str, Column] = {}
    for count, row in enumerate(rows):
        for name in row.keys() - values.keys():
            opened[name] = _opened(known, name)
            values[name] = [None] * count
        for name, cells in values.items():
            cells.append(row.get(name))
    order = [one for column in known for one in ([column] if not column.is_open else _of(column, opened))]
    return Table(tuple(order), {one.name: values[one.name] for one in order})


def _opened(known: tuple[Column, ...], name: str) -> Column:
    for one in known:
        if one.is_open and name.startswith(one.start):
            return Column(name, one.kind, one.unit, one.source, one.means)
    raise KeyError(name)


def _of(column: Column, opened: Mapping[str, Column]) -> list[Column]:
    """The columns that an open one stands for, by name."""
    return [opened[name] for name in sorted(opened) if name.startswith(column.start)]
