"""`quick-vllm`: the `vllm` plugin on an engine that answers at once, so that what is left is the driver's own work.

Prompts are rendered and tokenised, replies read, keys made and rows kept as with a real engine; the tokens of a reply are a
therapist's line that was drawn by the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cbtrun.contract.models import ContextRoom, EngineShare, Model, ModelContext
from cbtrun.contract.records import Json
from cbtrun.hookspecs import hookimpl
from cbtrun.plugins.vllm_models import vllm_model
from cbtrun.plugins.vllm_models.engine import Asked, Made
from cbtrun.plugins.vllm_models.options import SCHEMA

LINES = (
    "Hello, I am glad that you are here. How would you rate your mood today, from zero to ten?",
    "What happened this week that you would like to put on our agenda?",
    "So you stayed in bed and thought that you always fail. What went through your mind just then?",
    "How strong was that feeling, from zero to a hundred percent?",
    "What speaks for that thought, and what speaks against it?",
    "If a friend told you the same, what would you say to them?",
    "That sounds hard. I can hear how tired you are of it.",
    "What would be a fairer way to put it?",
    "Could you try to write the thought down when it comes, and look for evidence, until next time?",
    "You said that nothing ever works out. When did something work out, even a little?",
    "What did you do then, and how did you feel after it?",
    "Let me sum up what we have found so far. Does that fit?",
    "How was the session for you today?",
)


@dataclass
class QuickEngine:
    """Answers at once."""

    tokenizer: Any
    room: ContextRoom = field(default_factory=lambda: ContextRoom(10**9))
    users: int = 1

    async def make(self, asked: Asked, session: str = "") -> Made:
        """A line, by the prompt's length."""
        line = LINES[(len(asked.prompt) + asked.seed) % len(LINES)]
        tokens = self.tokenizer(line, add_special_tokens=False)["input_ids"]
        return Made(tuple(tokens), "", "stop", 0)

    async def leave(self) -> None:
        """Nothing is held."""


class Plugin:
    """`quick-vllm`."""

    @hookimpl
    def options_schema(self, stage: str) -> Json | None:
        """The plugin's own."""
        return SCHEMA if stage == "models" else None

    @hookimpl
    def engine_of(self, context: ModelContext) -> EngineShare:
        """As the plugin."""
        return vllm_model.engine_of(context)

    @hookimpl
    def open_model(self, context: ModelContext) -> Model:
        """The plugin's model on an engine that is none."""
        from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer

        options: Mapping[str, Any] = context.options
        files = find_model(options["model"])
        tokenizer = load_tokenizer(files)
        return vllm_model.VllmModel(context, files, tokenizer, QuickEngine(tokenizer))  # type: ignore[arg-type]
