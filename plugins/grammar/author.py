"""An author without a language model: writes varied therapy sessions from a persona and a session plan.

Answers the messages that `written-course` sends to any author with the JSON that it expects. The same seed gives
the same session. Registers: `cbt`, `supportive` (as long, without structure), `shuffled` (the sentences of `cbt` in
no order and for another patient), and the practice that the study names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import Model, ModelContext, ModelError, Reply, Request, hookimpl
from cbtrun.plugins.personas.whole_persons import whole_person_problems
from cbtrun.plugins.practices.checks import practice_problems
from cbtrun.plugins.practices.named import practice_option

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, Problem
    from cbtrun.plugins.grammar.brief import Brief, Written
    from cbtrun.plugins.practices.practice import Practice


@hookimpl
def fingerprint_files() -> list[Path]:
    """Words and plans that stand in other rooms decide the sessions too."""
    plugins = Path(__file__).parents[1]
    folders = ("grammar/cbt", "grammar/plan", "grammar/supportive", "patients/words")
    return [plugins / folder for folder in folders]


@hookimpl
def options_schema(stage: str) -> Json | None:
    """The practice that it knows besides CBT, if any."""
    if stage != "models":
        return None
    practice = practice_option("A practice whose sessions it can write too; a corpus asks for it as its `register`.")
    return {
        "type": "object",
        "x-embedded": True,
        "x-elsewhere": "model",
        "properties": {"practice": practice},
        "additionalProperties": False,
    }


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """The practice must be there and make sense, and the personas that it writes for have every field."""
    asked = [one for one in context.study.corpora.values() if one.options.get("author") == context.name]
    lacking = [
        problem
        for personas in dict.fromkeys(one.personas for one in asked)
        for problem in whole_person_problems(context, personas, f"the grammar `{context.name}`")
    ]
    return [*practice_problems(context), *lacking]


@hookimpl
def open_model(context: ModelContext) -> Model:
    """The author."""
    from cbtrun.plugins.practices.practice import named_practice

    name = context.options.get("practice")
    return GrammarAuthor(named_practice(name) if name else None)


@dataclass(frozen=True)
class GrammarAuthor:
    """Writes one session for each request."""

    practice: Practice | None = None

    @property
    def identity(self) -> Mapping[str, Any]:
        """Version of the answers; raised when the same request would be answered otherwise."""
        own = {"practice": self.practice.digest} if self.practice else {}
        return {"model": "cbtrun:grammar", "version": 1, **own}

    async def reply(self, request: Request) -> Reply:
        """The session as JSON. Raises ModelError for a request that is no brief."""
        from cbtrun.plugins.grammar.brief import read_brief

        brief = read_brief(request)
        text = self._written(brief, Random(request.seed)).as_json()
        words_in = sum(len(message.content.split()) for message in request.messages)
        return Reply(text, tokens_in=words_in, tokens_out=len(text.split()))

    def _written(self, brief: Brief, rng: Random) -> Written:
        from cbtrun.plugins.grammar.practised import write_practised

        if brief.register_ in registers():
            return registers()[brief.register_](brief, rng)
        if self.practice and brief.register_ == self.practice.practice:
            return write_practised(brief, self.practice, rng)
        known = ", ".join([*registers(), *([self.practice.practice] if self.practice else [])])
        raise ModelError(
            f"the grammar has no register '{brief.register_}'; it knows: {known} (a practice is named by its `practice`)"
        )

    async def close(self) -> None:
        """Nothing is held."""


@cache
def registers() -> Mapping[str, Callable[[Brief, Random], Written]]:
    """Register -> what writes a session in it."""
    from cbtrun.plugins.grammar.course import write_cbt
    from cbtrun.plugins.grammar.shuffle import write_shuffled
    from cbtrun.plugins.grammar.warm import write_supportive

    return {"cbt": write_cbt, "supportive": write_supportive, "shuffled": write_shuffled}
