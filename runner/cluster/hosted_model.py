"""Models that run whole on a machine of the cluster: those whose plugin says so (`x-elsewhere` in its schema).

Here is a model's other half: it says who it is and counts tokens, and asks a process of the cluster for its replies. A model
with weights has a better place to be cut in two, between its tokenizer and its engine; its plugin does that itself.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from cbtrun.contract.digests import digest
from cbtrun.contract.models import (
    AnswerMode,
    ChatMessage,
    CountsTokens,
    Draw,
    HasTakes,
    Model,
    ModelContext,
    Reply,
    Request,
    Takes,
)
from cbtrun.contract.records import Json
from cbtrun.contract.workplace import Engines, Files, Node, OpenedBy, Workplace
from cbtrun.errors import ModelError
from cbtrun.ratings.rubric import Rubric, rubric_digest

if TYPE_CHECKING:
    from cbtrun.registry import Registry

OPENER = "cbtrun.cluster.hosted_model:open_hosted"
TOLD_OF_ITSELF = ("code", "languages", "answer_mode", "room")
"""What else a model may say of itself (contract/models.py): said here as the model says it."""


class HostedModel:
    """A model whose replies are made on the cluster."""

    def __init__(self, own: Model, engines: Engines) -> None:
        """own: the same model opened here, which is asked who it is and nothing else."""
        self._own, self._engines = own, engines
        self.identity = own.identity
        for name in TOLD_OF_ITSELF:
            if hasattr(own, name):
                setattr(self, name, getattr(own, name))
        if isinstance(own, CountsTokens):
            self.count_tokens = own.count_tokens

    async def reply(self, request: Request) -> Reply:
        """What it says there."""
        return Reply(**await self._engines.make(asdict(request), session_of(request)))

    async def close(self) -> None:
        """End it, there and here."""
        await self._engines.close()
        await self._own.close()


def session_of(request: Request) -> str:
    """What the calls of one session and side have in common."""
    draw = request.draw
    return f"{draw.role}|{draw.subject}|{draw.repeat}"


def hosted_model(using: str, own: Model, context: ModelContext, workplace: Workplace) -> HostedModel:
    """A model on the cluster. using: its plugin, which must be installed there."""
    return HostedModel(own, workplace.engines(opened_by(using, own, context)))


def opened_by(using: str, own: Model, context: ModelContext) -> OpenedBy:
    """How a model is opened there. own: the same model opened here."""
    takes = own.takes if isinstance(own, HasTakes) else Takes()
    arguments: Json = {
        "using": using,
        "name": context.name,
        "options": {**context.options, **takes.options},
        "rubrics": [rubric.model_dump(mode="json") for rubric in context.rubrics.values()],
        "adapter": context.adapter_digest if context.adapter_digest in takes.folders else None,
        "identity": digest(own.identity),
    }
    key = digest([using, context.options, context.adapter_digest])
    return OpenedBy(OPENER, arguments, key, context.name, takes.gpus, takes.cpus, folders=takes.folders)


def open_hosted(arguments: Json, node: Node) -> Hosted:
    """Open a model by its plugin, on the machine that this is called on. Raises ModelError where it is another one there."""
    from cbtrun.registry import load_registry

    registry: Registry = load_registry()
    rubrics = [Rubric.model_validate(rubric) for rubric in arguments["rubrics"]]
    by_digest = {rubric_digest(rubric): rubric for rubric in rubrics}
    adapter = arguments["adapter"]
    folder = node.folder_of(adapter) if adapter else None
    model = registry.run(
        "models", arguments["using"], ModelContext(arguments["name"], arguments["options"], by_digest, folder, adapter)
    )
    if digest(model.identity) != arguments["identity"]:
        raise ModelError(
            f"model '{arguments['name']}' is another one on {platform.node()} than here (its weights, its adapter or the device): "
            f"{json.dumps(model.identity, default=str)[:600]}"
        )
    return Hosted(model)


class Hosted:
    """A model at work on a machine of the cluster."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def facts(self) -> Json:
        """Nothing that the driver does not know."""
        return {}

    async def make(self, asked: Json, tell: Callable[[Json, Files], None]) -> Json:
        """Its reply to a request, both as plain values."""
        return asdict(await self._model.reply(request_of(asked)))

    async def close(self) -> None:
        """Close it."""
        await self._model.close()


def request_of(asked: Json) -> Request:
    """A request that came as plain values."""
    mode: AnswerMode | None = asked["mode"]
    request = Request(**{**asked, "mode": mode, "draw": Draw(**asked["draw"]), "stop": tuple(asked["stop"])})
    return replace(request, messages=tuple(ChatMessage(**message) for message in asked["messages"]))
