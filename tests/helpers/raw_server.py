"""A loopback server that answers with the bytes it is given, as no well-behaved server would."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class RawServer:
    """Answers every request with `answer(number of the request)`, and keeps the heads of what it was sent."""

    def __init__(self, answer: Callable[[int], bytes] = lambda _: b"") -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.url = ""
        self.port = 0

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            self.heads.append(head)
            self.bodies.append(await reader.readexactly(int(lengths[0])) if lengths else b"")
            writer.write(self.answer(len(self.heads)))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextmanager
def raw_listening(answer: Callable[[int], bytes]) -> Iterator[str]:
    """The address of such a server, at work in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = RawServer(answer)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    try:
        yield server.url
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def whole(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A body as a complete answer."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answer_of(vendor: str, **fields: Any) -> bytes:
    """A vendor's ordinary answer, some of its fields replaced: `served`, `finish`, `words`, `tokens`."""
    served, finish = json.dumps(fields.get("served", "m")), json.dumps(fields.get("finish", "end_turn"))
    words, tokens = json.dumps(fields.get("words", "Hello.")), fields.get("tokens", "7")
    forms = {
        "openai": '{"model": S, "choices": [{"message": {"content": W}, "finish_reason": F}],'
        ' "usage": {"prompt_tokens": T, "completion_tokens": 3}}',
        "google": '{"modelVersion": S, "candidates": [{"content": {"role": "model", "parts": [{"text": W}]},'
        ' "finishReason": F}], "usageMetadata": {"promptTokenCount": T, "candidatesTokenCount": 3}}',
        "anthropic": '{"id": "i", "type": "message", "role": "assistant", "model": S, "content": [{"type": "text",'
        ' "text": W}], "stop_reason": F, "usage": {"input_tokens": T, "output_tokens": 3}}',
    }
    given = {"S": served, "F": finish, "W": words, "T": tokens}
    return "".join(given.get(part, part) for part in _parts(forms[vendor])).encode()


def _parts(form: str) -> list[str]:
    import re

    return re.split(r"(?<= )([SFWT])(?=[,}\]])", form)
