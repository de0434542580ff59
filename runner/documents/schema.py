"""A value checked against a JSON Schema (draft 2020-12), its problems in plain words and with their places.

`walk` gives each part of a value with the schemas that speak of it; `with_defaults` fills in what was left out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from cbtrun.contract.marks import expected_words, is_internal, refused_keys
from cbtrun.documents.schema_words import did_you_mean, in_words, known_words, wrong_type
from cbtrun.documents.yaml_source import PlaceOf, Steps
from cbtrun.errors import Problem

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Schema = Mapping[str, Any]
ValidationError = Any  # of jsonschema, whose fields are typed too loosely to read without a cast at each


def schema_problems(value: Any, schema: Schema, place_of: PlaceOf, at: Steps = ()) -> list[Problem]:
    """Everything in which a value breaks a schema.

    place_of: gives the place of a path inside `value`, e.g. the `place` of a Located. at: path of `value` in its
    document, for messages only. Raises nothing for a bad value; a bad schema is the caller's bug.
    """
    found: list[Problem] = []
    for error in validator_of(schema).iter_errors(value):
        found += _problems(error, place_of, at)
    return list(dict.fromkeys(found))


def validator_of(schema: Schema) -> Validator:
    """A validator of a schema. Numbers are finite; 1.0 is no whole number."""
    validator: Validator = _validator_class()(schema)
    return validator


def with_defaults(value: Any, schema: Schema) -> Any:
    """A copy of a value with the schema's defaults filled in; what is missing without a default stays missing."""
    filled = copy.deepcopy(value)
    for part in walk(filled, schema):
        if isinstance(part.value, dict):
            for name, subschema in part.schema.get("properties", {}).items():
                if name not in part.value and "default" in subschema:
                    part.value[name] = copy.deepcopy(subschema["default"])
    return filled


@dataclass(frozen=True)
class Part:
    """A part of a value and one schema that speaks of it."""

    path: Steps
    value: Any
    schema: Schema
    is_key: bool = False
    """True for a key that `propertyNames` speaks of; `path` then ends with it."""


def walk(value: Any, schema: Schema) -> Iterator[Part]:
    """Each part of a value with each schema that applies to it: references, `allOf`, `if` and fitting choices followed.

    A mapping may be added to while it is walked, before its turn to be entered. Parts that no schema names do not come.
    """
    yield from _walk(value, schema, (), validator_of(schema))


def _walk(value: Any, schema: Schema, path: Steps, root: Validator) -> Iterator[Part]:
    for applicable in _applicable(value, schema, root):
        yield Part(path, value, applicable)
        if isinstance(value, dict):
            yield from _walk_mapping(value, applicable, path, root)
        elif isinstance(value, list):
            prefix = applicable.get("prefixItems", [])
            for index, item in enumerate(value):
                subschema = prefix[index] if index < len(prefix) else applicable.get("items")
                if isinstance(subschema, Mapping):
                    yield from _walk(item, subschema, (*path, index), root)


def _walk_mapping(value: dict[str, Any], schema: Schema, path: Steps, root: Validator) -> Iterator[Part]:
    for key in list(value):
        if isinstance(names := schema.get("propertyNames"), Mapping):
            yield Part((*path, key), key, names, is_key=True)
        for subschema in _property_schemas(key, schema):
            if isinstance(subschema, Mapping):
                yield from _walk(value[key], subschema, (*path, key), root)


def _property_schemas(key: str, schema: Schema) -> list[Any]:
    """The schemas of a key's value; none for a key that the schema does not know."""
    found = [schema["properties"][key]] if key in schema.get("properties", {}) else []
    found += [sub for pattern, sub in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
    return found or ([schema["additionalProperties"]] if "additionalProperties" in schema else [])


def _applicable(value: Any, schema: Schema, root: Validator) -> Iterator[Schema]:
    yield schema
    if "$ref" in schema:
        yield from _applicable(value, _referred(schema["$ref"], root), root)
    for sub in schema.get("allOf", ()):
        yield from _applicable(value, sub, root)
    for keyword in ("anyOf", "oneOf"):
        fitting = [sub for sub in schema.get(keyword, ()) if _fits(value, sub, root)]
        yield from (part for sub in fitting for part in _applicable(value, sub, root))
    if "if" in schema:
        branch = schema.get("then" if _fits(value, schema["if"], root) else "else")
        if branch:
            yield from _applicable(value, branch, root)


def _referred(reference: str, root: Validator) -> Schema:
    found: Any = root.schema
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")] if step else found
    return dict(found)


def _fits(value: Any, schema: Schema, root: Validator) -> bool:
    return root.evolve(schema=schema).is_valid(value)


@cache
def _validator_class() -> Any:
    import math

    from jsonschema import Draft202012Validator, validators

    def whole(_: object, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def finite(checker: object, value: object) -> bool:
        return whole(checker, value) or (isinstance(value, float) and math.isfinite(value))

    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": whole, "number": finite})
    return validators.extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]  # theirs


def _problems(error: ValidationError, place_of: PlaceOf, at: Steps) -> Iterator[Problem]:
    path: Steps = tuple(error.absolute_path)
    keyword = str(error.validator)
    if "propertyNames" in error.absolute_schema_path:
        what = in_words(keyword, error.validator_value, error.instance, error.schema) or error.message
        yield Problem(place_of(*path, error.instance, key=True), _shown((*at, *path)), f"key: {what}")
    elif keyword in ("additionalProperties", "unevaluatedProperties"):
        yield from _unknown_keys(error, path, place_of, at)
    elif keyword in ("anyOf", "oneOf") and error.context:
        yield from _choice_problems(error, path, place_of, at)
    else:
        what = _missing(error) if keyword in ("required", "dependentRequired") else None
        what = what or in_words(keyword, error.validator_value, error.instance, error.schema) or error.message
        yield Problem(place_of(*path), _shown((*at, *path)), what)


def _unknown_keys(error: ValidationError, path: Steps, place_of: PlaceOf, at: Steps) -> Iterator[Problem]:
    properties = error.schema.get("properties", {})
    known = [name for name, about in properties.items() if not is_internal(about)]
    patterns = error.schema.get("patternProperties", {})
    for key in error.instance:
        if key in properties or any(re.search(pattern, key) for pattern in patterns):
            continue
        if error.validator_value is not False:
            continue
        why = refused_keys(error.schema).get(key)
        what = (
            f"'{key}' is no key here: {why}"
            if why
            else f"unknown key '{key}'{did_you_mean(key, known)}; allowed: {known_words(known)}"
        )
        yield Problem(place_of(*path, key, key=True), _shown((*at, *path)), what)


def _missing(error: ValidationError) -> str:
    # The message begins with the missing key, as repr: the one place where jsonschema names it.
    key = error.message.split(" is a ")[0].strip("'\"")
    described = error.schema.get("properties", {}).get(key, {}).get("description", "")
    if error.validator == "dependentRequired":
        by = next(
            (name for name, needs in error.validator_value.items() if key in needs and name in error.instance), ""
        )
        return f"missing key '{key}', which '{by}' needs"
    return f"missing key '{key}'{_misspelt(key, error)}" + (f": {described}" if described else "")


def _misspelt(key: str, error: ValidationError) -> str:
    """A word on a key that was probably meant, where unknown keys are not refused by this schema itself."""
    if error.schema.get("additionalProperties") is False:
        return ""
    others = [name for name in error.instance if name not in error.schema.get("properties", {})]
    close = get_close_matches(key, others, 1)
    return f" ('{close[0]}' is written)" if close else ""


def _choice_problems(error: ValidationError, path: Steps, place_of: PlaceOf, at: Steps) -> Iterator[Problem]:
    """The problems of the choice whose type fits; if none fits, the types that would."""
    if expected_words(error.schema):
        yield Problem(place_of(*path), _shown((*at, *path)), in_words("", None, error.instance, error.schema) or "")
        return
    choices: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        choices.setdefault(inner.schema_path[0], []).append(inner)
    of_type = [inner for inner in choices.values() if not any(e.validator == "type" and not e.path for e in inner)]
    if of_type:
        for inner in min(of_type, key=lambda inner: (-max(len(e.path) for e in inner), len(inner))):
            yield from _problems(inner, place_of, at)
        return
    types = [e.validator_value for inner in choices.values() for e in inner if e.validator == "type" and not e.path]
    flat = dict.fromkeys(name for item in types for name in ([item] if isinstance(item, str) else item))
    yield Problem(place_of(*path), _shown((*at, *path)), wrong_type(list(flat), error.instance))


def _shown(path: Iterable[str | int]) -> str:
    return "/".join(map(str, path))
