"""A value against a JSON Schema: problems in plain words, defaults, and the schemas that we generate."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cbtrun.documents.schema import schema_problems, walk, with_defaults
from cbtrun.documents.yaml_source import Located, parse_yaml
from cbtrun.registry import load_registry
from cbtrun.study.study_schema import REFRESH, base_schema, generated_schemas, study_schema
from tests.helpers.spec_plugins import small_registry

SHIPPED = [load_registry, small_registry]


def problems(text: str, schema: dict[str, Any]) -> list[str]:
    """The problems of a YAML text, as they are shown."""
    located = Located(parse_yaml(text, "f"), "f")
    return [str(problem) for problem in schema_problems(located.value, schema, located.place)]


def one(schema: dict[str, Any], text: str) -> str:
    """What is wrong with the one value of a document."""
    (problem,) = problems(f"a: {text}\n", {"properties": {"a": schema}})
    return problem.removeprefix("f:1:4: a: ").removeprefix("f:1:1: a: ")


@pytest.mark.parametrize(
    ("schema", "text", "what"),
    [
        ({"type": "number"}, "ten", "expected a number, got the word 'ten'"),
        ({"type": "number"}, "ten of them", "expected a number, got the text 'ten of them'"),
        ({"type": "integer"}, "1.0", "expected a whole number, got 1.0 (write 1)"),
        ({"type": "integer"}, "true", "expected a whole number, got true"),
        ({"type": "number"}, ".inf", "expected a number, got .inf"),
        ({"type": "boolean"}, "no", "expected true or false, got the word 'no'"),
        ({"type": ["string", "null"]}, "[1]", "expected text or nothing, got a list"),
        ({"type": "string"}, "3", "expected text, got 3 (for text, put it in quotes)"),
        ({"enum": ["fast", "slow"]}, "fats", "expected one of fast, slow; got the word 'fats' (did you mean 'fast'?)"),
        ({"const": 1}, "2", "expected 1, got 2"),
        ({"minimum": 1}, "0", "expected at least 1, got 0"),
        ({"exclusiveMinimum": 0}, "0", "expected more than 0, got 0"),
        ({"maximum": 1}, "2", "expected at most 1, got 2"),
        ({"multipleOf": 8}, "9", "expected a multiple of 8, got 9"),
        ({"minLength": 1}, "''", "must not be empty"),
        ({"maxLength": 2}, "abc", "expected at most 2 characters, got 3"),
        ({"pattern": "^x"}, "abc", "expected text that matches ^x, got the word 'abc'"),
        ({"pattern": "^x", "x-expected": "an x-word"}, "abc", "expected an x-word, got the word 'abc'"),
        ({"minItems": 2}, "[1]", "expected at least 2 items, got 1"),
        ({"maxItems": 1}, "[1, 2]", "expected at most 1 item, got 2"),
        ({"uniqueItems": True}, "[1, 2, 1]", "1 stands twice in this list"),
        ({"minProperties": 1}, "{}", "expected at least 1 key, got 0"),
        (
            {"anyOf": [{"type": "string"}, {"type": "array"}]},
            "3",
            "expected text or a list, got 3 (for text, put it in quotes)",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 5}]}, "3", "expected at least 5, got 3"),
        ({"dependentRequired": {"x": ["y"]}}, "{x: 1}", "missing key 'y', which 'x' needs"),
        ({"not": {"const": 3}}, "3", "3 is not allowed here"),
    ],
)
def test_a_broken_keyword_is_put_in_plain_words(schema: dict[str, Any], text: str, what: str) -> None:
    assert one(schema, text) == what


def test_a_problem_inside_a_choice_has_its_own_place() -> None:
    schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]}
    assert problems("a: [1, x]\n", {"properties": {"a": schema}}) == [
        "f:1:8: a/1: expected a whole number, got the word 'x'"
    ]


def test_the_path_of_a_part_can_be_told() -> None:
    located = Located(parse_yaml("a: x", "f"), "f")
    (problem,) = schema_problems(located.value, {"properties": {"a": {"type": "number"}}}, located.place, ("tune", "t"))
    assert problem.path == "tune/t/a"


def test_each_unknown_and_each_missing_key_is_a_problem_of_its_own() -> None:
    schema = {
        "additionalProperties": False,
        "required": ["x", "y"],
        "properties": {"x": {}, "y": {"description": "The y."}},
    }
    assert problems("p: 1\nq: 2\n", schema) == [
        "f:1:1: unknown key 'p'; allowed: x, y",
        "f:2:1: unknown key 'q'; allowed: x, y",
        "f:1:1: missing key 'x'",
        "f:1:1: missing key 'y': The y.",
    ]


def test_defaults_are_filled_in_through_references_and_lists() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/d", "default": {}}, "b": {"items": {"$ref": "#/$defs/d"}}},
        "$defs": {"d": {"properties": {"n": {"default": 3}}}},
    }
    assert with_defaults({"b": [{}, {"n": 1}]}, schema) == {"a": {"n": 3}, "b": [{"n": 3}, {"n": 1}]}


def test_a_default_of_the_branch_that_does_not_apply_is_left_out() -> None:
    schema = {
        "if": {"properties": {"kind": {"const": "x"}}},
        "then": {"properties": {"n": {"default": 1}}},
        "else": {"properties": {"m": {"default": 2}}},
    }
    assert with_defaults({"kind": "y"}, schema) == {"kind": "y", "m": 2}


def test_filling_in_leaves_the_value_and_the_schema_as_they_were() -> None:
    schema = {"properties": {"a": {"default": {}}}}
    value: dict[str, Any] = {}
    with_defaults(value, schema)["a"]["b"] = 1
    assert (value, schema["properties"]["a"]) == ({}, {"default": {}})


def test_walking_gives_each_part_with_its_schema() -> None:
    schema = {"additionalProperties": {"items": {"x-names": "models"}}}
    named = [part.path for part in walk({"a": ["m", "n"]}, schema) if "x-names" in part.schema]
    assert named == [("a", 0), ("a", 1)]


def described(schema: Any, path: str = "") -> list[str]:
    """Paths of the properties without a description."""
    if isinstance(schema, list):
        return [bare for item in schema for bare in described(item, path)]
    if not isinstance(schema, dict):
        return []
    own = [
        f"{path}/{name}"
        for name, sub in schema.get("properties", {}).items()
        if isinstance(sub, dict) and not {"description", "const"} & {*sub}
    ]
    nested = [
        bare
        for key, sub in schema.items()
        if key not in ("if", "examples", "default", "enum")
        for bare in described(sub, f"{path}/{key}")
    ]
    return own + nested


def test_every_key_of_a_study_is_described() -> None:
    assert described(base_schema()) == []
    assert described(study_schema(load_registry())) == []


@pytest.mark.parametrize("registry", SHIPPED)
def test_the_composed_schema_is_a_valid_schema(registry: Any) -> None:
    Draft202012Validator.check_schema(study_schema(registry()))


def composed(text: str) -> list[str]:
    """What an editor would say about a study."""
    schema = study_schema(small_registry())
    return [error.message for error in Draft202012Validator(schema).iter_errors(parse_yaml(text, "f").plain())]


def test_an_editor_sees_the_options_of_the_chosen_plugin() -> None:
    text = "cbtrun: 1\nstudy: s\ntune: {t: {using: sft, base: m, lora: {rnk: 3}}}\nsessions: {using: import, paht: x}\n"
    assert len(composed(text)) == 3
    assert composed(text.replace("rnk", "rank").replace("paht", "path")) == []


def test_an_editor_lets_a_study_that_extends_another_leave_keys_out() -> None:
    assert composed("extends: base.yaml\n") == []
    assert composed("title: t\n") == ["'cbtrun' is a required property", "'study' is a required property"]


@pytest.mark.parametrize("name", sorted(generated_schemas(small_registry())))
def test_the_generated_schema_is_fresh(name: str) -> None:
    committed = files("cbtrun.schemas").joinpath(name).read_text(encoding="utf-8")
    assert committed == generated_schemas(load_registry())[name], f"schemas/{name} is not fresh; run: {REFRESH}"


def test_the_base_names_every_stage() -> None:
    from cbtrun.hookspecs import stage_hooks

    assert set(stage_hooks()) <= set(base_schema()["properties"])
