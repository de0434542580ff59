"""Numbers that a schema allows are numbers that a machine can do something with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from cbtrun.contract.bounds import MOST, bounded, is_number
from cbtrun.contract.stage_kinds import PLUGGED
from cbtrun.documents.schema import schema_problems
from cbtrun.errors import Place
from cbtrun.registry import load_registry
from cbtrun.study.study_schema import base_schema, block_schema

REGISTRY = load_registry()
BLOCKS = {f"{stage}.{using}": (stage, using) for stage in PLUGGED for using in REGISTRY.names(stage)}
FILES = sorted(path.name for path in files("cbtrun.schemas").iterdir() if path.name.endswith(".json"))


def numbers(part: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema of a number in a schema, with the key that it stands under."""
    if isinstance(part, list):
        for one in part:
            yield from numbers(one, name)
    elif isinstance(part, dict):
        if is_number(part):
            yield name, part
        for key, inner in part.items():
            if key == "properties":
                for child, value in inner.items():
                    yield from numbers(value, child)
            elif key not in ("default", "enum", "const", "examples", "required") and not key.startswith("x-"):
                yield from numbers(inner, name)


def unbounded(schema: Any) -> list[str]:
    """Keys whose numbers have no least or no largest value."""
    lows, highs = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
    return [name for name, part in numbers(schema) if not (lows & {*part} and highs & {*part})]


@pytest.mark.parametrize("name", FILES)
def test_every_number_of_a_schema_file_has_bounds(name: str) -> None:
    assert unbounded(json.loads(files("cbtrun.schemas").joinpath(name).read_text(encoding="utf-8"))) == []


def test_every_number_of_the_study_and_of_every_block_has_bounds() -> None:
    assert unbounded(base_schema()) == []
    for stage, using in BLOCKS.values():
        assert unbounded(block_schema(stage, REGISTRY.schema(stage, using))) == [], f"{stage}: {using}"


def test_no_shipped_option_rests_on_the_widest_bounds() -> None:
    for stage, using in BLOCKS.values():
        for name in unbounded(REGISTRY.schema(stage, using)):
            assert name in MOST, f"{stage}: {using}: put '{name}' into runner/contract/bounds.py, or give it a maximum"


def test_a_number_of_another_plugin_that_states_no_bounds_has_the_widest() -> None:
    schema = bounded({"type": "object", "properties": {"ours": {"type": "integer", "minimum": 1, "default": 10**30}}})
    assert schema["properties"]["ours"] == {"type": "integer", "minimum": 1, "default": 10**30, "maximum": 2**63 - 1}
    (problem,) = schema_problems({"ours": 10**22}, schema, lambda *path, key=False: Place("s.yaml", 7))  # noqa: ARG005
    assert problem.what == f"expected at most {2**63 - 1}, got {10**22}"


def test_defaults_lie_within_their_bounds() -> None:
    for stage, using in BLOCKS.values():
        for name, part in numbers(block_schema(stage, REGISTRY.schema(stage, using))):
            if (default := part.get("default")) is not None:
                assert schema_problems(default, part, lambda *path, key=False: Place("s.yaml")) == [], name  # noqa: ARG005
