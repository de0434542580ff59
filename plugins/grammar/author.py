"""An author without a language model: writes varied therapy sessions from a persona and a session plan.

Answers the messages that `written-course` sends to any author with the JSON that it expects. The same seed gives
the same session. Registers: `cbt`, `supportive` (as long, without structure), `shuffled` (the sentences of `cbt` in
no order and for another patient).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from cbtrun.hookspecs import hookimpl
from cbtrun.models import Model, Reply, Request
from cbtrun.plugins.personas.attributes import attribute_files

if TYPE_CHECKING:
    from cbtrun.plugins.grammar.brief import Brief, Written
    from cbtrun.records import Json


def fingerprint_files() -> list[Path]:
    """The words and plans decide the sessions too; the other patient of `shuffled` comes from the attributes."""
    plugins = Path(__file__).parents[1]
    folders = ("grammar/cbt", "grammar/plan", "grammar/supportive", "patients/words")
    return [file for folder in folders for file in sorted((plugins / folder).glob("*.yaml"))] + attribute_files()


@hookimpl
def options_schema(stage: str) -> Json | None:
    """The grammar takes no options."""
    if stage != "models":
        return None
    return {"type": "object", "properties": {}, "additionalProperties": False}


@hookimpl
def open_model() -> Model:
    """The author."""
    return GrammarAuthor()


class GrammarAuthor:
    """Writes one session for each request."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Version of the answers; raised when the same request would be answered otherwise."""
        return {"model": "cbtrun:grammar", "version": 1}

    async def reply(self, request: Request) -> Reply:
        """The session as JSON. Raises ModelError for a request that is no brief."""
        from cbtrun.plugins.grammar.brief import read_brief

        brief = read_brief(request)
        text = registers()[brief.register_](brief, Random(request.seed)).as_json()
        words_in = sum(len(message.content.split()) for message in request.messages)
        return Reply(text, tokens_in=words_in, tokens_out=len(text.split()))

    async def close(self) -> None:
        """Nothing is held."""


@cache
def registers() -> Mapping[str, Callable[[Brief, Random], Written]]:
    """Register -> what writes a session in it."""
    from cbtrun.plugins.grammar.course import write_cbt
    from cbtrun.plugins.grammar.shuffle import write_shuffled
    from cbtrun.plugins.grammar.warm import write_supportive

    return {"cbt": write_cbt, "supportive": write_supportive, "shuffled": write_shuffled}
