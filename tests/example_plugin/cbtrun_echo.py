"""A package by somebody else: a model and the watching of stages, in one file of fifty lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.plugin import BlockContext, Model, ModelContext, ModelError, Problem, Reply, Request, StageNote, hookimpl


@dataclass(frozen=True)
class Echo:
    """Says back the patient's last words and asks on."""

    ask: str

    @property
    def identity(self) -> Mapping[str, Any]:
        """What decides an answer, besides the request."""
        return {"using": "echo", "version": "0.1.0", "ask": self.ask}

    async def reply(self, request: Request) -> Reply:
        """The answer. Raises ModelError when nothing was said."""
        if not request.messages:
            raise ModelError("echo: there is nothing to say back")
        heard = [message.content for message in request.messages if message.role == "user"]
        text = f"You say: {heard[-1]} {self.ask}" if heard else "Hello. What would you like to talk about?"
        return Reply(text, tokens_out=len(text.split()))

    async def close(self) -> None:
        """Nothing is held."""


@hookimpl
def options_schema(stage: str) -> dict[str, Any] | None:
    """What a study may write under `models: {x: {using: echo}}`."""
    if stage != "models":
        return None
    ask = {"type": "string", "default": "Tell me more?", "description": "What it asks after saying back."}
    return {"type": "object", "additionalProperties": False, "properties": {"ask": ask}}


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """A question ends in a question mark."""
    asks = context.options["ask"].endswith("?")
    return [] if asks else [context.problem("a question ends in '?'", "ask")]


@hookimpl
def rubric_folders() -> Path:
    """The rubrics beside this file, where there are any."""
    return Path(__file__).parent / "rubrics"


@hookimpl
def open_model(context: ModelContext) -> Model:
    """The model of one block."""
    return Echo(context.options["ask"])


@hookimpl
def stage_finished(note: StageNote) -> None:
    """Watch: say that a stage is over."""
    print(f"echo saw {note.stage}: {note.state}", file=sys.stderr)
