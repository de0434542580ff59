"""What stays here of a local model whose replies are made on another machine: who it is, and how long its prompts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cbtrun.plugin import ChatMessage, ModelContext, ModelError, Reply, Request, SentFolder, Takes, machines_elsewhere
from cbtrun.plugins.local_models.adapter_door import SETTINGS, WEIGHTS
from cbtrun.plugins.local_models.spoken_format import spoken_format
from cbtrun.plugins.local_models.turn_probes import FILE as PROBES

TRAVELS = (SETTINGS, WEIGHTS, PROBES)
"""What of an adapter's folder an engine needs: numbers and settings, no word of a corpus."""


def device_elsewhere(options: Mapping[str, Any]) -> str:
    """`cuda` where the machines have GPUs and the block may use one."""
    machines = machines_elsewhere()
    there = machines is not None and machines.most_gpus > 0
    return "cuda" if options["device"] != "cpu" and there else "cpu"


def named_elsewhere(model: str) -> str:
    """A model's folder by its whole path, which other machines may have too; what ships and what is on the hub by its name."""
    folder = Path(model).expanduser()
    return str(folder.absolute()) if not model.startswith("cbtrun:") and folder.exists() else model


def adapter_folder(folder: str) -> SentFolder:
    """An adapter, as it travels."""
    return SentFolder(str(Path(folder).absolute()), TRAVELS)


def takes_of(context: ModelContext, device: str) -> Takes:
    """A GPU, or the cores that the block names; the adapter goes along."""
    folders = {}
    if context.adapter and context.adapter_digest:
        folders[context.adapter_digest] = adapter_folder(context.adapter)
    named = {"model": named_elsewhere(context.options["model"])}
    return Takes(1 if device == "cuda" else 0, float(context.options["threads"]), folders, named)


class ModelElsewhere:
    """A local model without its weights."""

    def __init__(
        self, identity: Mapping[str, Any], code: str, tokenizer: Any, options: Mapping[str, Any], takes: Takes
    ) -> None:
        self.identity, self.code, self.takes = identity, code, takes
        self._format = spoken_format(tokenizer, options, tuned=identity["adapter"] is not None)

    async def reply(self, request: Request) -> Reply:
        """Raises ModelError: whoever opened it asks the machine that has the weights."""
        raise ModelError("this model's replies are made on another machine")

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """Tokens of a prompt of these messages."""
        return len(self._format.prompt_ids(messages))

    async def close(self) -> None:
        """Nothing is held."""
