"""A rubric as data: what is rated, on which scale, and what may be measured for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from cbtrun.contract.records import Json, Record, Speaker
from cbtrun.ratings.rubric_signals import Signal

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*([_-][a-z0-9]+)*$")]
ItemType = Literal["scale", "yes_no", "category", "count", "text"]


class Category(Record):
    """One answer of an item of type `category`."""

    name: Name
    """The answer as the rater writes it."""
    means: str
    """When this is the answer."""
    points: float
    """What it counts as a score."""


class Measurement(Record):
    """How one signal becomes points on an item's scale."""

    signal: str
    """Name of a signal of the rubric."""
    points: Annotated[tuple[tuple[float, float], ...], Field(min_length=2)]
    """Pairs [measured value, points], rising in value; between two pairs the line is straight, beyond them flat."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight in the item's mean or sum."""
    why: str = ""
    """Why these points: the anchor they are tied to, or the source."""


REVERSED = " (reverse-keyed)"
"""Behind the name of an item whose higher scores are worse: where its outcome is shown, it is turned round."""


class Item(Record):
    """One thing a rater scores."""

    id: Name
    """Names the score: `ctrs.agenda`."""
    name: str
    """Short name, as people and raters read it."""
    label: str = Field(default="", max_length=60, pattern=r"^[^`\n|]*$")
    """What reports and sheets call the item, in place of its name; raters never read it, and a change rates nothing again."""
    asks: str
    """What the rater has to judge."""
    type: ItemType = "scale"
    """`scale`: whole points from low to high; `yes_no`: 1 or 0; `category`: one of `categories`;
    `count`: how often, from 0; `text`: words, never a number."""
    low: int = 0
    """Lowest score of a scale."""
    high: int | None = None
    """Highest score of a scale; 1 for yes_no; none where there is no bound."""
    anchors: dict[int, str] = Field(
        default_factory=dict, json_schema_extra={"propertyNames": {"pattern": "^-?[0-9]+$"}}
    )
    """Score -> what it looks like; scores between two anchors lie between them."""
    categories: tuple[Category, ...] = ()
    """Answers of a category item."""
    subscale: Name | None = None
    """Subscale that the item belongs to."""
    not_applicable: str | None = None
    """When the item may be left unscored as not applicable; none: it always applies."""
    applies_if: Name | None = None
    """Name of a signal: where it counts nothing, a program answers that the item does not apply."""
    in_total: bool = True
    """Whether the item counts in the total and in its subscale; an item of type text never does."""
    reverse: bool = False
    """Whether a higher score is worse: the item counts as far from the top of its scale as it was scored from the bottom,
    in the total, its subscale and as an outcome. Raters score what the anchors say, and ratings/ has what they said."""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1
    """How much the item counts in the total and in its subscale, beside items of weight 1."""
    signals: tuple[Measurement, ...] = ()
    """How a program can score the item."""
    aggregate: Literal["sum", "mean", "max", "min"] = "sum"
    """How the signals' points become one score, before rounding to the nearest whole point within the scale."""

    @property
    def counts(self) -> bool:
        """Whether the item is part of the total."""
        return self.in_total and self.type != "text"

    @property
    def bounds(self) -> tuple[float, float | None]:
        """Lowest and highest score that the item can have."""
        if self.type == "yes_no":
            return 0, 1
        if self.type == "category":
            points = [category.points for category in self.categories]
            return min(points, default=0), max(points, default=0)
        return self.low, self.high

    @property
    def title(self) -> str:
        """What people read: the label, else the name; with a word on a score that is worse the higher it is."""
        return f"{self.label or self.name}{REVERSED if self.reverse else ''}"

    def keyed(self, points: float) -> float:
        """A score in the direction of the total: turned round within the scale for a reverse-keyed item."""
        low, high = self.bounds
        return low + high - points if self.reverse and high is not None else points


class Subscale(Record):
    """A group of items whose sum is reported too."""

    title: str
    """As people read it."""


class Total(Record):
    """The sum (or mean) of the items that count."""

    method: Literal["sum", "mean"] = "sum"
    """How items become the total."""
    low: float
    """Lowest possible total."""
    high: float | None
    """Highest possible total; none where an item has no upper bound."""
    threshold: float | None = None
    """Total from which on a session counts as competent (or whatever `threshold_means` says)."""
    threshold_means: str = ""
    """What the threshold means, and who set it."""


class Rubric(Record):
    """A rubric: one YAML file."""

    name: Name
    """Name that studies use; the file's name without `.yaml`."""
    title: str
    """As people read it."""
    version: str
    """Version of this file; raise it whenever a score could change."""
    source: str
    """Where the rubric comes from, as one would cite it."""
    licence: str
    """Who may use it how, and whose words the anchors are."""
    validation: str
    """What is known about its validity here: shown with every score."""
    notes: tuple[str, ...] = ()
    """Assumptions that a reader of any score must know."""
    assumed_scale: bool = False
    """True where items or maximum were not published and are assumed: totals are then not compared with published ones."""
    speaker: Speaker = "therapist"
    """Whose work is rated."""
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    """What is scored, in the order of the rating sheet."""
    total: Total | None = None
    """The total; none when items are never added up."""
    subscales: dict[Name, Subscale] = Field(default_factory=dict)
    """Name -> subscale."""
    signals_from: Name | None = None
    """Name of a rubric beside this one, or of a shipped one, whose signals may be named here as well."""
    signals: dict[Name, Signal] = Field(default_factory=dict)
    """Name -> what a program measures in the transcript."""

    def item(self, id: str) -> Item:
        """The item of that id. Raises KeyError if there is none."""
        for item in self.items:
            if item.id == id:
                return item
        raise KeyError(id)


def combined_ends(items: Sequence[Item], method: str) -> tuple[float, float | None]:
    """Lowest and highest sum (or mean) that items can have by their weights; no highest where one of them has none."""
    parts = (sum(item.weight for item in items) or 1) if method == "mean" else 1
    highs = [item.weight * high for item in items if (high := item.bounds[1]) is not None]
    low = sum(item.weight * item.bounds[0] for item in items) / parts
    return low, sum(highs) / parts if len(highs) == len(items) else None


def rubric_digest(rubric: Rubric) -> str:
    """SHA-256 of the rubric's content as canonical JSON: layout and comments of the file do not matter."""
    content = rubric.model_dump(mode="json")
    for item in content["items"]:
        del item["label"]  # decides no score
        for key, usual in (("reverse", False), ("weight", 1)):  # a rubric of before has the digest of before
            if item[key] == usual:
                del item[key]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def rubric_schema() -> Json:
    """JSON Schema (draft 2020-12) of a rubric file, as schemas/rubric.schema.json holds it."""
    from cbtrun.contract.record_schema import record_schema

    return _as_written(record_schema(Rubric))


def _as_written(schema: Json) -> Json:
    """A schema that speaks of names and lists as a YAML file has them."""
    for key in ("subscales", "signals"):
        named = schema["properties"][key]
        ((pattern, named["additionalProperties"]),) = named.pop("patternProperties").items()
        named["propertyNames"] = {"pattern": pattern}
    schema["properties"]["signals"]["additionalProperties"] = _signal_schema(schema["$defs"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _signal_schema(definitions: Json) -> Json:
    """The kinds of signal chosen by `kind`, so that a mistake is explained in terms of the chosen kind alone."""
    kinds = {of["properties"]["kind"]["const"]: name for name, of in definitions.items() if "kind" in of["properties"]}
    chosen = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": f"#/$defs/{name}"},
        }
        for kind, name in sorted(kinds.items())
    ]
    kind = {"enum": sorted(kinds), "description": "What is measured; each kind has keys of its own."}
    return {"type": "object", "required": ["kind"], "properties": {"kind": kind}, "allOf": chosen}
