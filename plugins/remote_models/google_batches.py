"""Gemini's batch API: requests are sent along with the batch, whose display name is our mark, and come back in its own answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cbtrun.plugin import (
    BatchItem,
    BatchSeen,
    FoundBatch,
    ItemAnswer,
    Standing,
    Submission,
)
from cbtrun.plugins.remote_models.batch_questions import (
    JSON_HEADERS,
    TOO_LARGE,
    asked,
    count_in,
    id_in,
    id_of_submitted,
    list_in,
    mapping_in,
    submitted,
    text_in,
)

if TYPE_CHECKING:
    from cbtrun.plugins.remote_models.server_door import ServerDoor

STANDINGS: Mapping[str, Standing] = {
    "SUCCEEDED": "ended",
    "PARTIALLY_SUCCEEDED": "ended",
    "EXPIRED": "expired",
    "CANCELLED": "cancelled",
    "FAILED": "failed",
}
"""The last words of a state (BATCH_STATE_..., JOB_STATE_...) -> ours; all others are at work."""
STATUS = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 13: 500, 14: 503, 16: 401}
"""Code of an error (google.rpc) -> the status that a direct call has with it; all others are 500."""
PAGE, MOST_PAGES = 100, 100
NAME = "cbtrun "
"""Before our mark in a display name."""


class GoogleBatches:
    """The batches of one model's server."""

    vendor = "Google"
    own_host = "generativelanguage.googleapis.com"
    most_requests = 10_000
    most_bytes = 18_000_000
    """Requests that are sent along may come to 20 MB."""
    console = "https://aistudio.google.com/batches"

    def __init__(self, door: ServerDoor) -> None:
        self._door = door

    async def upload(self, token: str, items: Sequence[BatchItem]) -> str:
        """Nothing: requests are sent along."""
        return ""

    async def submit(self, submission: Submission, items: Sequence[BatchItem]) -> str:
        """A batch of the requests; gives its name."""
        parts = [b'{"request":%s,"metadata":{"key":"%s"}}' % (one.body, one.id.encode()) for one in items]
        name = json.dumps(f"{NAME}{submission.token}").encode()
        inputs = b'{"requests":{"requests":[%s]}}' % b",".join(parts)
        body = b'{"batch":{"displayName":%s,"inputConfig":%s}}' % (name, inputs)
        model = quote(str(self._door.options["model"]).removeprefix("models/"))
        path = f"/v1beta/models/{model}:batchGenerateContent"
        return id_of_submitted(await submitted(self._door.bulk, path, JSON_HEADERS, body), "name")

    async def find(self, submission: Submission, known: frozenset[str]) -> FoundBatch:
        """The batch whose display name is our mark."""
        page_token = ""
        for _ in range(MOST_PAGES):
            # Answers may stand in the list, too: it can be large.
            page = await asked(self._door.bulk, "GET", f"/v1beta/batches?pageSize={PAGE}{page_token}", JSON_HEADERS)
            for one in [*list_in(page, "operations"), *list_in(page, "batches")]:
                if _about(one).get("displayName") == f"{NAME}{submission.token}":
                    return FoundBatch(id_in(one, "name"))
            if not (following := text_in(page, "nextPageToken")):
                break
            page_token = f"&pageToken={quote(following)}"
        return FoundBatch()

    async def look(self, batch: str) -> BatchSeen:
        """How far a batch is."""
        seen = await self._seen(batch)
        about = _about(seen)
        standing: Standing = STANDINGS.get(text_in(about, "state").partition("_STATE_")[2], "working")
        stats = mapping_in(about, "batchStats")
        error = mapping_in(seen, "error")
        if standing == "working" and seen.get("done") is True:
            standing = "failed" if error else "ended"
        if standing == "failed":
            why = text_in(error, "message") or "no reason is given"
            return BatchSeen(standing, 0, why, TOO_LARGE.search(why) is not None)
        return BatchSeen(standing, count_in(stats, "successfulRequestCount", "failedRequestCount"))

    async def results(self, batch: str, seen: BatchSeen) -> Mapping[str, ItemAnswer]:
        """The answers, by the key that each request was sent with."""
        ended = await self._seen(batch)
        for where in (mapping_in(ended, "response"), mapping_in(_about(ended), "output")):
            answers = where.get("inlinedResponses")
            answers = answers.get("inlinedResponses") if isinstance(answers, dict) else answers
            if isinstance(answers, list):
                return {text_in(mapping_in(one, "metadata"), "key"): _answer(one) for one in answers}
        return {}

    async def _seen(self, batch: str) -> Any:
        return await asked(self._door.bulk, "GET", f"/v1beta/{quote(batch)}", JSON_HEADERS)


def _about(operation: Any) -> Mapping[str, Any]:
    """What is said of a batch: in an operation's metadata, or at its top."""
    return mapping_in(operation, "metadata") or (operation if isinstance(operation, dict) else {})


def _answer(entry: Any) -> ItemAnswer:
    """One answer as a direct call would have had it."""
    response, error = mapping_in(entry, "response"), mapping_in(entry, "error")
    if response:
        return ItemAnswer(200, json.dumps(response, ensure_ascii=False))
    status = STATUS.get(count_in(error, "code"), 500)
    return ItemAnswer(status, json.dumps({"error": error or {"message": "no answer and no error"}}, ensure_ascii=False))
