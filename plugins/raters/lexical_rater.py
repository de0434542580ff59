"""`lexical-rater`: a rater that counts what the rubric's signals name. It is asked, and answers, as a model would be.

What it does not do: understand. It sees words, never what they mean, and needs no network, key or GPU.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ModelContext, ModelError, Reply, Request, hookimpl

if TYPE_CHECKING:
    from cbtrun.plugin import Json, Rubric
    from cbtrun.plugins.raters.lexical_turns import SpokenTurn

ENGLISH = ("en",)
_RUBRIC_LINE = re.compile(r"^Rubric: .*\(([0-9a-f]+)\)\s*$", re.MULTILINE)
_ITEMS_LINE = re.compile(r"^Items: (.+)$", re.MULTILINE)
_TRANSCRIPT = re.compile(r"^<transcript>\s*\n(.*?)^</transcript>\s*$", re.MULTILINE | re.DOTALL)


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Which languages its rubrics' signals are written for; what is measured stands in the rubric."""
    if stage != "models":
        return None
    return {
        "type": "object",
        "x-embedded": True,
        "x-elsewhere": "model",
        "description": "Rates by counting the signals that the rubric's YAML names: English words, in all that ship.",
        "properties": {
            "languages": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"type": "string", "pattern": "^[a-z]{2,3}$", "x-expected": "a code of ISO 639, such as en"},
                "default": ["en"],
                "description": "Languages of the signals, as codes of ISO 639. Sessions in another one are left unscored, "
                "with that reason; name it here where a rubric of yours has signals in it.",
            }
        },
        "additionalProperties": False,
    }


@hookimpl
def open_model(context: ModelContext) -> LexicalRater:
    """A rater that knows the study's rubrics."""
    return LexicalRater(context.rubrics, tuple(context.options.get("languages") or ENGLISH))


@dataclass(frozen=True)
class LexicalRater:
    """Answers rating requests by measuring."""

    rubrics: Mapping[str, Rubric]
    """By digest."""
    languages: tuple[str, ...] = ENGLISH
    """What its signals are written for: it counts no word of another language, and would call that a low score."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """The rater's kind; the code that measures is told apart by the engine, as for every embedded model."""
        return {"model": "lexical-rater"}

    async def reply(self, request: Request) -> Reply:
        """The scores as JSON text. Raises ModelError when the request is not a rating request it can read."""
        from cbtrun.plugins.raters.lexical_scores import score_items

        asked = _asked(request)
        rubric = _rubric(asked, self.rubrics)
        scores = score_items(rubric, _turns(asked), _items(asked, rubric))
        return Reply(text=json.dumps({"items": scores}, ensure_ascii=False))

    async def close(self) -> None:
        """Nothing is held."""


def _asked(request: Request) -> str:
    """The last user message that asks for a rating; later ones are requests to repair an answer."""
    for message in reversed(request.messages):
        if message.role == "user" and _RUBRIC_LINE.search(message.content):
            return message.content
    raise ModelError("lexical-rater: no user message with a line 'Rubric: <name> <version> (<digest>)'; it only rates")


def _rubric(asked: str, rubrics: Mapping[str, Rubric]) -> Rubric:
    found = _RUBRIC_LINE.search(asked)
    digest = found.group(1) if found else ""
    matching = [rubric for known, rubric in rubrics.items() if digest and known.startswith(digest)]
    if len(matching) != 1:
        raise ModelError(f"lexical-rater: no rubric of the study has the digest {digest}")
    return matching[0]


def _items(asked: str, rubric: Rubric) -> Sequence[str]:
    found = _ITEMS_LINE.search(asked)
    wanted = [id.strip() for id in found.group(1).split(",")] if found else [item.id for item in rubric.items]
    known = {item.id for item in rubric.items}
    if unknown := [id for id in wanted if id not in known]:
        raise ModelError(f"lexical-rater: rubric {rubric.name} has no item {', '.join(unknown)}")
    return wanted


def _turns(asked: str) -> list[SpokenTurn]:
    from cbtrun.plugins.raters.lexical_turns import SpokenTurn

    found = _TRANSCRIPT.search(asked)
    if found is None:
        raise ModelError("lexical-rater: no transcript between the lines <transcript> and </transcript>")
    try:
        lines = [json.loads(line) for line in found.group(1).splitlines() if line.strip()]
        return [SpokenTurn(int(line["turn"]), line["speaker"], line["text"]) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"lexical-rater: a line of the transcript is not {{turn, speaker, text}}: {error}") from None
