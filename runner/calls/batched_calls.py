"""Calls of one stage that are bought in batches, draw by draw: budget, tries and what counts as a reply are as for any call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from cbtrun.calls.batch_course import BatchCourse, Gathered, refuse_undone
from cbtrun.calls.batch_desk import BatchDesk
from cbtrun.calls.budget import Budget, Reserve, estimate
from cbtrun.calls.kept_replies import keepable, without_keys
from cbtrun.calls.server_gate import ServerGates
from cbtrun.calls.server_terms import HasTerms, ServerTerms, priced
from cbtrun.calls.spoken import fresh, refuse_withheld
from cbtrun.calls.tally import Tally
from cbtrun.contract.batches import HasBatches, ItemAnswer
from cbtrun.contract.models import Reply, Request
from cbtrun.errors import CbtrunError, ModelError, ServerTrouble
from cbtrun.journal.batch_book import BATCH, Batch
from cbtrun.journal.journal import Fault, Journal


@dataclass
class BatchedCalls:
    """One stage's way to batches: a desk for each model."""

    journal: Journal
    stage: str
    tally: Tally
    gates: ServerGates
    budget: Budget | None
    before_asking: Callable[[str], None]
    _desks: dict[str, BatchDesk] = field(default_factory=dict)

    def stop(self) -> None:
        """Hand in nothing more, and wait for nothing that is in the journal."""
        for desk in self._desks.values():
            desk.stop()

    async def reply(self, model: HasBatches, seeded: Request, request: Request, fault: Fault, identity: str) -> Reply:
        """The reply that comes in a batch: in the one that the draw is in, or the next. A failure is tried again in a further
        one, a try of its own, as often as the server's limits allow.

        seeded: the request as the model hears it. fault: what a failed try is noted as; its key is the draw's.
        """
        assert isinstance(model, HasTerms)
        desk, terms, faults = self._desk(model, model.terms, fault.model, identity), model.terms, 0
        while True:
            try:
                return await self._tried(desk, model, seeded, request, fault)
            except ServerTrouble as trouble:
                without_keys(trouble)
                faults += 1
                self.tally.retries[fault.label] += 1
                self.journal.keep_fault(replace(fault, error=str(trouble), kind="fault"))
                if faults >= terms.limits.tries:
                    raise ModelError(f"{terms.server}: {faults} tries failed, in batches; last: {trouble}") from None

    async def _tried(
        self, desk: BatchDesk, model: HasBatches, seeded: Request, request: Request, fault: Fault
    ) -> Reply:
        """One try of one draw."""
        assert isinstance(model, HasTerms)
        terms, reply = model.terms, None
        waits = self.journal.batches.where(fault.key) is not None
        reserve = await self._reserved(seeded, terms, waits=waits)
        try:
            most = estimate(seeded, terms, batched=True).usd if terms.prices else None
            draw = Gathered(fault.key, request.about, b"", most)
            answer = await desk.answer(draw, lambda: model.batch_body(seeded))
            reply = await self._read(model, answer, seeded, request, fault)
        finally:
            if self.budget is not None:
                self.budget.settle(reserve, reply, terms)
        return reply

    async def _read(
        self, model: HasBatches, answer: ItemAnswer, seeded: Request, request: Request, fault: Fault
    ) -> Reply:
        """The reply in an answer. What is none is taken out of the journal, so that the draw may be asked for again."""
        assert isinstance(model, HasTerms)
        try:
            refuse_undone(answer)
            read = replace(await model.batch_reply(seeded, answer), bought=BATCH)
            reply = priced(fresh(keepable(read), seeded), model.terms.prices)
            refuse_withheld(reply, request, fault.model)
        except (CbtrunError, ServerTrouble) as error:
            without_keys(error)
            self.journal.batches.release(fault.key)
            raise
        return reply

    async def _reserved(self, request: Request, terms: ServerTerms, *, waits: bool) -> Reserve:
        if self.budget is None:
            return Reserve()
        return self.budget.take_up() if waits else await self.budget.reserve(request, terms, batched=True)

    def _desk(self, model: HasBatches, terms: ServerTerms, name: str, identity: str) -> BatchDesk:
        if name not in self._desks:
            service = model.batch_service()
            named = Batch("", service.vendor, terms.server, self.stage, name, identity[:16])
            book, gate = self.journal.batches, self.gates.gate(terms)
            course = BatchCourse(book, service, gate, named, self.journal.folder, terms.limits.batch_poll_seconds)
            course.before_asking = partial(self.before_asking, name)
            course.note = self._note
            self._desks[name] = BatchDesk(course)
        return self._desks[name]

    def _note(self, batch: str, _done: int, words: str) -> None:
        self.tally.waits.pop(batch, None)
        if words:
            self.tally.waits[batch] = words
