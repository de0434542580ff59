"""The key of a call: SHA-256 over all that decides its answer and whose draw it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cbtrun.contract.digests import digest
from cbtrun.contract.models import ChatMessage, Request


def call_key(identity: str, request: Request, seed: int) -> str:
    """The key of a request to a model. identity: digest of the model's identity. seed: the study's."""
    draw = request.draw
    asked = [
        identity,
        seed,
        messages_digest(request.messages),
        [request.max_tokens, list(request.stop), request.mode],
        None if request.schema is None else _schema_digest(request.schema),
        [draw.role, draw.subject, draw.repeat, draw.turn, draw.item, draw.attempt],
    ]
    return digest(asked)


def messages_digest(messages: Sequence[ChatMessage]) -> str:
    """SHA-256 over messages: each one's role, length in bytes and content, so that no two lists run together.

    A dialogue sends its whole past with every turn: read in place, a message costs the hash of its bytes and no more.
    """
    found = hashlib.sha256()
    for message in messages:
        content = message.content.encode("utf-8", "surrogatepass")
        found.update(b"%s %d\n" % (message.role.encode(), len(content)))
        found.update(content)
    return found.hexdigest()


_schemas: dict[int, tuple[Mapping[str, Any], str]] = {}
"""Identity of a schema -> the schema itself, which keeps that identity its own, and its digest."""


def _schema_digest(schema: Mapping[str, Any]) -> str:
    """The digest of a schema; a rating set sends the same object with every call."""
    kept = _schemas.get(id(schema))
    if kept is None or kept[0] is not schema:
        if len(_schemas) >= 1024:
            _schemas.clear()
        kept = _schemas[id(schema)] = (schema, digest(schema))
    return kept[1]
