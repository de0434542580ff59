"""OpenAI's batch API: a file of JSON lines is uploaded, a batch of it is made, and its answers come as two further files.

The file costs nothing and is made before the batch; the batch bears our mark in its metadata. So a batch whose submission was
lost is found in the list by either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cbtrun.plugin import (
    CANCELLED,
    EXPIRED,
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

MARK = "cbtrun_batch"
"""Our key in a batch's metadata."""
STANDINGS: Mapping[str, Standing] = {
    "completed": "ended",
    "expired": "expired",
    "cancelled": "cancelled",
    "failed": "failed",
}
"""OpenAI's status -> ours; all others are at work."""
NOT_DONE = {"batch_expired": EXPIRED, "batch_cancelled": CANCELLED}
PAGE, MOST_PAGES = 100, 100
EARLIER_SECONDS = 3600.0
"""How much older than our submission a batch in the list may look, since clocks differ, before the rest is not read."""


class OpenAIBatches:
    """The batches of one model's server."""

    vendor = "OpenAI"
    own_host = "api.openai.com"
    most_requests = 50_000
    most_bytes = 190_000_000
    console = "https://platform.openai.com/batches"

    def __init__(self, door: ServerDoor, endpoint: str) -> None:
        """endpoint: path of a direct call, below /v1."""
        self._door, self._endpoint = door, f"/v1{endpoint}"

    async def upload(self, token: str, items: Sequence[BatchItem]) -> str:
        """The requests as a file of JSON lines; gives its id."""
        head = json.dumps({"method": "POST", "url": self._endpoint})[:-1].encode()
        lines = [b'%s, "custom_id": "%s", "body": %s}' % (head, one.id.encode(), one.body) for one in items]
        kind, body = _form({"purpose": "batch"}, f"cbtrun-{token}.jsonl", b"\n".join(lines) + b"\n")
        made = await asked(self._door.bulk, "POST", "/files", {**JSON_HEADERS, "Content-Type": kind}, body)
        return id_in(made, "id")

    async def submit(self, submission: Submission, items: Sequence[BatchItem]) -> str:
        """A batch of the file; gives its id."""
        body = {
            "input_file_id": submission.file,
            "endpoint": self._endpoint,
            "completion_window": "24h",
            "metadata": {MARK: submission.token},
        }
        made = await submitted(self._door.transport, "/batches", JSON_HEADERS, json.dumps(body).encode())
        return id_of_submitted(made, "id")

    async def find(self, submission: Submission, known: frozenset[str]) -> FoundBatch:
        """The batch with our mark or of our file."""
        after = ""
        for _ in range(MOST_PAGES):
            page = await asked(self._door.transport, "GET", f"/batches?limit={PAGE}{after}", JSON_HEADERS)
            batches = [one for one in list_in(page, "data") if isinstance(one, dict)]
            for one in batches:
                marked = mapping_in(one, "metadata").get(MARK) == submission.token
                if marked or (submission.file and text_in(one, "input_file_id") == submission.file):
                    return FoundBatch(id_in(one, "id"))
            oldest = batches[-1] if batches else {}
            if not batches or not page.get("has_more") or _before(oldest, submission.at - EARLIER_SECONDS):
                break
            after = f"&after={quote(id_in(oldest, 'id'))}"
        return FoundBatch()

    async def look(self, batch: str) -> BatchSeen:
        """How far a batch is, and which files hold its answers."""
        seen = await asked(self._door.transport, "GET", f"/batches/{quote(batch)}", JSON_HEADERS)
        standing = STANDINGS.get(text_in(seen, "status"), "working")
        done = count_in(mapping_in(seen, "request_counts"), "completed", "failed")
        if standing == "failed":
            errors = [one for one in list_in(mapping_in(seen, "errors"), "data") if isinstance(one, dict)]
            why = "; ".join(dict.fromkeys(f"{text_in(one, 'message')} ({text_in(one, 'code')})" for one in errors[:5]))
            return BatchSeen(standing, done, why or "no reason is given", TOO_LARGE.search(why) is not None)
        files = tuple(one for name in ("output_file_id", "error_file_id") if (one := text_in(seen, name)))
        return BatchSeen(standing, done, files=files)

    async def results(self, batch: str, seen: BatchSeen) -> Mapping[str, ItemAnswer]:
        """The lines of both files."""
        found: dict[str, ItemAnswer] = {}
        for file in seen.files:
            body = await asked_bytes(self._door.bulk, "GET", f"/files/{quote(file)}/content", {"Accept": "*/*"})
            found |= {text_in(line, "custom_id"): _answer(line) for line in lines_of(body)}
        return found


def _answer(line: Mapping[str, Any]) -> ItemAnswer:
    """One line: an answer of HTTP, or a word about why there is none."""
    response = mapping_in(line, "response")
    if isinstance(status := response.get("status_code"), int) and status >= 100:
        return ItemAnswer(status, json.dumps(response.get("body"), ensure_ascii=False))
    error = mapping_in(line, "error")
    if (undone := NOT_DONE.get(text_in(error, "code"))) is not None:
        return ItemAnswer(undone, "")
    return ItemAnswer(500, json.dumps({"error": error or {"message": "no answer and no error"}}, ensure_ascii=False))


def _before(batch: Mapping[str, Any], moment: float) -> bool:
    made = batch.get("created_at")
    return isinstance(made, int | float) and not isinstance(made, bool) and made < moment


def _form(fields: Mapping[str, str], name: str, content: bytes) -> tuple[str, bytes]:
    """Content type and body of a form with one file, whose name bears a mark that nothing in it can know."""
    boundary = f"form-{name.partition('.')[0]}"
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (boundary.encode(), key.encode(), value.encode())
        for key, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/jsonl\r\n\r\n'
    return (
        f"multipart/form-data; boundary={boundary}",
        b"".join([*parts, head.encode(), content, b"\r\n--%s--\r\n" % boundary.encode()]),
    )
