"""`transformers`: a local model through Hugging Face transformers, a base or a base with a LoRA adapter.

Replies that wait at the same moment are generated together (see fixed_shape for why that changes no bit of them).
Nothing that comes with a model is executed: weights are safetensors, `trust_remote_code` is off and cannot be set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    ChatMessage,
    ModelContext,
    ModelError,
    Reply,
    Request,
    hookimpl,
    statements_digest,
    thinking_room,
)
from cbtrun.plugins.local_models.gguf_model import GGUF_FILE, lacking, weights_named
from cbtrun.plugins.local_models.gpu_tenants import make_room
from cbtrun.plugins.local_models.model_files import (
    ModelFiles,
    find_model,
    load_base,
    load_tokenizer,
    model_problems,
    torch_device,
)
from cbtrun.plugins.local_models.packages import built_with
from cbtrun.plugins.local_models.row_cache import ATTENTION, register_row_attention
from cbtrun.plugins.local_models.row_sampling import Sampling
from cbtrun.plugins.local_models.sampling_options import SAMPLING
from cbtrun.plugins.thinking.option import THINKING

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, Problem
    from cbtrun.plugins.local_models.elsewhere import ModelElsewhere
    from cbtrun.plugins.local_models.fixed_shape import Generator

SCHEMA: Json = {
    "type": "object",
    "required": ["model"],
    "additionalProperties": False,
    "x-weights": True,
    "x-elsewhere": "model",
    "properties": {
        "model": {
            "type": "string",
            "minLength": 1,
            "description": "`cbtrun:tiny` (embedded), a local folder, or a model's name on the Hugging Face hub.",
        },
        "revision": {
            "type": "string",
            "x-rehearsal": {"drop": True},
            "description": "Commit, tag or branch on the hub; give a commit for a study that others can repeat.",
        },
        "gguf_file": GGUF_FILE,
        "dtype": {
            "enum": ["float32", "bfloat16", "float16"],
            "default": "float32",
            "x-rehearsal": {"as": "float32"},
            "description": "Number format of the weights.",
        },
        "device": {
            "enum": ["cpu", "cuda", "auto"],
            "default": "auto",
            "x-rehearsal": {"as": "cpu"},
            "description": "Where it runs; `auto` takes a GPU where there is one.",
        },
        "threads": {
            "type": "integer",
            "minimum": 1,
            "default": 2,
            "x-rehearsal": {"most": 1},
            "description": "CPU threads. Two on a busy machine can be slower than one.",
        },
        "group": {
            "type": "integer",
            "minimum": 8,
            "multipleOf": 8,
            "default": 24,
            "x-rehearsal": {"most": 8},
            "description": "Rows generated together, always so many. In eights: last rows of others had other bits.",
        },
        "max_length": {
            "type": "integer",
            "minimum": 16,
            "default": 2048,
            "x-rehearsal": {"most": 1024},
            "description": "Most tokens of prompt and reply together; a longer prompt is refused, never cut.",
        },
        "max_tokens": {
            "type": "integer",
            "minimum": 1,
            "default": 128,
            "x-rehearsal": {"most": 24},
            "description": "Most new tokens of a reply, where the request does not say.",
        },
        **SAMPLING,
        "thinking": THINKING,
        "prefix_mib": {
            "type": "integer",
            "minimum": 0,
            "default": 512,
            "description": "Memory (MiB) that keeps what prompts have in common: a turn then reads only its new words.",
        },
    },
}
PIECE = 64
"""Tokens of a prompt that are read at a time."""
SOURCES = (
    "transformers_model",
    "fixed_shape",
    "row_cache",
    "row_sampling",
    "chat_format",
    "chat_template",
    "chat_marks",
    "plain_words",
    "trained_turns",
    "template_thinking",
    "spoken_format",
    "reply_text",
    "model_files",
    "same_everywhere",
)
"""Modules of this folder that decide a reply: a changed statement in one of them, and no reply of before is replayed."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `models`."""
    return SCHEMA if stage == "models" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """A model that is not there, or that asks for more than to be read."""
    return [*model_problems(context), *_thinking_problems(context)] if context.stage == "models" else []


def _thinking_problems(context: BlockContext) -> list[Problem]:
    """Of a block that says something: Jinja takes a tenth of a second to import."""
    if context.options.get("thinking") is None:
        return []
    from cbtrun.plugins.local_models.template_thinking import thinking_problems

    return thinking_problems(context)


@hookimpl
def check_before_run(context: BlockContext) -> list[Problem]:
    """A `thinking` that the template of a model on the hub cannot follow."""
    if context.stage != "models" or context.options.get("thinking") is None:
        return []
    from cbtrun.plugins.local_models.template_thinking import thinking_problems

    return thinking_problems(context, fetch=True)


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """The packages that run a model here, and a GPU where one is asked for."""
    if context.stage != "models":
        return []
    from cbtrun.plugin import lacking_packages
    from cbtrun.plugins.local_models.gpus import visible_gpus
    from cbtrun.plugins.local_models.packages import PACKAGES

    missing = lacking_packages("local", *PACKAGES) + lacking(context.options)
    if context.options["device"] == "cuda" and not visible_gpus(context.options):
        missing.append("device: cuda needs an NVIDIA GPU, and there is none here")
    return missing


@hookimpl
def open_model(context: ModelContext) -> LocalModel | ModelElsewhere:
    """A local model, read from its files. Raises ModelError when they are not there or do not fit."""
    options = context.options
    if context.workplace is not None:
        return _elsewhere(context)
    files = find_model(weights_named(options), options.get("revision"))
    device = torch_device(options["device"])
    if device == "cuda":
        make_room()
    tokenizer = load_tokenizer(files)
    register_row_attention()
    model = load_base(files, options["dtype"], ATTENTION).to(device).eval()
    _check_attention(model.config, options["max_length"])
    if context.adapter:
        from cbtrun.plugins.local_models.tuned_model import tuned_model

        model = tuned_model(model, tokenizer, Path(context.adapter), context.name, PIECE)
    identity = _identity(context, files, getattr(model.config, "_commit_hash", None), device)
    return LocalModel(model.to(device).eval(), tokenizer, options, identity, tuned=context.adapter is not None)


def _check_attention(config: Any, max_length: int) -> None:
    window = getattr(config.get_text_config(), "sliding_window", None)
    if window and window < max_length and getattr(config.get_text_config(), "use_sliding_window", True):
        raise ModelError(f"this model attends to {window} tokens at a time; set max_length to {window} or less")


def _elsewhere(context: ModelContext) -> ModelElsewhere:
    """What is here of a model whose replies are made on another machine: nothing but its tokenizer."""
    from cbtrun.plugins.local_models.elsewhere import ModelElsewhere, device_elsewhere, takes_of
    from cbtrun.plugins.local_models.trained_prompt import refuse_another_template

    options, device = context.options, device_elsewhere(context.options)
    files = find_model(weights_named(options), options.get("revision"))
    tokenizer = load_tokenizer(files)
    if context.adapter:
        refuse_another_template(tokenizer, Path(context.adapter))
    identity = _identity(context, files, tokenizer.init_kwargs.get("_commit_hash"), device)
    return ModelElsewhere(identity, _code(), tokenizer, options, takes_of(context, device))


def _identity(context: ModelContext, files: ModelFiles, loaded: str | None, device: str) -> dict[str, Any]:
    """loaded: commit of what was loaded from the hub."""
    options = context.options
    drawn = ("dtype", "group", "max_length", "max_tokens", "temperature", "top_p", "top_k", "repetition_penalty")
    commit = files.digest or loaded or files.revision
    return {
        "plugin": "transformers",
        "model": files.public_name,
        "weights": commit,
        "adapter": context.adapter_digest,
        "device": device,
        **{name: options[name] for name in drawn},
        **({"thinking": options["thinking"]} if options.get("thinking") and not context.adapter else {}),
    }


@cache
def _code() -> str:
    return statements_digest(f"{__package__}.{name}" for name in SOURCES)


class LocalModel:
    """A model in this process."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        options: Mapping[str, Any],
        identity: Mapping[str, Any],
        *,
        tuned: bool = False,
    ) -> None:
        from cbtrun.plugins.local_models.chat_format import end_tokens
        from cbtrun.plugins.local_models.spoken_format import spoken_format

        self.identity, self.code = identity, _code()
        self._built = built_with(str(identity["device"]), "transformers", "torch")
        self._tokenizer, self._options = tokenizer, options
        self._room = 0 if tuned else thinking_room(options)
        self._format = spoken_format(tokenizer, options, tuned=tuned)
        ends = end_tokens(tokenizer, model, channels=not tuned)
        self._generator = _generator(model, ends | self._format.ends, options)

    async def reply(self, request: Request) -> Reply:
        """The model's answer. Raises ModelError for a prompt that leaves no room within `max_length`."""
        import asyncio

        from cbtrun.plugins.local_models.fixed_shape import Row
        from cbtrun.plugins.local_models.reply_text import reply_text

        prompt = self._prompt(request)
        most = (request.max_tokens or self._options["max_tokens"]) + self._room
        limit = min(most, self._options["max_length"] - len(prompt))
        done = asyncio.get_running_loop().create_future()
        row = await self._generator.reply(Row(prompt, limit, request.seed, self._stops(request.stop), done))
        said = reply_text(self._tokenizer, prompt, row.tokens, structured=request.schema is not None)
        text, met = _cut(said, request.stop)
        finish = "stop" if row.ended or met else "length"
        served = str(self.identity["model"])
        counts = (len(prompt), len(row.tokens))
        return Reply(text.strip(), *counts, finish=finish, served=served, fingerprint=self._built)

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """Tokens of a prompt of these messages."""
        return len(self._prompt_ids(messages))

    async def close(self) -> None:
        """Give the memory back."""
        import gc

        import torch

        await self._generator.close()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        return self._format.prompt_ids(messages)

    def _prompt(self, request: Request) -> list[int]:
        ids = self._prompt_ids(request.messages)
        longest = self._options["max_length"]
        if len(ids) >= longest:
            raise ModelError(f"the prompt has {len(ids)} tokens and max_length is {longest}: no room for a reply")
        return ids

    def _stops(self, stop: tuple[str, ...]) -> Callable[[list[int]], bool]:
        """Whether new tokens end in one of the strings. A token is a byte at least, so a short tail of them will do."""
        if not stop:
            return lambda tokens: False  # noqa: ARG005 - nothing to look for
        tail = max(len(text.encode()) for text in stop) + 8
        return lambda tokens: any(text in self._tokenizer.decode(tokens[-tail:]) for text in stop)


def _generator(model: Any, ends: frozenset[int], options: Mapping[str, Any]) -> Generator:
    from cbtrun.plugins.local_models.fixed_shape import Generator

    sampling = Sampling(
        options["temperature"], options["top_k"], float(options["top_p"]), float(options["repetition_penalty"])
    )
    return Generator(
        model,
        ends,
        sampling,
        group=options["group"],
        piece=PIECE,
        longest=options["max_length"],
        threads=options["threads"],
        keep_bytes=options["prefix_mib"] * 2**20,
    )


def _cut(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text before the first stop string, and whether there was one."""
    places = [text.index(string) for string in stop if string in text]
    return (text[: min(places)], True) if places else (text, False)
