"""The columns of every data frame, as schemas/frames.yaml lists them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

Kind = Literal["text", "category", "int", "float", "bool", "time", "texts", "ints"]
KINDS: tuple[Kind, ...] = get_args(Kind)
EACH = "NAME"
"""How a name ends that stands for a column for each name of the study."""


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    kind: Kind
    unit: str
    """Empty for words and switches."""
    source: str
    """Where it stands in the frame's files."""
    means: str

    @property
    def is_open(self) -> bool:
        """Whether it stands for as many columns as the study has names: `factor.NAME`."""
        return self.name.endswith(EACH)

    @property
    def start(self) -> str:
        """How the names begin that an open column stands for: `factor.`."""
        return self.name.removesuffix(EACH)


@dataclass(frozen=True)
class FrameColumns:
    """One frame."""

    name: str
    rows: str
    """What one row is."""
    source: str
    """The files of the run folder that it is read from."""
    columns: tuple[Column, ...]


@cache
def frame_columns() -> dict[str, FrameColumns]:
    """Name of a frame -> its columns, in their order."""
    import yaml

    listed = yaml.safe_load(files("cbtrun.schemas").joinpath("frames.yaml").read_text(encoding="utf-8"))
    return {name: _frame(name, **told) for name, told in listed.items()}


def _frame(name: str, rows: str, columns: dict[str, list[str]], **told: str) -> FrameColumns:
    return FrameColumns(name, rows, told["from"], tuple(_column(one, *parts) for one, parts in columns.items()))


def _column(name: str, kind: str, unit: str, source: str, means: str) -> Column:
    known: dict[str, Kind] = {one: one for one in KINDS}
    return Column(name, known[kind], unit, source, means)
