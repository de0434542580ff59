"""What human therapists scored on a rubric: data with its source, shown beside a study's scores."""

from __future__ import annotations

from importlib.resources import files

from cbtrun.contract.records import Record


class Norm(Record):
    """Human scores on one outcome."""

    mean: float
    sd: float | None = None
    """None where the source does not give it."""


class Norms(Record):
    """One publication's human scores on a rubric."""

    rubric: str
    """Name of the rubric."""
    source: str
    """The publication, as one would cite it."""
    of: str
    """Who was rated, and by whom."""
    n: int
    """Sessions."""
    outcomes: dict[str, Norm]
    """`total` or an item's id -> its norm."""


def norms_of(rubric: str) -> Norms | None:
    """The shipped norms of a rubric, by its name; none when there are none."""
    import yaml

    folder = files("cbtrun.rubrics").joinpath("norms")
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            norms = Norms.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
            if norms.rubric == rubric:
                return norms
    return None
