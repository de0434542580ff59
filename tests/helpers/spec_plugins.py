"""A registry of small plugins for tests of the study file: one for each stage, none of them does anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pluggy

from cbtrun import hookspecs
from cbtrun.contexts import BlockContext
from cbtrun.contract.records import Json
from cbtrun.errors import Problem
from cbtrun.hookspecs import hookimpl
from cbtrun.registry import Registry
from tests.helpers.places import TESTS

GOLDEN = TESTS / "golden" / "spec"
NUMBER, WHOLE, TEXT = {"type": "number"}, {"type": "integer", "minimum": 1}, {"type": "string"}


def named(*kinds: str) -> Json:
    """A string that names one of these kinds."""
    return {"type": "string", "x-names": kinds[0] if len(kinds) == 1 else list(kinds)}


def listed(schema: Json) -> Json:
    """A list of such values, at least one."""
    return {"type": "array", "items": schema, "minItems": 1}


def options(required: str, **properties: Any) -> Json:
    """Options of a block; `required` holds names with spaces between."""
    return {"type": "object", "required": required.split(), "properties": properties, "additionalProperties": False}


def echo() -> object:
    """A model with an address that may hold a variable."""

    class Echo:
        @hookimpl
        def options_schema(self) -> Json | None:
            temperature = {"type": "number", "minimum": 0, "maximum": 2, "default": 0.7}
            return options("", temperature=temperature, address={"type": "string", "x-env": True}, prefix=TEXT)

        @hookimpl
        def open_model(self, context: object) -> None: ...

    return Echo()


def drawn() -> object:
    """A persona set from attributes that are shipped or in a file."""

    class Drawn:
        @hookimpl
        def options_schema(self) -> Json | None:
            return options("count", count=WHOLE, attributes=named("shipped", "file"), disjoint_from=named("personas"))

        @hookimpl
        def make_personas(self, context: object) -> None: ...

    return Drawn()


def written() -> object:
    """A corpus that a model writes, or that stands in a folder."""

    class Written:
        @hookimpl
        def options_schema(self) -> Json | None:
            return options("", author=named("models"), personas=named("personas"), folder=named("folder"))

        @hookimpl
        def make_corpus(self, context: object) -> None: ...

    return Written()


def sft() -> object:
    """A fine-tuning job with nested options and defaults."""

    class Sft:
        @hookimpl
        def options_schema(self) -> Json | None:
            lora = {"$ref": "#/$defs/lora", "default": {}}
            rate = {"type": "number", "exclusiveMinimum": 0, "default": 1e-4}
            schema = options(
                "base", base=named("models"), corpus=named("corpus"), lora=lora, learning_rate=rate, seeds=listed(WHOLE)
            )
            return {**schema, "$defs": {"lora": options("", rank={**WHOLE, "default": 8}, alpha=NUMBER)}}

        @hookimpl
        def tune_model(self, context: object) -> None: ...

    return Sft()


def dialogue() -> object:
    """Simulated sessions; finds an odd number of turns wrong."""

    class Dialogue:
        @hookimpl
        def options_schema(self) -> Json | None:
            turns = {**WHOLE, "default": 24}
            end = {"enum": ["farewell", "limit"], "default": "limit"}
            return options("patient", patient=named("models"), personas=named("personas"), max_turns=turns, end=end)

        @hookimpl
        def check_block(self, context: BlockContext) -> list[Problem]:
            return [context.problem("an odd number of turns", "max_turns")] if context.options["max_turns"] % 2 else []

        @hookimpl
        def run_sessions(self, context: object) -> None: ...

    return Dialogue()


def imported() -> object:
    """Sessions from a file."""

    class Import:
        @hookimpl
        def options_schema(self) -> Json | None:
            mapping = {"type": "object", "additionalProperties": TEXT, "default": {}}
            return options("path", path=named("file"), factors=mapping)

        @hookimpl
        def run_sessions(self, context: object) -> None: ...

    return Import()


def rubric() -> object:
    """Ratings on a rubric; brings one."""

    class Rubric:
        @hookimpl
        def options_schema(self) -> Json | None:
            return options("rubric raters", rubric=named("rubrics"), raters=listed(named("models")))

        @hookimpl
        def rate_sessions(self, context: object) -> None: ...

        @hookimpl
        def rubric_folders(self) -> Path:
            return GOLDEN / "rubrics"

    return Rubric()


def paired() -> object:
    """An analysis of two levels."""

    class Paired:
        @hookimpl
        def options_schema(self) -> Json | None:
            levels = {"type": "array", "items": named("level")}
            tests = {"type": "array", "items": {"enum": ["t", "wilcoxon"]}, "uniqueItems": True}
            alpha = {"type": "number", "exclusiveMaximum": 1}
            return options(
                "outcome factor",
                outcome=named("outcome"),
                factor=named("factors"),
                levels=levels,
                tests=tests,
                alpha=alpha,
            )

        @hookimpl
        def analyse(self, context: object) -> None: ...

    return Paired()


def html() -> object:
    """A report without options."""

    class Html:
        @hookimpl
        def write_report(self, context: object) -> None: ...

    return Html()


def small_registry(**more: object) -> Registry:
    """The plugins above, and any others by name."""
    manager = pluggy.PluginManager("cbtrun")
    manager.add_hookspecs(hookspecs)
    shipped = {
        "echo": echo(),
        "drawn": drawn(),
        "written": written(),
        "sft": sft(),
        "dialogue": dialogue(),
        "import": imported(),
        "rubric": rubric(),
        "paired": paired(),
        "html": html(),
    }
    for name, plugin in {**shipped, **more}.items():
        manager.register(plugin, name)
    return Registry(manager)
