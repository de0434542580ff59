"""Anthropic's message batches: requests are sent along with the batch, answers come as JSON lines when it has ended.

A batch has no metadata of ours: it is known by the ids of its requests, which are shown with its results. So a batch whose
submission was lost is looked for among those made since, and those still at work are waited for before anything is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cbtrun.plugin import (
    CANCELLED,
    EXPIRED,
    BatchItem,
    BatchSeen,
    FoundBatch,
    ItemAnswer,
    Submission,
)
from cbtrun.plugins.remote_models.batch_questions import (
    JSON_HEADERS,
    asked,
    asked_bytes,
    count_in,
    id_in,
    id_of_submitted,
    lines_of,
    list_in,
    mapping_in,
    submitted,
    text_in,
)

if TYPE_CHECKING:
    from cbtrun.plugins.remote_models.server_door import ServerDoor

PATH = "/v1/messages/batches"
HEADERS = {**JSON_HEADERS, "anthropic-version": "2023-06-01"}
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
"""Type of an error -> the status that a direct call has with it; all others are 500."""
PAGE, MOST_PAGES = 100, 100
EARLIER_SECONDS = 600.0
"""How much older than our submission a batch may look, since clocks differ."""


class AnthropicBatches:
    """The batches of one model's server."""

    vendor = "Anthropic"
    own_host = "api.anthropic.com"
    most_requests = 100_000
    most_bytes = 240_000_000
    console = "https://platform.claude.com/workspaces/default/batches"

    def __init__(self, door: ServerDoor) -> None:
        self._door = door

    async def upload(self, token: str, items: Sequence[BatchItem]) -> str:
        """Nothing: requests are sent along."""
        return ""

    async def submit(self, submission: Submission, items: Sequence[BatchItem]) -> str:
        """A batch of the requests; gives its id."""
        parts = [b'{"custom_id":"%s","params":%s}' % (one.id.encode(), one.body) for one in items]
        made = await submitted(self._door.bulk, PATH, HEADERS, b'{"requests":[%s]}' % b",".join(parts))
        return id_of_submitted(made, "id")

    async def find(self, submission: Submission, known: frozenset[str]) -> FoundBatch:
        """The batch whose results have our ids, among those of our size that were made since."""
        undecided = False
        for one in await self._since(submission.at - EARLIER_SECONDS):
            batch = id_in(one, "id")
            if batch in known or count_in(mapping_in(one, "request_counts"), *COUNTS) != submission.size:
                continue
            if text_in(one, "processing_status") != "ended":
                undecided = True
            elif any(text_in(line, "custom_id").startswith(submission.token) for line in await self._lines(batch)):
                return FoundBatch(batch)
        return FoundBatch(undecided=undecided)

    async def look(self, batch: str) -> BatchSeen:
        """How far a batch is."""
        seen = await asked(self._door.transport, "GET", f"{PATH}/{quote(batch)}", HEADERS)
        counts = mapping_in(seen, "request_counts")
        done = count_in(counts, "succeeded", "errored")
        return BatchSeen("ended" if text_in(seen, "processing_status") == "ended" else "working", done)

    async def results(self, batch: str, seen: BatchSeen) -> Mapping[str, ItemAnswer]:
        """The lines of the results."""
        return {text_in(line, "custom_id"): _answer(line) for line in await self._lines(batch)}

    async def _lines(self, batch: str) -> list[Mapping[str, Any]]:
        # Not the address that the batch names: a key goes where the study said, and nowhere else.
        body = await asked_bytes(self._door.bulk, "GET", f"{PATH}/{quote(batch)}/results", HEADERS)
        return [*lines_of(body)]

    async def _since(self, moment: float) -> list[Mapping[str, Any]]:
        """Batches that were made since, the newest first."""
        found: list[Mapping[str, Any]] = []
        after = ""
        for _ in range(MOST_PAGES):
            page = await asked(self._door.transport, "GET", f"{PATH}?limit={PAGE}{after}", HEADERS)
            batches = [one for one in list_in(page, "data") if isinstance(one, dict)]
            since = [one for one in batches if _made(one) >= moment]
            found += since
            if not batches or len(since) < len(batches) or not page.get("has_more"):
                break
            after = f"&after_id={quote(id_in(batches[-1], 'id'))}"
        return found


def _answer(line: Mapping[str, Any]) -> ItemAnswer:
    """One line as a direct call would have had it."""
    result = mapping_in(line, "result")
    kind = text_in(result, "type")
    if kind == "succeeded":
        return ItemAnswer(200, json.dumps(result.get("message"), ensure_ascii=False))
    if kind in ("canceled", "expired"):
        return ItemAnswer(CANCELLED if kind == "canceled" else EXPIRED, "")
    error = mapping_in(result, "error")
    error = mapping_in(error, "error") or error
    return ItemAnswer(STATUS.get(text_in(error, "type"), 500), json.dumps({"error": error}, ensure_ascii=False))


def _made(batch: Mapping[str, Any]) -> float:
    """When a batch was made, in seconds since 1970; now or later where it does not say, so that it is looked at."""
    try:
        return datetime.fromisoformat(text_in(batch, "created_at")).timestamp()
    except ValueError:
        return float("inf")
