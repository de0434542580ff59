"""How three vendors show batches, as far as our own plugins ask: addresses, objects, lines of results."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from itertools import count
from typing import TYPE_CHECKING, Any

from cbtrun.plugins.mock_server.batches import AT_SUBMISSION, BatchShop, MockBatch
from cbtrun.plugins.mock_server.protocols import Vendor

if TYPE_CHECKING:
    from aiohttp import web

Complete = Callable[[Vendor, str, Any], Awaitable[dict[str, Any]]]
"""Vendor, address and body of one request -> its answer."""
GOOGLE = ":batchGenerateContent"
CLAUDE = "/v1/messages/batches"
OPENAI_STATES = {"working": "in_progress", "done": "completed", "expired": "expired", "cancelled": "cancelled", "failed": "failed"}  # fmt: skip
GOOGLE_STATES = {"working": "RUNNING", "done": "SUCCEEDED", "expired": "EXPIRED", "cancelled": "CANCELLED", "failed": "FAILED"}  # fmt: skip
SAYS = {"failed": "The model does not exist.", "queue": "Enqueued token limit reached; token_limit_exceeded."}
TOO_LARGE = {"error": {"message": "The batch exceeds the maximum number of requests.", "type": "request_too_large"}}


class BatchDoor:
    """The addresses of batches of one server."""

    def __init__(self, shop: BatchShop, complete: Complete) -> None:
        self._shop, self._complete = shop, complete
        self._serial = count(1)

    async def answer(self, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        """The answer, or none where the address is not one of batches."""
        path = request.path
        if request.method == "POST":
            return await self._post(request, path, raw)
        if path.startswith(("/v1/batches", "/v1/files/")):
            return await self._openai(path, request)
        if path.startswith(CLAUDE):
            return await self._claude(path, request)
        return await self._google(path) if path.startswith("/v1beta/batches") else None

    async def _post(self, request: web.Request, path: str, raw: bytes) -> web.StreamResponse | None:
        if path == "/v1/files":
            name = f"file-{next(self._serial)}"
            self._shop.files[name] = _file_in(request.headers.get("Content-Type", ""), raw)
            return _json({"id": name, "object": "file"})
        batch = self._handed_in(path, raw)
        if batch is None:
            return None
        fault = self._shop.next_fault(len(batch.requests))
        if fault not in AT_SUBMISSION:
            batch.fault = fault
        if fault in ("", "lost") or fault not in AT_SUBMISSION:
            self._shop.take(batch)
        return _refused(fault, request) if fault in AT_SUBMISSION else _json(await self._shown(batch))

    def _handed_in(self, path: str, raw: bytes) -> MockBatch | None:
        serial = next(self._serial)
        if path == "/v1/batches":
            sent = json.loads(raw)
            lines = [json.loads(line) for line in self._shop.files[sent["input_file_id"]].splitlines() if line.strip()]
            asked = {line["custom_id"]: line["body"] for line in lines}
            mark = (sent.get("metadata") or {}).get("cbtrun_batch", "")
            return MockBatch(f"batch_{serial}", "openai", asked, mark, sent["input_file_id"])
        if path == CLAUDE:
            asked = {one["custom_id"]: one["params"] for one in json.loads(raw)["requests"]}
            return MockBatch(f"msgbatch_{serial}", "anthropic", asked)
        if path.endswith(GOOGLE):
            sent = json.loads(raw)["batch"]
            asked = {one["metadata"]["key"]: one["request"] for one in sent["inputConfig"]["requests"]["requests"]}
            model = path.removesuffix(GOOGLE)
            return MockBatch(f"batches/{serial}", "google", asked, sent["displayName"], model)
        return None

    async def _ended(self, batch: MockBatch) -> MockBatch:
        """The batch, its answers made if this look is the one that finds it ended."""
        if self._shop.is_over(batch):
            path = f"{batch.file}:generateContent" if batch.vendor == "google" else "/v1/"
            for name, outcome in [*self._shop.planned(batch)]:
                done = outcome == "done"
                answer = await self._complete(batch.vendor, path, batch.requests[name]) if done else None
                self._shop.settle(batch, name, outcome, answer)
        return batch

    async def _shown(self, batch: MockBatch) -> dict[str, Any]:
        return {"openai": _openai_batch, "anthropic": _claude_batch, "google": _google_batch}[batch.vendor](batch)

    async def _openai(self, path: str, request: web.Request) -> web.StreamResponse:
        if path == "/v1/batches":
            return _page(self._shop, "openai", request.query.get("after"), request.query.get("limit"))
        name = path.removeprefix("/v1/batches/").removeprefix("/v1/files/").removesuffix("/content")
        batch = self._shop.named(name.removesuffix("-out").removesuffix("-err"))
        if batch is None:
            return _json({"error": {"message": f"No batch {name}"}}, 404)
        if path.startswith("/v1/files/"):
            return _lines(
                [
                    line
                    for line in map(_openai_line, *_columns(batch))
                    if line and _is_error(line) == name.endswith("-err")
                ]
            )
        return _json(_openai_batch(await self._ended(batch)))

    async def _claude(self, path: str, request: web.Request) -> web.StreamResponse:
        if path == CLAUDE:
            for one in self._shop.batches:  # time goes on while nothing but the list is looked at
                await self._ended(one)
            return _page(self._shop, "anthropic", request.query.get("after_id"), request.query.get("limit"))
        batch = self._shop.named(path.removeprefix(f"{CLAUDE}/").removesuffix("/results"))
        if batch is None:
            return _json({"error": {"message": "not found"}}, 404)
        if path.endswith("/results"):
            return _lines([line for line in map(_claude_line, *_columns(batch)) if line])
        return _json(_claude_batch(await self._ended(batch)))

    async def _google(self, path: str) -> web.StreamResponse:
        if path == "/v1beta/batches":
            return _json({"operations": [_google_batch(one) for one in self._shop.shown() if one.vendor == "google"]})
        batch = self._shop.named(path.removeprefix("/v1beta/"))
        if batch is None:
            return _json({"error": {"message": "not found", "code": 404}}, 404)
        return _json(_google_batch(await self._ended(batch), answers=True))


def _refused(fault: str, request: web.Request) -> web.StreamResponse:
    from aiohttp import web

    if fault in ("lost", "lost-before"):
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    if fault == "too-large":
        return _json(TOO_LARGE, 413)
    return _json({"error": {"message": f"mock says {fault}"}}, int(fault))


def _columns(batch: MockBatch) -> tuple[list[str], list[str], list[Any]]:
    names = [*batch.outcomes]
    return names, [batch.outcomes[name] for name in names], [batch.answers[name] for name in names]


def _counts(batch: MockBatch) -> Mapping[str, int]:
    found = [*batch.outcomes.values()]
    wrong = found.count("error") + found.count("refused")
    return {
        "succeeded": found.count("done"),
        "errored": wrong,
        "canceled": found.count("cancelled"),
        "expired": found.count("expired"),
        "processing": 0 if batch.ended else len(batch.requests),
    }


def _openai_batch(batch: MockBatch) -> dict[str, Any]:
    counts, over = _counts(batch), batch.ended and batch.standing != "failed"
    why = [{"code": "mock", "message": SAYS[batch.fault], "line": 1}] if batch.standing == "failed" else []
    return {
        "id": batch.id,
        "object": "batch",
        "status": OPENAI_STATES[batch.standing],
        "input_file_id": batch.file,
        "metadata": {"cbtrun_batch": batch.mark},
        "created_at": int(batch.at),
        "output_file_id": f"{batch.id}-out" if over and counts["succeeded"] else None,
        "error_file_id": f"{batch.id}-err" if over and counts["succeeded"] < len(batch.requests) else None,
        "errors": {"object": "list", "data": why},
        "request_counts": {"total": len(batch.requests), "completed": counts["succeeded"], "failed": counts["errored"]},
    }


def _openai_line(name: str, outcome: str, answer: Any) -> dict[str, Any]:
    error = {"expired": "batch_expired", "cancelled": "batch_cancelled"}
    if outcome == "none":
        return {}
    if outcome in error:
        return {"custom_id": name, "response": None, "error": {"code": error[outcome], "message": "not done"}}
    status, body = {"done": (200, answer), "error": (500, _said(500)), "refused": (400, _said(400))}[outcome]
    return {"custom_id": name, "response": {"status_code": status, "body": body}, "error": None}


def _is_error(line: Mapping[str, Any]) -> bool:
    return not line["response"] or line["response"]["status_code"] != 200


def _claude_batch(batch: MockBatch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if batch.ended else "in_progress",
        "request_counts": _counts(batch),
        "created_at": datetime.fromtimestamp(batch.at, UTC).isoformat(),
        "results_url": f"https://elsewhere.example{CLAUDE}/{batch.id}/results" if batch.ended else None,
    }


def _claude_line(name: str, outcome: str, answer: Any) -> dict[str, Any]:
    if outcome == "none":
        return {}
    result: dict[str, Any] = {"type": {"cancelled": "canceled"}.get(outcome, outcome)}
    if outcome == "done":
        result = {"type": "succeeded", "message": answer}
    elif outcome in ("error", "refused"):
        kind = "api_error" if outcome == "error" else "invalid_request_error"
        result = {
            "type": "errored",
            "error": {"type": "error", "error": {"type": kind, "message": f"mock says {outcome}"}},
        }
    return {"custom_id": name, "result": result}


def _google_batch(batch: MockBatch, *, answers: bool = False) -> dict[str, Any]:
    counts = _counts(batch)
    about = {
        "displayName": batch.mark,
        "state": f"BATCH_STATE_{GOOGLE_STATES[batch.standing]}",
        "batchStats": {
            "requestCount": str(len(batch.requests)),
            "successfulRequestCount": str(counts["succeeded"]),
            "failedRequestCount": str(counts["errored"]),
        },
    }
    made: dict[str, Any] = {"name": batch.id, "metadata": about, "done": batch.ended}
    if batch.standing == "failed":
        return {**made, "error": {"code": 3, "message": SAYS[batch.fault]}}
    if answers and batch.ended:
        entries = [one for one in map(_google_entry, *_columns(batch)) if one]
        made["response"] = {"inlinedResponses": {"inlinedResponses": entries}}
    return made


def _google_entry(name: str, outcome: str, answer: Any) -> dict[str, Any]:
    if outcome in ("none", "expired", "cancelled"):
        return {}
    if outcome == "done":
        return {"metadata": {"key": name}, "response": answer}
    return {
        "metadata": {"key": name},
        "error": {"code": 13 if outcome == "error" else 3, "message": f"mock says {outcome}"},
    }


def _page(shop: BatchShop, vendor: Vendor, after: str | None, limit: str | None) -> web.StreamResponse:
    shown = [one for one in shop.shown() if one.vendor == vendor]
    if after:
        shown = shown[[one.id for one in shown].index(after) + 1 :]
    page = shown[: int(limit or 20)]
    write = _openai_batch if vendor == "openai" else _claude_batch
    return _json({"data": [write(one) for one in page], "has_more": len(shown) > len(page)})


def _said(status: int) -> dict[str, Any]:
    return {"error": {"message": f"mock says {status}", "type": "mock"}}


def _json(content: Any, status: int = 200) -> web.StreamResponse:
    from aiohttp import web

    return web.json_response(content, status=status)


def _lines(entries: list[dict[str, Any]]) -> web.StreamResponse:
    from aiohttp import web

    return web.Response(text="".join(json.dumps(one) + "\n" for one in entries), content_type="application/jsonl")


def _file_in(kind: str, raw: bytes) -> bytes:
    """The file of a form."""
    form = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + raw)
    part = next(one for one in form.iter_parts() if one.get_filename())
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
