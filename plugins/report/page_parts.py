"""What the page shows besides its words: the study's figures and tables, by section."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from cbtrun.plugins.report.figure_style import Plate, drawn_once
from cbtrun.plugins.report.tables import Table


@dataclass(frozen=True)
class Plates:
    """The study's figures, by the section that shows them."""

    groups: tuple[Plate, ...]
    contrasts: tuple[Plate, ...]
    items: tuple[Plate, ...]
    breakdown: tuple[Plate, ...]
    training: tuple[Plate, ...]
    courses: tuple[Plate, ...] = ()
    limitations: tuple[Plate, ...] = ()
    design: tuple[Plate, ...] = ()
    learning: tuple[Plate, ...] = ()

    def each_once(self) -> Plates:
        """The same figures, each drawn once for all that shows it."""
        return replace(self, **{one.name: tuple(map(drawn_once, getattr(self, one.name))) for one in fields(self)})

    def all(self) -> tuple[Plate, ...]:
        """Every plate, in the page's order."""
        return (
            *self.design,
            *self.groups,
            *self.contrasts,
            *self.items,
            *self.breakdown,
            *self.courses,
            *self.limitations,
            *self.training,
            *self.learning,
        )


@dataclass(frozen=True)
class Tables:
    """The study's tables, by the section that shows them."""

    groups: Table
    other_groupings: tuple[Table, ...]
    comparisons: Table
    items: Table
    more: tuple[Table, ...] = ()
    """Persona groups, reliability, published values: where the study has them."""
    cost: Table | None = None
    """On the page alone: it differs from run to run."""

    def all(self) -> tuple[Table, ...]:
        """Every table of results that has rows."""
        return tuple(
            one for one in (self.groups, *self.other_groupings, self.comparisons, self.items, *self.more) if one.rows
        )

    def named(self, name: str) -> Table | None:
        """The table of that name, where the study has it."""
        return next((one for one in self.all() if one.name == name), None)
