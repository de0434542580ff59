"""What every plugin of a remote model has: its server's terms, its key, and the way there, opened with the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.plugin import Patience, ServerTerms, Transport, server_of, terms_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cbtrun.plugin import ModelContext, Secret, ServerAnswer


GLANCE_SECONDS = 5.0
"""How long it is waited for a server that may be gone."""
BULK_SECONDS, BULK_MIB = 1800.0, 1024.0
"""Longest and largest that the answers of one batch may be: 50,000 requests with 20 KiB each."""


class ServerDoor:
    """The door of one model's block. Nothing is read, asked or opened before it is needed: an offline run needs none."""

    def __init__(self, context: ModelContext, key_headers: Callable[[Secret], Mapping[str, str]]) -> None:
        """key_headers: the headers by which this vendor's servers are shown the key."""
        self.options = context.options
        self._keys, self._key_headers = context.keys, key_headers
        self._terms: ServerTerms | None = None
        self._transport: Transport | None = None
        self._bulk: Transport | None = None

    @property
    def url(self) -> str:
        """The address, its variables filled in. Raises ModelError when it cannot be called."""
        return self._keys.address(self.options["base_url"])

    @property
    def terms(self) -> ServerTerms:
        """What calls to the server are held to. Raises ModelError when the address cannot be called."""
        if self._terms is None:
            self._terms = terms_of(self.options, server_of(self.url))
        return self._terms

    @property
    def transport(self) -> Transport:
        """The way to the server, the key with it. Raises ModelError for a key or a proxy that may not be used."""
        if self._transport is None:
            url, name, options = self.url, self.options.get("api_key_env"), self.options
            secret = self._keys.key(name, url)
            self._transport = Transport(
                url,
                self._key_headers(secret) if secret else {},
                Patience(options["timeout_seconds"], options["connect_seconds"], options["max_reply_mib"]),
                self._keys.proxy(name, url),
                self.terms.limits.concurrency,
            )
        return self._transport

    @property
    def bulk(self) -> Transport:
        """The same way for what is large: the requests and answers of a whole batch."""
        if self._bulk is None:
            one = self.transport
            patience = Patience(BULK_SECONDS, one.patience.connect_seconds, BULK_MIB)
            self._bulk = Transport(one.url, one.key_headers, patience, one.proxy, one.connections)
        return self._bulk

    async def glance(self, path: str) -> ServerAnswer:
        """The answer to a question that a server which is there answers at once. Raises ServerTrouble where it does not."""
        one = self.transport
        short = Transport(one.url, one.key_headers, Patience(GLANCE_SECONDS, GLANCE_SECONDS), one.proxy, 1)
        try:
            return await short.ask("GET", one.url + path, {})
        finally:
            await short.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._bulk is not None:
            await self._bulk.close()
            self._bulk = None
        if self._transport is not None:
            await self._transport.close()
            self._transport = None
