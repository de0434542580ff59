"""A model behind several servers of OpenAI's protocol, alike in all but their address: one `vllm serve` a node, for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cbtrun.plugin import AnswerMode, ModelContext, Reply, Request, ServerTerms
    from cbtrun.plugins.remote_models.openai_chat import ChatServer


class ChatServers:
    """The model; which server a call goes to is the runner's to say."""

    def __init__(self, context: ModelContext, opened: Callable[[ModelContext], ChatServer]) -> None:
        """opened: the model at the one address of a context."""
        addresses = context.options["base_url"]
        self.servers: Sequence[ChatServer] = [
            opened(replace(context, options={**context.options, "base_url": address})) for address in addresses
        ]
        first = self.servers[0]
        self.identity: Mapping[str, Any] = without_address(first.identity)
        self.other_identities: Sequence[Mapping[str, Any]] = [one.identity for one in self.servers]
        """A reply that was paid for when the study named one of them alone is not paid for again."""
        self.answer_mode: AnswerMode | None = first.answer_mode

    @property
    def terms(self) -> ServerTerms:
        """Of the first: limits hold for each server, prices and lengths are the block's."""
        return self.servers[0].terms

    async def reply(self, request: Request) -> Reply:
        """One try at the first server. Raises as `ChatServer.reply`."""
        return await self.servers[0].reply(request)

    async def close(self) -> None:
        """Close the connections to all."""
        for one in self.servers:
            await one.close()


def without_address(identity: Mapping[str, Any]) -> Mapping[str, Any]:
    """The identity of a model that several servers serve: where it runs is no part of it."""
    return {name: value for name, value in identity.items() if name != "base_url"}
