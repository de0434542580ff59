"""A rubric as data: what is rated, on which scale, and what may be measured for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, ValidationError

from cbtrun.errors import Problem, SpecError
from cbtrun.ratings.rubric_signals import Signal
from cbtrun.records import Json, Record, Speaker

if TYPE_CHECKING:
    from cbtrun.study.yaml_source import Located

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


class Item(Record):
    """One thing a rater scores."""

    id: Name
    """Names the score: `ctrs.agenda`."""
    name: str
    """Short name, as people read it."""
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


def read_rubric(path: Path) -> Rubric:
    """The rubric of a YAML file. Raises SpecError with all its problems, each with its line."""
    from cbtrun.ratings.rubric_checks import rubric_faults
    from cbtrun.study.schema import schema_problems
    from cbtrun.study.yaml_source import read_yaml

    document = read_yaml(path, number_keys=True)
    problems = schema_problems(document.value, _written_schema(), document.place)
    if not problems:
        try:
            rubric = Rubric.model_validate(_with_borrowed_signals(document, path))
        except ValidationError as error:
            # A list whose items all fail is reported as too short as well: the value errors say it.
            found = [detail for detail in error.errors() if detail["type"] == "value_error"] or error.errors()
            problems = [_problem(document, *_what(detail, document.value)) for detail in found]
        else:
            problems = [_problem(document, fault.path, fault.what) for fault in rubric_faults(rubric)]
    if problems:
        raise SpecError(sorted(problems, key=lambda problem: problem.place.line or 0))
    return rubric


def _with_borrowed_signals(document: Located, path: Path) -> Any:
    """The rubric's value with the signals of `signals_from` in front of its own, so that its digest covers them too."""
    name = document.value.get("signals_from")
    if name is None:
        return document.value
    from importlib.resources import files

    folders = [path.parent, Path(str(files("cbtrun.rubrics")))]
    if name == document.value["name"]:
        raise SpecError([_problem(document, ("signals_from",), "a rubric cannot borrow signals from itself")])
    try:
        lender = read_rubric(find_rubric(name, folders))
    except FileNotFoundError as error:
        raise SpecError([_problem(document, ("signals_from",), str(error))]) from None
    borrowed = {id: signal.model_dump(mode="json") for id, signal in lender.signals.items()}
    return {**document.value, "signals": {**borrowed, **document.value.get("signals", {})}}


def rubric_digest(rubric: Rubric) -> str:
    """SHA-256 of the rubric's content as canonical JSON: layout and comments of the file do not matter."""
    canonical = json.dumps(rubric.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def rubric_schema() -> Json:
    """JSON Schema (draft 2020-12) of a rubric file, as schemas/rubric.schema.json holds it."""
    from cbtrun.record_schema import record_schema

    return _as_written(record_schema(Rubric))


@cache
def _written_schema() -> Json:
    from importlib.resources import files

    return cast(Json, json.loads((files("cbtrun.schemas") / "rubric.schema.json").read_text(encoding="utf-8")))


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


def find_rubric(name_or_path: str, folders: Sequence[Path]) -> Path:
    """The file of a rubric, by its name in one of the folders or by its path (ending in .yaml).

    A relative path is looked up from the first folder: put the study's own there.
    Raises FileNotFoundError that says which names are known.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        candidates = [folder / name_or_path for folder in folders[:1]] or [Path(name_or_path)]
    else:
        candidates = [folder / f"{name_or_path}.yaml" for folder in folders]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise FileNotFoundError(f"no rubric {name_or_path!r}; known: {', '.join(known) or 'none'}")


def _problem(document: Located, path: Sequence[str | int], what: str) -> Problem:
    return Problem(document.place(*path), "/".join(map(str, path)), what)


def _what(detail: Any, value: Any) -> tuple[tuple[str | int, ...], str]:
    """Path and words of what pydantic found and the schema cannot say: a bad regular expression, an empty window."""
    path: list[str | int] = []
    for part in detail["loc"]:
        if isinstance(value, dict) and part not in value:
            continue  # the name of the chosen kind of signal, which is no key of the file
        path.append(part)
        value = value[part] if isinstance(value, dict | list) else None
    return tuple(path), str(detail["msg"]).removeprefix("Value error, ")
