"""`vllm`: a local model in vLLM's engine, in this process's charge: a base or a base with a LoRA adapter.

Prompts are rendered by the same code as in training, never by vLLM. Nothing that comes with a model is executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    ChatMessage,
    ContextRoom,
    EngineShare,
    ModelContext,
    ModelError,
    Reply,
    Request,
    hookimpl,
    statements_digest,
    thinking_room,
)
from cbtrun.plugins.local_models.packages import built_with
from cbtrun.plugins.vllm_models.engine_arguments import CHOSEN_HERE
from cbtrun.plugins.vllm_models.options import DECIDING, SCHEMA, engine_key
from cbtrun.plugins.vllm_models.requirements import lacking

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, Problem
    from cbtrun.plugins.local_models.model_files import ModelFiles
    from cbtrun.plugins.vllm_models.shared_engine import SharedEngine

SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty")
SOURCES = (
    "vllm_models.vllm_model",
    "vllm_models.engine",
    "local_models.chat_format",
    "local_models.chat_template",
    "local_models.chat_marks",
    "local_models.plain_words",
    "local_models.trained_turns",
    "local_models.template_thinking",
    "local_models.spoken_format",
    "local_models.reply_text",
)
"""Modules that decide a reply."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `models`."""
    return SCHEMA if stage == "models" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """A model that is not there or asks for code, and arguments of the engine that options of their own set."""
    if context.stage != "models":
        return []
    from cbtrun.plugins.local_models.model_files import model_problems

    problems = model_problems(context, weights=context.options["load_format"] != "dummy")
    if context.options.get("thinking") is not None:  # Jinja takes a tenth of a second to import
        from cbtrun.plugins.local_models.template_thinking import thinking_problems

        problems += thinking_problems(context)
    taken = sorted({*CHOSEN_HERE} & {*context.options["engine"]})
    return problems + [
        context.problem(f"'{name}' is set by cbtrun or by an option of its own", "engine", name) for name in taken
    ]


@hookimpl
def check_before_run(context: BlockContext) -> list[Problem]:
    """A `thinking` that the template of a model on the hub cannot follow."""
    if context.stage != "models" or context.options.get("thinking") is None:
        return []
    from cbtrun.plugins.local_models.template_thinking import thinking_problems

    return thinking_problems(context, fetch=True)


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """The extra and a GPU, where they are missing."""
    if context.stage != "models":
        return []
    from cbtrun.plugins.local_models import gguf_model

    return lacking(context.options) + gguf_model.lacking(context.options)


@hookimpl
def engine_of(context: ModelContext) -> EngineShare:
    """The engine that serves a block, and what it takes of the GPU."""
    options = context.options
    return EngineShare(engine_key(options), float(options["gpu_memory_utilization"]), options["tensor_parallel_size"])


@hookimpl
def open_model(context: ModelContext) -> VllmModel:
    """The model; its engine opens with the first reply. Raises ModelError when files are missing."""
    from cbtrun.plugins.local_models.gguf_model import weights_named
    from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer
    from cbtrun.plugins.local_models.trained_prompt import refuse_another_template
    from cbtrun.plugins.vllm_models.shared_engine import join_engine

    options = context.options
    files = find_model(weights_named(options), options.get("revision"), weights=options["load_format"] != "dummy")
    key = engine_key(options)
    adapters = [one.folder for one in context.adapters if engine_key(one.base) == key]
    adapters += [context.adapter] if context.adapter and context.adapter not in adapters else []
    tokenizer = load_tokenizer(files)
    if context.adapter:
        refuse_another_template(tokenizer, Path(context.adapter))
    elsewhere = None
    if context.workplace is not None:
        from cbtrun.plugins.vllm_models.elsewhere import EngineElsewhere

        elsewhere = partial(EngineElsewhere, context.workplace, key, options, files.digest)
    shared = join_engine(context.shared, key, files.source, options, adapters, elsewhere)
    return VllmModel(context, files, tokenizer, shared)


class VllmModel:
    """A model in an engine that it may share."""

    def __init__(self, context: ModelContext, files: ModelFiles, tokenizer: Any, shared: SharedEngine) -> None:
        from cbtrun.plugins.local_models.chat_format import turn_ends
        from cbtrun.plugins.local_models.model_files import generation_ends
        from cbtrun.plugins.local_models.spoken_format import spoken_format

        options = context.options
        self.identity: Mapping[str, Any] = {
            "plugin": "vllm",
            "model": files.public_name,
            "weights": files.digest or tokenizer.init_kwargs.get("_commit_hash") or files.revision,
            "adapter": context.adapter_digest,
            **{name: options.get(name) for name in DECIDING},
            **({"thinking": options["thinking"]} if options.get("thinking") and not context.adapter else {}),
        }
        self.code = _code()
        self._built = built_with("cuda", "vllm", "transformers", "torch")
        self._tokenizer, self._options, self._shared = tokenizer, options, shared
        self._adapter, self._adapter_digest = context.adapter, context.adapter_digest
        if self._adapter_digest is not None:
            shared.speaking[self._adapter_digest] += 1
        tuned = context.adapter is not None
        self._room = 0 if tuned else thinking_room(options)
        self._format = spoken_format(tokenizer, options, tuned=tuned)
        ends = turn_ends(tokenizer, channels=not tuned) | generation_ends(files) | self._format.ends
        self._ends: frozenset[int] = frozenset() if options["ignore_end"] else frozenset(ends)

    @property
    def room(self) -> ContextRoom:
        """What the engine's cache holds, shared by all models on it."""
        return self._shared.room

    async def reply(self, request: Request) -> Reply:
        """The model's answer. Raises ModelError for a prompt that leaves no room within `max_model_len`."""
        from cbtrun.plugins.local_models.reply_text import reply_text
        from cbtrun.plugins.vllm_models.engine import Asked

        prompt = self._prompt(request)
        left = self._options["max_model_len"] - len(prompt)
        asked = Asked(
            prompt=prompt,
            max_tokens=min((request.max_tokens or self._options["max_tokens"]) + self._room, left),
            seed=request.seed & (2**63 - 1),
            sampling={name: self._options[name] for name in SAMPLING},
            ends=self._ends,
            stop=request.stop,
            schema=request.schema,
            adapter=self._adapter,
            adapter_digest=self._adapter_digest,
        )
        draw = request.draw
        made = await self._shared.make(asked, f"{draw.role}|{draw.subject}|{draw.repeat}|{self._adapter_digest or ''}")
        structured = request.schema is not None
        text = made.text if request.stop else reply_text(self._tokenizer, prompt, made.tokens, structured=structured)
        served = str(self.identity["model"])
        counts = (len(prompt), len(made.tokens))
        return Reply(text.strip(), *counts, finish=made.finish, served=served, fingerprint=self._built)

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """Tokens of a prompt of these messages."""
        return len(self._prompt_ids(messages))

    async def close(self) -> None:
        """Leave the engine; the last model on it ends it."""
        await self._shared.leave(self._adapter_digest)

    def _prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        return self._format.prompt_ids(messages)

    def _prompt(self, request: Request) -> list[int]:
        ids = self._prompt_ids(request.messages)
        longest = self._options["max_model_len"]
        if len(ids) >= longest:
            raise ModelError(f"the prompt has {len(ids)} tokens and max_model_len is {longest}: no room for a reply")
        return ids


@cache
def _code() -> str:
    return statements_digest(f"cbtrun.plugins.{name}" for name in SOURCES)
