"""The schema of a study: our own keys, and each plugin's options where a block uses it.

Editors get one composed file (schemas/study.schema.json). Validation here asks for the schema of one block at a time,
so that messages speak of the chosen plugin alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract.bounds import bounded
from cbtrun.contract.marks import names_of
from cbtrun.contract.records import Json
from cbtrun.contract.stage_kinds import PLUGGED, STAGES, is_named

if TYPE_CHECKING:
    from cbtrun.registry import Registry

REFRESH = "cbtrun schema --write"
ADDRESS = "https://json.schemastore.org/cbtrun-{name}.json"
"""`$id` of a schema that people's files are held against: where the catalogue of editors has it."""
FILES = {"study": ("*.cbtrun.yaml", "*.cbtrun.yml")}
"""What files are called that an editor holds against a schema without being told."""
_NUMBER = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
CONCERNS = {
    "number": _NUMBER,
    "integer": _NUMBER,
    "string": ("minLength", "maxLength", "pattern"),
    "array": ("items", "minItems", "maxItems", "uniqueItems"),
    "object": ("properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"),
}
"""Type -> the keywords that say something of values of that type alone."""
FOR_PEOPLE = ("rubric", "personas")
"""Records that people write in an editor."""


def base_schema() -> Json:
    """Our own part of the study's schema, a fresh copy."""
    schema: Json = json.loads(_base_text())
    return schema


def block_schema(stage: str, options: Json) -> Json:
    """The schema of one block: `using` and a plugin's options. Keys that the plugin does not name are refused, and so are
    numbers that no machine could do anything with.
    """
    using = base_schema()["$defs"]["block"]["properties"]["using"]
    schema = {"type": "object", "additionalProperties": False, **options}
    schema["properties"] = {"using": using, **options.get("properties", {})}
    schema["required"] = ["using", *options.get("required", [])]
    schema.setdefault("description", f"Options of a block under `{stage}`.")
    return bounded(schema)


def compose(base: Json, registry: Registry) -> Json:
    """One schema for editors: the base, with every plugin's options under `$defs`, chosen by `using`.

    Without the marks that only cbtrun reads, so that every validator of JSON Schema takes it; with the names that ship.
    """
    schema: Json = json.loads(json.dumps(base))
    rubrics = sorted({file.stem for folder in registry.rubric_folders() for file in folder.glob("*.yaml")})
    for stage in PLUGGED:
        names = registry.names(stage)
        for using in names:
            name = f"{stage}.{using}"
            options = block_schema(stage, registry.schema(stage, using))
            schema["$defs"][name] = _moved(options, f"#/$defs/{name}")
        block = _dispatch(stage, names)
        place = schema["properties"][stage]
        place.pop("$ref")
        if is_named(stage):
            place.update(type="object", propertyNames={"$ref": "#/$defs/name"}, additionalProperties=_or_like(block))
        else:
            place.update(block)
    for unused in ("block", "blocks"):
        schema["$defs"].pop(unused)
    # A study that extends another may leave out anything that the other says.
    schema["if"] = {"not": _has("extends")}
    schema["then"] = {"required": schema.pop("required"), **_every_block({stage: _has("using") for stage in PLUGGED})}
    schema["allOf"] = [_known_plugins(registry)]
    plain: Json = _for_editors(schema, rubrics)
    return {"$schema": plain.pop("$schema"), "$id": ADDRESS.format(name="study"), **plain}


def _has(key: str) -> Json:
    """Of a mapping that has a key."""
    return {"required": [key]}


def _known_plugins(registry: Registry) -> Json:
    """A `using` that nobody does is wrong, unless files beside the study may bring plugins."""
    told = "Name of a plugin that is installed."
    blocks = {
        stage: {"properties": {"using": {"enum": registry.names(stage), "description": told}}} for stage in PLUGGED
    }
    return {"if": {"not": {"anyOf": [_has("plugins"), _has("extends")]}}, "then": _every_block(blocks)}


def _every_block(blocks: Mapping[str, Json]) -> Json:
    """A schema of a study that holds each block of a stage against one."""
    found: dict[str, Json] = {}
    for stage, schema in blocks.items():
        block = {"type": "object", "description": f"A block under `{stage}`.", **schema}
        about = {"type": "object", "description": f"Blocks under `{stage}`."}
        found[stage] = {**about, "additionalProperties": block} if is_named(stage) else block
    return {"properties": found}


def _for_editors(schema: Any, rubrics: list[str], *, names: bool = False) -> Any:
    """A schema without marks, in which a text that names a rubric has the shipped ones as examples.

    names: whether the keys are names of what they hold, and none of JSON Schema's.
    """
    if isinstance(schema, list):
        return [_for_editors(item, rubrics) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: _for_editors(value, rubrics, names=not names and key in ("properties", "$defs"))
        for key, value in schema.items()
        if names or not key.startswith("x-")
    }
    if not names and "rubrics" in names_of(schema):
        found["examples"] = rubrics
    if not names and isinstance(found.get("required"), list):  # strict validators want each of them named beside it
        known = found.get("properties", {})
        found["properties"] = {**known, **{key: True for key in found["required"] if key not in known}}
    return found if names else _without_unions(found)


def _without_unions(schema: Json) -> Json:
    """A schema of one of several types as one schema for each, with what concerns it: strict validators want them apart."""
    types = schema.get("type")
    if not isinstance(types, list) or len(types) < 2 or "anyOf" in schema:
        return schema
    concerned = {key: value for key, value in schema.items() if key in {*chain.from_iterable(CONCERNS.values())}}
    rest = {key: value for key, value in schema.items() if key != "type" and key not in concerned}
    branches = [
        {"type": one, **{key: value for key, value in concerned.items() if key in CONCERNS.get(one, ())}}
        for one in types
    ]
    return {**rest, "anyOf": branches}


def study_schema(registry: Registry) -> Json:
    """The composed schema with the plugins of a registry."""
    return compose(base_schema(), registry)


def record_schemas() -> dict[str, Json]:
    """File name -> JSON Schema of each record that people may write by hand or read elsewhere."""
    from cbtrun.contract.record_schema import record_schema
    from cbtrun.ratings.rubric import rubric_schema
    from cbtrun.results.records import results_schema
    from cbtrun.scores.score import Score

    schemas = {kind.schema: record_schema(kind.record) for kind in STAGES.values() if kind.schema and kind.record}
    schemas["score"] = record_schema(Score)
    schemas |= {"rubric": rubric_schema(), "results": results_schema(), "personas": _list_of(schemas["persona"])}
    for name in FOR_PEOPLE:
        schemas[name] = {"$schema": schemas[name]["$schema"], "$id": ADDRESS.format(name=name), **schemas[name]}
    return {f"{name}.schema.json": schema for name, schema in schemas.items()}


def catalogue() -> list[Json]:
    """What a catalogue of schemas for editors (SchemaStore's form) is told of ours."""
    return [
        {
            "name": "cbtrun study",
            "description": "A study of language-model therapists in one file",
            "fileMatch": [*FILES["study"]],
            "url": ADDRESS.format(name="study"),
        }
    ]


def _list_of(record: Json) -> Json:
    """The schema of a file that holds a list of records."""
    aside = ("$schema", "$defs", "$id")
    items = {key: value for key, value in record.items() if key not in aside}
    return {**{key: record[key] for key in aside if key in record}, "type": "array", "items": items}


def generated_schemas(registry: Registry) -> dict[str, str]:
    """File name -> text of every schema that is generated."""
    schemas = {"study.schema.json": study_schema(registry), **record_schemas(), "catalogue.json": catalogue()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def write_schemas(folder: Path, registry: Registry) -> list[Path]:
    """Write every generated schema into a folder; gives the files."""
    written = []
    for name, text in generated_schemas(registry).items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def _dispatch(stage: str, names: list[str]) -> Json:
    """A block whose options follow its `using`. Unknown names pass here: a plugin beside the study may bring them."""
    using = {
        "description": f"Name of the plugin that does it. Shipped: {', '.join(names) or 'none'}.",
        "anyOf": [{"enum": names}, {"type": "string"}] if names else [{"type": "string"}],
    }
    chosen = [
        {
            "if": {"properties": {"using": {"const": name}}, "required": ["using"]},
            "then": {"$ref": f"#/$defs/{stage}.{name}"},
        }
        for name in names
    ]
    block: Json = {
        "type": "object",
        "properties": {"using": using},
    }  # that it must be there is said for the whole study
    return {**block, "allOf": chosen} if chosen else block


def _or_like(block: Json) -> Json:
    """A block that says everything itself, or one that is like another: what that one says is not known here."""
    like = {
        "description": "Another block of this section: its keys hold here, but for those that stand beside `like`; null takes one out.",
        "type": "string",
    }
    return {"if": {"required": ["like"]}, "then": {"type": "object", "properties": {"like": like}}, "else": block}


def _moved(schema: Any, to: str) -> Any:
    """A schema with its references to itself turned to where it now stands."""
    if isinstance(schema, list):
        return [_moved(item, to) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: to + value[1:] if key == "$ref" and isinstance(value, str) and value.startswith("#") else _moved(value, to)
        for key, value in schema.items()
    }


@cache
def _base_text() -> str:
    return resources.files("cbtrun.schemas").joinpath("study.base.json").read_text(encoding="utf-8")
