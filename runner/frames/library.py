"""A table as a data frame of pandas or polars: whichever is asked for, or installed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from cbtrun.contract.extras import lacking_packages
from cbtrun.errors import PluginError

if TYPE_CHECKING:
    import pandas
    import polars

    from cbtrun.frames.frame_columns import Column
    from cbtrun.frames.frame_table import Table

Library = Literal["pandas", "polars"]
LIBRARIES: tuple[Library, ...] = ("pandas", "polars")


def library_for(wanted: str | None) -> Library:
    """The library that makes the frames: the one asked for, else pandas, else polars.

    Raises PluginError for one that is not installed, or that cbtrun knows nothing of, and where there is neither.
    """
    known = {name: name for name in LIBRARIES}
    if wanted is not None and wanted not in known:
        raise PluginError(f"frames: no library '{wanted}'; allowed: {', '.join(LIBRARIES)}")
    asked = [known[wanted]] if wanted is not None else [*LIBRARIES]
    there = [name for name in asked if not lacking_packages(name, name)]
    if there:
        return there[0]
    if wanted is not None:
        raise PluginError(f"frames: {lacking_packages(wanted, wanted)[0]}")
    raise PluginError(
        "frames: neither pandas nor polars is installed here; pip install 'cbtrun[pandas]' or pip install 'cbtrun[polars]'"
    )


def data_frame(table: Table, library: Library) -> Any:
    """The table as a data frame of the library."""
    return _pandas(table) if library == "pandas" else _polars(table)


def _pandas(table: Table) -> pandas.DataFrame:
    import pandas

    return pandas.DataFrame({one.name: _pandas_column(one, table.values[one.name]) for one in table.columns})


def _pandas_column(column: Column, values: list[Any]) -> Any:
    import pandas

    match column.kind:
        case "category":
            return pandas.Categorical(values, categories=list(dict.fromkeys(one for one in values if one is not None)))
        case "time":
            told = pandas.Series([_moment(one) for one in values], dtype="object")
            return pandas.to_datetime(told, utc=True).astype("datetime64[us, UTC]")
        case "texts" | "ints":
            return pandas.Series([[*(one or ())] for one in values], dtype="object")
        case kind:
            return (
                pandas.array(values, dtype=_PANDAS[kind]) if kind != "float" else pandas.Series(values, dtype="float64")
            )


_PANDAS = {"text": "string", "int": "Int64", "bool": "boolean"}


def _polars(table: Table) -> polars.DataFrame:
    import polars

    kinds = {
        "text": polars.String(),
        "category": polars.Categorical(),
        "int": polars.Int64(),
        "float": polars.Float64(),
        "bool": polars.Boolean(),
        "time": polars.Datetime("us", "UTC"),
        "texts": polars.List(polars.String()),
        "ints": polars.List(polars.Int64()),
    }
    return polars.DataFrame(
        [
            polars.Series(one.name, _polars_values(one, table.values[one.name]), dtype=kinds[one.kind])
            for one in table.columns
        ]
    )


def _polars_values(column: Column, values: list[Any]) -> list[Any]:
    if column.kind == "time":
        return [_moment(one) for one in values]
    return [[*(one or ())] for one in values] if column.kind in ("texts", "ints") else values


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
