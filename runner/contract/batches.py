"""What a vendor's batch API is to the rest of cbtrun: requests handed in together, answered within a day, at half the price.

A plugin says how its vendor speaks; when a batch is made, found again, waited for and collected is the runner's
(calls/batch_desk.py), so that nothing is bought twice whatever the vendor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from cbtrun.contract.models import Reply, Request
from cbtrun.errors import ModelError

Standing = Literal["working", "ended", "expired", "cancelled", "failed"]
"""What became of a batch. All but `working` are final; `failed` means that the whole of it was refused and none was done."""

EXPIRED, CANCELLED, LOST = 1, 2, 3
"""Status of an answer that is none: the day was over, or somebody cancelled the batch, before the request was done, or the
vendor has none of it."""


class TooLarge(ModelError):
    """The vendor takes no batch of this size, or no more at this time: the same in two halves may pass."""


class SubmissionUnknown(Exception):
    """The answer to a submission was lost: whether there is a batch now is for the vendor's list to say."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One request of a batch."""

    id: str
    """What the answer comes back under: unique in the batch, letters, digits and `-`, at most 64."""
    body: bytes
    """The request, as a direct call would send it (JSON)."""


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """What came back for one request: an answer as a direct call gets it, or why there is none."""

    status: int
    """HTTP's, or EXPIRED, CANCELLED or LOST."""
    body: str


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """What a vendor says of a batch."""

    standing: Standing
    done: int = 0
    """Requests that are done, as far as the vendor counts while it works."""
    why: str = ""
    """Of a batch that failed: the vendor's words."""
    too_large: bool = False
    """Of a batch that failed: whether it was for its size."""
    files: tuple[str, ...] = ()
    """Where the answers lie, for `results`."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch as it was handed in, or may have been."""

    token: str
    """Its own mark: in the vendor's metadata or name, and in the id of every request."""
    file: str
    """Uploaded file that holds its requests; empty where they are sent along."""
    size: int
    """Requests in it."""
    at: float
    """When it was about to be sent, in seconds since 1970."""


class BatchService(Protocol):
    """One vendor's batch API, for one model. Each coroutine is one try; what it raises is what a direct call would raise."""

    vendor: str
    own_host: str
    """The vendor's own host: there a study's `limits: {batch: true}` holds without a word in the model's block."""
    most_requests: int
    most_bytes: int
    """Of one batch, requests and what stands around them."""
    console: str
    """Where a person sees the vendor's batches."""

    async def upload(self, token: str, items: Sequence[BatchItem]) -> str:
        """Bring the requests to the vendor, at no price; gives the file's id, empty where there is no such step."""

    async def submit(self, submission: Submission, items: Sequence[BatchItem]) -> str:
        """Hand the batch in; gives its id. Raises TooLarge, or SubmissionUnknown when it may have got in."""

    async def find(self, submission: Submission, known: frozenset[str]) -> FoundBatch:
        """Look in the vendor's list for a batch that bears the submission's mark. known: ids of other batches of ours."""

    async def look(self, batch: str) -> BatchSeen:
        """How far a batch is."""

    async def results(self, batch: str, seen: BatchSeen) -> Mapping[str, ItemAnswer]:
        """Id of a request -> its answer, for all that were done or tried, in any order."""


@dataclass(frozen=True, slots=True)
class FoundBatch:
    """What a vendor's list says of a submission."""

    id: str = ""
    """The batch; empty where none bears the mark."""
    undecided: bool = False
    """Whether there are batches of which nobody can say yet: their ids are shown when they have ended."""


@runtime_checkable
class HasBatches(Protocol):
    """A model whose vendor has a batch API."""

    def batch_service(self) -> BatchService:
        """The API. Raises ModelError when the address cannot be called."""

    async def batch_body(self, request: Request) -> bytes:
        """The request as a direct call sends it. Nothing is sent."""

    async def batch_reply(self, request: Request, answer: ItemAnswer) -> Reply:
        """The reply in an answer, read as that of a direct call; raises as `reply` does. Nothing is sent."""
