"""The stamp of a rehearsal: nothing in its report may be taken for a finding, wherever a page or a table goes alone."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import fields, replace
from io import StringIO
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import view_of
from cbtrun.plugins.report.figure_style import INK, Plate
from cbtrun.plugins.report.tables import Row, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cbtrun.plugins.report.page_parts import Plates, Tables

STAMP = "REHEARSAL"


def is_rehearsal(study: Mapping[str, Any]) -> bool:
    """Whether a resolved study is one that was made for a rehearsal."""
    return bool(view_of(study).stand_ins)


def rehearsal_table(study: Mapping[str, Any]) -> Table | None:
    """What stands in for what; none for a study that is no rehearsal."""
    if not is_rehearsal(study):
        return None
    found = view_of(study).stand_ins
    rows = [
        Row((kind, name, words), starts=not at)
        for kind, changes in found.items()
        for at, (name, words) in enumerate(changes.items())
    ]
    return Table(
        "rehearsal", "What stands in for what", ("Kind", "In the study", "In this rehearsal"), tuple(rows), words=3
    )


def stamped_tables(tables: Tables) -> Tables:
    """Every table with the stamp in its title, which stays with it in every format."""
    return replace(
        tables,
        groups=_stamped(tables.groups),
        comparisons=_stamped(tables.comparisons),
        items=_stamped(tables.items),
        other_groupings=tuple(map(_stamped, tables.other_groupings)),
        more=tuple(map(_stamped, tables.more)),
        cost=_stamped(tables.cost) if tables.cost else None,
    )


def stamped_plates(plates: Plates) -> Plates:
    """Every figure with the stamp in its title and across its face."""
    stamped = {one.name: tuple(map(stamped_plate, getattr(plates, one.name))) for one in fields(plates)}
    return replace(plates, **stamped)


def stamped_csv(text: str) -> str:
    """Comma-separated values with a first column that says what they are."""
    rows = list(csv.reader(StringIO(text)))
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([("rehearsal", *rows[0]), *((STAMP, *row) for row in rows[1:])])
    return out.getvalue()


def _stamped(table: Table) -> Table:
    return replace(table, title=f"{STAMP}: {table.title}")


def stamped_plate(plate: Plate) -> Plate:
    """The plate with the stamp across it."""

    def draw(width: int) -> Figure:
        figure = plate.draw(width)
        figure.text(0.5, 0.5, STAMP, ha="center", va="center", rotation=20, fontsize=width / 9, color=INK, alpha=0.12)
        return figure

    return replace(plate, title=f"{STAMP}: {plate.title}", draw=draw)
