"""Numbers that a schema allows are numbers that a machine can do something with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

import pytest

from cbtrun.contract.bounds import MOST, bounded, is_number
from cbtrun.contract.stage_kinds import PLUGGED
from cbtrun.documents.schema import schema_problems
from cbtrun.errors import Place
from cbtrun.registry import load_registry
from cbtrun.study.study_schema import base_schema, block_schema
from cbtrun.testing.projects import StudyProject
from tests.helpers.excerpts import without_excerpts
from tests.helpers.network_studies import STUDY as NETWORK

Make = Callable[[Mapping[str, str]], StudyProject]
STUDY = """\
cbtrun: 1
study: large
seed: 99999999999999999999999
models:
  patient: {using: scripted-patient}
  author: {using: grammar}
  tiny: {using: transformers, model: "cbtrun:tiny", threads: 100000, max_tokens: 10000000000000000000000}
personas:
  train: {using: sampled, attributes: depression, count: 1000000000000}
  eval: {using: sampled, attributes: depression, count: 3}
corpus: {c: {using: written-course, author: author, personas: train, course: depression-20}}
tune: {j: {using: sft, base: tiny, corpus: c, devices: 1000, seeds: [4294967296], learning_rate: .nan, epochs: .inf}}
arms: {one: {therapist: j}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 512000000000}
"""
LARGE = [
    "study.yaml:3:7: seed: expected at most 9223372036854775807, got 99999999999999999999999",
    "study.yaml:7:62: models/tiny/threads: expected at most 256, got 100000",
    "study.yaml:7:82: models/tiny/max_tokens: expected at most 10000000, got 10000000000000000000000",
    "study.yaml:12:56: tune/j/devices: expected at most 64, got 1000",
    "study.yaml:12:70: tune/j/seeds/0: expected at most 4294967295, got 4294967296",
    "study.yaml:12:98: tune/j/learning_rate: expected a number, got .nan",
    "study.yaml:12:112: tune/j/epochs: expected a number, got .inf",
    "study.yaml:14:74: sessions/max_turns: expected at most 10000, got 512000000000",
]
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


def test_numbers_that_no_machine_can_do_are_refused_with_their_lines(study_project: Make) -> None:
    outcome = study_project({"study.yaml": STUDY}).run("validate", "study.yaml")
    assert outcome.code == 2
    told = without_excerpts(outcome.err).splitlines()
    assert [line for line in told if "count" not in line] == [*LARGE, f"{len(LARGE) + 1} problems; nothing was run."]


def test_what_comes_to_too_much_in_all_is_refused_with_what_makes_it_so(study_project: Make) -> None:
    project = study_project({"study.yaml": NETWORK})
    many = project.run("plan", "study.yaml", "--set", "personas.eval.count=100000", "--set", "sessions.repeats=10000")
    assert many.code == 2
    assert (
        "--set sessions.repeats: sessions/repeats: comes to 2,000,000,000 sessions in all"
        " (100,000 personas x 2 arms and seeds x 10,000 repeats); at most 10,000,000"
    ) in many.err
    rated = project.run(
        "validate", "study.yaml", "--set", "personas.eval.count=100000", "--set", "ratings.ctrs.repeats=100"
    )
    assert "comes to 20,000,000 ratings in all (200,000 sessions x 100 repeats)" in rated.err
