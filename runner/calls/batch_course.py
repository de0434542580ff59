"""What becomes of one batch: written down, handed in, looked for, waited for, collected. Once, whatever dies in between.

Each step is in the journal before the next is taken. A submission whose answer was lost is looked for at the vendor by its
mark; where it is not found it may be there all the same, and then the run stops: nothing is handed in a second time until
the user says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from cbtrun.calls.kept_replies import speakable
from cbtrun.calls.server_gate import ServerGate
from cbtrun.contract.batches import (
    CANCELLED,
    EXPIRED,
    LOST,
    BatchItem,
    BatchSeen,
    BatchService,
    ItemAnswer,
    Submission,
    SubmissionUnknown,
    TooLarge,
)
from cbtrun.contract.digests import digest
from cbtrun.errors import CbtrunError, ModelError, Refusal, ServerFault, ServerTrouble, StopRun
from cbtrun.journal.batch_book import COLLECTED, FAILED, SUBMITTED, SUBMITTING, Batch, BatchBook

T = TypeVar("T")
FIND_PAUSES = (0.0, 3.0, 10.0, 30.0)
"""Seconds before each look into a vendor's list: a list may lag behind what was handed in."""
KEY_SIGNS = 40
"""Of a draw's key, in the id of its request: with our mark and `-` no longer than any vendor takes (64)."""
STOPPING = "the run is stopping"
MOST_BODY = 8 * 2**20
"""Signs of one answer: as much as of a direct call (`max_reply_mib`)."""
HUGE = ItemAnswer(500, '{"error": {"message": "the answer is longer than 8 MiB"}}')


@dataclass(frozen=True)
class Gathered:
    """A draw that is to be handed in."""

    key: str
    about: str
    """Whose words it holds."""
    body: bytes
    usd: float | None
    """What it may cost at most; none where there are no prices."""


@dataclass
class BatchCourse:
    """The way of one model's batches in one stage."""

    book: BatchBook
    service: BatchService
    gate: ServerGate
    named: Batch
    """What every batch has in common: vendor, server, stage, model."""
    folder: Path
    poll_seconds: float
    before_asking: Callable[[], None] = lambda: None
    """Raises what ends the run when nothing new may be handed in."""
    note: Callable[[str, int, str], None] = lambda batch, done, words: None  # noqa: ARG005 - nobody is shown
    """Told how far a batch is: its mark, draws that are done, what it is waiting for (empty: for nothing any more)."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def hand_in(self, draws: Sequence[Gathered]) -> str:
        """Write a batch down and hand it in; gives our mark of it.

        Raises ModelError or StopRun where the vendor does not take it, TooLarge for its size, and StopRun where nobody can
        say whether it was taken.
        """
        batch = self._built(draws)
        items = [BatchItem(item_id(batch, one.key), one.body) for one in draws]
        try:
            file = await self._asked(lambda: self.service.upload(batch, items))
            self._go_on()
            self.before_asking()
            sent = time.time()
            self.book.submitting(batch, file, sent)
            submission = Submission(batch, file, len(items), sent)
            got = await self._asked(lambda: self.service.submit(submission, items))
        except SubmissionUnknown as lost:
            got = await self._found(batch, str(lost))
        except CbtrunError as refused:  # for certain: no answer of this kind comes of what was taken
            self.book.drop(batch, FAILED, speakable(str(refused)), time.time())
            raise
        self.book.submitted(batch, got)
        return batch

    async def wait(self, batch: str) -> None:
        """Wait for a batch and collect it. Raises as `hand_in`, and Refusal when the vendor refused the whole of it."""
        found = self.book.batch(batch)
        if found is not None and found.state == SUBMITTING:
            self.book.submitted(batch, await self._found(batch, "a run ended while it was handed in"))
            found = self.book.batch(batch)
        if found is None or found.state != SUBMITTED:
            return
        try:
            seen = await self._ended(found)
            await self._take(found, seen)
        finally:
            self.note(batch, found.size, "")

    async def _ended(self, batch: Batch) -> BatchSeen:
        """Look at a batch again and again, until it has ended."""
        done = -1
        while (seen := await self._looked(batch)).standing == "working":
            if seen.done != done:
                done = seen.done
                self.book.seen(batch.batch, done)
            self.note(batch.batch, done, f"{batch.size:,} in a batch at {batch.vendor}, {done:,} done")
            await self._pause(self.poll_seconds)
        return seen

    def _built(self, draws: Sequence[Gathered]) -> str:
        costs = [one.usd for one in draws]
        named, batch = self.named, token_hex(8)
        built = Batch(
            batch,
            named.vendor,
            named.server,
            named.stage,
            named.model,
            named.asked,
            digest=digest([one.body.decode("utf-8", "replace") for one in draws]),
            size=len(draws),
            usd=None if None in costs else sum(cost or 0.0 for cost in costs),
            made=time.time(),
        )
        self.book.build(built, [(one.key, one.about) for one in draws])
        return batch

    async def _looked(self, batch: Batch) -> BatchSeen:
        try:
            return await self._asked(lambda: self.service.look(batch.id))
        except ModelError as refused:
            raise StopRun(
                f"{told(batch)} cannot be looked at: {refused}. It is paid for; with the right key and account the same command "
                f"collects it. To have its draws asked anew, at their price: {self._command(batch.batch, '--give-up')}"
            ) from None

    async def _take(self, batch: Batch, seen: BatchSeen) -> None:
        """Keep what came of a batch that has ended."""
        if seen.standing == "failed":
            self.book.drop(batch.batch, FAILED, speakable(seen.why), time.time())
            if seen.too_large:
                raise TooLarge(f"{told(batch)} was refused for its size: {seen.why}")
            raise Refusal(f"{told(batch)} was refused as a whole: {seen.why}")
        answers = await self._asked(lambda: self.service.results(batch.id, seen))
        missing = {"expired": EXPIRED, "cancelled": CANCELLED}.get(seen.standing, LOST)
        kept = {}
        for key in self.book.keys(batch.batch):
            answer = answers.get(item_id(batch.batch, key), ItemAnswer(missing, ""))
            kept[key] = ItemAnswer(answer.status, speakable(answer.body)) if len(answer.body) <= MOST_BODY else HUGE
        note = seen.standing if seen.standing != "ended" else ""
        self.book.collect(batch.batch, COLLECTED, kept, time.time(), note)

    async def _found(self, batch: str, why: str) -> str:
        """The vendor's id of a batch that may have been handed in. Raises StopRun where its list has none of our mark."""
        kept = self.book.batch(batch)
        assert kept is not None
        submission = Submission(batch, kept.file, kept.size, kept.sent)
        for pause in FIND_PAUSES:
            await self._pause(pause)
            found = await self._asked(lambda: self.service.find(submission, self.book.ids()))
            while found.undecided and not found.id:
                self.note(
                    batch,
                    0,
                    f"{kept.size:,} looked for among {kept.vendor}'s batches, which show whose they are when they end",
                )
                await self._pause(self.poll_seconds)
                found = await self._asked(lambda: self.service.find(submission, self.book.ids()))
            if found.id:
                return found.id
        raise StopRun(self._may_be_paid(kept, why))

    def _may_be_paid(self, batch: Batch, why: str) -> str:
        cost = "" if batch.usd is None else f", at most ${batch.usd:,.2f}"
        return (
            f"{told(batch)} may have been submitted ({why}), and {batch.vendor}'s list shows none with its mark. What may have "
            f"been paid: {batch.size:,} requests{cost}. It is not submitted again. Look at {self.service.console}, then say one of\n"
            f"  {self._command(batch.batch, '--not-submitted')}    it is not there: its draws are asked for anew\n"
            f"  {self._command(batch.batch, '--found', '=ID')}    it is there: it is collected\n"
            f"  {self._command(batch.batch, '--give-up')}    whatever it cost, its draws are asked for anew\n"
            "and run the same command again, which looks once more"
        )

    def _command(self, batch: str, option: str, more: str = "") -> str:
        return f"cbtrun journal pending {self.folder} {option} {batch}{more}"

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await self.gate.call(ask, _counted_nowhere)

    async def _pause(self, seconds: float) -> None:
        """Wait. Raises StopRun as soon as the run is to end."""
        if seconds and not self.stopping.is_set():
            try:
                await asyncio.wait_for(self.stopping.wait(), seconds)
            except TimeoutError:
                return
        self._go_on()

    def _go_on(self) -> None:
        if self.stopping.is_set():
            raise StopRun(STOPPING)


def item_id(batch: str, key: str) -> str:
    """What a draw's answer comes back under: the batch's mark, so that it is known by its answers, and the draw's key."""
    return f"{batch}-{key[:KEY_SIGNS]}"


def refuse_undone(answer: ItemAnswer) -> None:
    """Raises what it means that a request of a batch was not done: it was not paid for, and is tried again.

    Not where somebody cancelled the batch: to ask again is for the next command to say.
    """
    if answer.status == CANCELLED:
        raise StopRun(
            "a batch was cancelled at the vendor: what was done before is kept, and nothing is asked for again in this run. "
            "Run the same command again to have the rest asked"
        )
    if answer.status == EXPIRED:
        raise ServerFault("the batch was over (24 h) before this request was done")
    if answer.status == LOST:
        raise ServerFault("the batch has ended without an answer to this request")


def told(batch: Batch) -> str:
    """A batch in words."""
    there = f", {batch.id}" if batch.id else ""
    return f"batch {batch.batch} of {batch.stage} ({batch.size:,} requests to '{batch.model}' at {batch.server}{there})"


def _counted_nowhere(trouble: ServerTrouble) -> None:
    """A look at a batch that failed and is made again costs nothing and says nothing about a draw."""
