"""The schema of a study: our own keys, and each plugin's options where a block uses it.

Editors get one composed file (schemas/study.schema.json). Validation here asks for the schema of one block at a time,
so that messages speak of the chosen plugin alone.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract.bounds import bounded
from cbtrun.contract.records import Json
from cbtrun.contract.stage_kinds import PLUGGED, STAGES, is_named

if TYPE_CHECKING:
    from cbtrun.registry import Registry

REFRESH = "cbtrun schema --write"


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
    """One schema for editors: the base, with every plugin's options under `$defs`, chosen by `using`."""
    schema: Json = json.loads(json.dumps(base))
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
            place.update(type="object", propertyNames={"$ref": "#/$defs/name"}, additionalProperties=block)
        else:
            place.update(block)
    for unused in ("block", "blocks"):
        schema["$defs"].pop(unused)
    # A study that extends another may leave out anything that the other says.
    schema["if"] = {"not": {"required": ["extends"]}}
    schema["then"] = {"required": schema.pop("required")}
    return schema


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
    return {f"{name}.schema.json": schema for name, schema in schemas.items()}


def _list_of(record: Json) -> Json:
    """The schema of a file that holds a list of records."""
    aside = ("$schema", "$defs", "$id")
    items = {key: value for key, value in record.items() if key not in aside}
    return {**{key: record[key] for key in aside if key in record}, "type": "array", "items": items}


def generated_schemas(registry: Registry) -> dict[str, str]:
    """File name -> text of every schema that is generated."""
    schemas = {"study.schema.json": study_schema(registry), **record_schemas()}
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
    block: Json = {"type": "object", "required": ["using"], "properties": {"using": using}}
    return {**block, "allOf": chosen} if chosen else block


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
