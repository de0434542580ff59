"""`thinking:` in the words of Anthropic's and Google's own APIs, by the generation of the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cbtrun.plugin import AnswerMode, ModelError, thinking_room
from cbtrun.plugins.remote_models.thinking_fields import always_thinks

CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2}))?(?!\d)")
GEMINI = re.compile(r"(?:models/)?gemini-(\d+)(?:\.(\d+))?")
ADAPTIVE = (4, 6)
"""Claude from this version on decides itself how much it thinks, and is told an effort."""
FIRST_CLAUDE, FIRST_GEMINI = (3, 7), (2, 5)
"""The first of each that think."""
HELD_TO_SCHEMA = (4, 5)
"""Claude from this version on can be held to a schema."""
LEAST_BUDGET = 1024
"""Tokens; Claude takes no smaller budget."""


def claude_answers(options: Mapping[str, Any]) -> AnswerMode:
    """How Claude gives structured answers: by a tool, which a model that thinks cannot be made to call."""
    if options.get("thinking") in (None, "off"):
        return "TOOLS"
    return "JSON_SCHEMA" if _version(CLAUDE, options["model"]) >= HELD_TO_SCHEMA else "JSON"


def claude_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """`thinking` and `output_config` of a request. Raises ModelError for what the model does not take."""
    wanted, version = options.get("thinking"), _version(CLAUDE, options["model"])
    if wanted is None:
        return {}
    if version < FIRST_CLAUDE:
        return _none(wanted, options["model"])
    if wanted == "off":
        return {"thinking": {"type": "disabled"}}
    if options.get("temperature") not in (None, 1):
        raise ModelError("and temperature exclude each other: Claude takes none while it thinks")
    if options.get("answers") == "TOOLS":
        raise ModelError("and answers: TOOLS exclude each other: Claude cannot be made to call a tool while it thinks")
    if version >= ADAPTIVE:
        if isinstance(wanted, int):
            raise ModelError(
                "is a number of tokens, and this Claude decides itself; it takes off, on, low, medium, high"
            )
        effort = {} if wanted == "on" else {"output_config": {"effort": wanted}}
        return {"thinking": {"type": "adaptive"}, **effort}
    if (budget := thinking_room(options)) < LEAST_BUDGET:
        raise ModelError(f"is {budget} tokens, and the least that Claude takes is {LEAST_BUDGET:,}")
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def gemini_config(options: Mapping[str, Any]) -> dict[str, Any]:
    """`thinking_config` of a request. Raises ModelError for what the model does not take."""
    wanted, version = options.get("thinking"), _version(GEMINI, options["model"])
    if wanted is None:
        return {}
    if version < FIRST_GEMINI:
        return _none(wanted, options["model"])
    if wanted == "off":
        if why := always_thinks(options["model"].removeprefix("models/")):
            raise ModelError(f"cannot be off for '{options['model']}': {why}")
        return {"thinking_config": {"thinking_budget": 0}}
    shown = {"include_thoughts": True}
    if version >= (3, 0):
        if isinstance(wanted, int):
            raise ModelError("is a number of tokens, and this Gemini takes on, low, medium, high")
        return {"thinking_config": shown if wanted == "on" else {**shown, "thinking_level": wanted.upper()}}
    budget = -1 if wanted == "on" else thinking_room(options)  # -1: as much as the model thinks fit
    return {"thinking_config": {**shown, "thinking_budget": budget}}


def _none(wanted: str | int, model: str) -> dict[str, Any]:
    if wanted != "off":
        raise ModelError(f"is {wanted}, and '{model}' does not think")
    return {}


def _version(names: re.Pattern[str], model: str) -> tuple[int, int]:
    """(4, 6) of `claude-opus-4-6`; the newest for a name that says none."""
    found = names.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)
