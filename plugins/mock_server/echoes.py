"""A server that sends the key back: every way that a client has been seen to print it or to keep it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

MARK = "the key stands here"
NAMES = {"model": ("model", "modelVersion"), "finish": ("finish_reason", "finishReason", "stop_reason")}
WRITTEN: Mapping[str, Callable[[str], str]] = {
    "plain": lambda key: json.dumps(key)[1:-1],
    "escaped": lambda key: "".join(f"\\u{ord(one):04x}" for one in key),
    "slash": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "url": lambda key: quote(key, safe="").replace("-", "%2D"),
    "base64": lambda key: b64encode(f"Bearer {key}".encode()).decode(),
    "capitals": lambda key: json.dumps(key.upper())[1:-1],
    "lines": lambda key: json.dumps(f"{key[:8]}\n  {key[8:]}")[1:-1],
}
"""Ways to write a key in a JSON string."""
BROKEN: Mapping[str, str] = {
    "status": "HTTP/1.1 {key}\r\n\r\n",
    "header": "HTTP/1.1 200 OK\r\nX: a\r\nbad header {key}\r\n\r\n",
    "chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n",
    "location": "HTTP/1.1 307 Elsewhere\r\nLocation: http://elsewhere.example/?k={key}\r\nContent-Length: 0\r\n\r\n",
    "reason": "HTTP/1.1 400 {key}\r\nContent-Length: 0\r\n\r\n",
    "page": "HTTP/1.1 502 Bad\r\nContent-Length: 9999\r\n\r\n<html>{key}",
}
ECHOES = (
    *(f"echo-error-{how}" for how in WRITTEN),
    *(f"echo-{where}-{how}" for where in ("model", "finish", "words") for how in ("plain", "escaped")),
    *(f"echo-{how}" for how in BROKEN),
)
"""Kinds of faults."""


def key_in(headers: Mapping[str, str]) -> str:
    """The key that a request was sent with."""
    sent = headers.get("Authorization") or headers.get("x-api-key") or headers.get("x-goog-api-key") or ""
    return sent.removeprefix("Bearer ")


def echoed(kind: str, key: str, answer: Mapping[str, Any]) -> bytes:
    """The answer on the wire, the key in it. kind: one of ECHOES. answer: what the call would get otherwise."""
    where, _, how = kind.removeprefix("echo-").partition("-")
    if where in BROKEN:
        return BROKEN[where].format(key=key).encode()
    status, content = "200 OK", json.dumps(_marked(answer, where))
    if where == "error":
        status, content = "400 Bad Request", json.dumps({"error": {"message": f"bad {MARK}"}})
    body = content.replace(MARK, WRITTEN[how](key)).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _marked(value: Any, where: str) -> Any:
    """The answer with the mark in the fields that `where` names, or as its words."""
    if isinstance(value, Mapping):
        return {name: _field(name, inner, where) for name, inner in value.items()}
    return [_marked(inner, where) for inner in value] if isinstance(value, list) else value


def _field(name: str, value: Any, where: str) -> Any:
    is_there = name in NAMES[where] if where in NAMES else name in ("content", "text") and isinstance(value, str)
    return MARK if is_there else _marked(value, where)
