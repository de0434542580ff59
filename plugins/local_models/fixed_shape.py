"""Batched generation in which a reply does not depend on its neighbours, to the last bit.

Floating-point sums depend on the shapes that a kernel is given: the same prompt in a bigger batch, or with more
padding, has logits that differ by about 6e-7, and now and then another token is drawn. So every shape here follows
from the row itself, never from the rows beside it:

- A prompt is read alone (batch 1), in pieces of `piece` tokens counted from its start. A piece's keys and values
  depend on the tokens up to its end and on nothing else, so they are kept and used again by the next turn.
- New tokens come from a group of always `group` rows: free rows compute on nothing, a row may join at any step, and
  attention is computed for each row by itself, over exactly its own tokens (see row_cache).

What this does not promise: equal bits on other processors, devices, data types, library versions, or group sizes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cbtrun.plugins.local_models.row_sampling import Sampling, next_tokens, uniforms

if TYPE_CHECKING:
    from torch import Tensor

    from cbtrun.plugins.local_models.row_cache import RowCache

BURST = 8
"""Steps between two looks at what has arrived."""


@cache
def torch_worker() -> ThreadPoolExecutor:
    """The one thread of this process that runs models: two at a time would fight for the same cores and be slower."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="cbtrun-torch")


@dataclass
class Row:
    """One reply under way."""

    prompt: list[int]
    """Token ids."""
    limit: int
    """Most new tokens."""
    seed: int
    stopped: Callable[[list[int]], bool]
    """Whether the new tokens end in a stop string."""
    done: asyncio.Future[Row]
    tokens: list[int] = field(default_factory=list)
    """New token ids, the end token left out."""
    ended: bool = False
    """True once the model ended its turn by itself or met a stop string."""
    draws: list[float] = field(default_factory=list)
    trace: list[Tensor] | None = None
    """Where given, the logits of every step (vocabulary,) are added: for tests."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to generate."""
        return self.ended or len(self.tokens) >= self.limit


class Generator:
    """A causal language model that answers many prompts at once. Only `reply` is to be called from outside."""

    def __init__(
        self,
        model: Any,
        ends: frozenset[int],
        sampling: Sampling,
        *,
        group: int,
        piece: int,
        longest: int,
        threads: int,
        keep_bytes: int,
    ) -> None:
        self._group = _Group(model, group, longest, ends, sampling, _PromptReader(model, piece, keep_bytes))
        self._threads = threads
        self._waiting: deque[Row] = deque()
        self._driver: asyncio.Task[None] | None = None

    async def reply(self, row: Row) -> Row:
        """The row with its new tokens. Rows asked for at the same time are worked on together."""
        self._waiting.append(row)
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        return await row.done

    async def close(self) -> None:
        """Stop working and give the memory back."""
        if self._driver is not None and not self._driver.done():
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)
        del self._group

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)  # whoever asks at this moment comes along
            arrived = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if not arrived and not self._group.busy:
                return
            try:
                finished = await loop.run_in_executor(torch_worker(), self._work, arrived)
            except Exception as error:  # whoever waits must hear of it, whatever it is
                for row in self._group.give_up():
                    if not row.done.done():
                        row.done.set_exception(error)
                continue
            for row in finished:
                if not row.done.done():
                    row.done.set_result(row)

    def _work(self, arrived: list[Row]) -> list[Row]:
        """Take in what has arrived and go on for a few steps; gives the finished rows. Runs in the worker."""
        import torch

        self._group.queue.extend(arrived)
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            return self._group.advance()


class _Group:
    """The rows under way, over one cache."""

    def __init__(
        self, model: Any, rows: int, longest: int, ends: frozenset[int], sampling: Sampling, reader: _PromptReader
    ) -> None:
        import torch

        from cbtrun.plugins.local_models.row_cache import RowCache

        self._model, self._ends, self._sampling, self._reader = model, ends, sampling, reader
        self.queue: deque[Row] = deque()
        self._rows: list[Row | None] = [None] * rows
        self._cache = RowCache(model, rows, longest)
        device = model.device
        self._slots = torch.arange(rows, device=device)
        self._ids = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._mask = torch.zeros(rows, 1, 1, 1, dtype=model.dtype, device=device)  # keeps models from making their own
        self._seen = torch.zeros(rows, model.config.get_text_config().vocab_size, dtype=torch.bool, device=device)

    @property
    def busy(self) -> bool:
        """Whether there is something to do."""
        return bool(self.queue) or any(row is not None for row in self._rows)

    def give_up(self) -> list[Row]:
        """All rows, waiting and under way; the group is empty then."""
        given = [*self.queue, *(row for row in self._rows if row is not None)]
        self.queue.clear()
        for slot in range(len(self._rows)):
            self._free(slot)
        return given

    def advance(self) -> list[Row]:
        """Fill free rows from the queue, then step until a row is finished or the burst is over."""
        self._drop_cancelled()
        for slot, row in enumerate(self._rows):
            if row is None and self.queue:
                self._admit(slot, self.queue.popleft())
        for _ in range(BURST):
            if not any(self._rows):
                break
            finished = self._step()
            if finished:
                return finished
        return []

    def _drop_cancelled(self) -> None:
        self.queue = deque(row for row in self.queue if not row.done.cancelled())
        for slot, row in enumerate(self._rows):
            if row is not None and row.done.cancelled():
                self._free(slot)

    def _admit(self, slot: int, row: Row) -> None:
        """Put all of a prompt but its last token into the cache; the last is the input of the first step."""
        self._rows[slot] = row  # from here on `give_up` knows of it
        row.draws = uniforms(row.seed, row.limit)
        self._reader.read(row.prompt[:-1], self._cache, slot)
        self._cache.places[slot] = len(row.prompt) - 1
        self._ids[slot, 0] = row.prompt[-1]
        self._seen[slot] = False
        self._seen[slot, row.prompt] = True

    def _free(self, slot: int) -> None:
        self._rows[slot] = None
        self._cache.places[slot] = 0

    def _step(self) -> list[Row]:
        """One token for every row. Returns the rows that it finished."""
        import torch

        output = self._model(
            input_ids=self._ids,
            attention_mask=self._mask,
            position_ids=self._cache.places[:, None],
            **self._cache.for_step(),
            use_cache=True,
            row_lengths=[
                (slot, len(row.prompt) + len(row.tokens)) for slot, row in enumerate(self._rows) if row is not None
            ],
        )
        logits = output.logits[:, -1].float()  # (rows, vocabulary)
        draws = [row.draws[len(row.tokens)] if row else 0.0 for row in self._rows]
        tokens = next_tokens(logits, torch.tensor(draws, device=logits.device), self._sampling, self._seen)
        self._ids[:, 0] = tokens
        self._seen[self._slots, tokens] = True
        taken = zip(list(self._rows), tokens.tolist(), strict=True)
        return [row for slot, (row, token) in enumerate(taken) if row and self._take(slot, row, token, logits)]

    def _take(self, slot: int, row: Row, token: int, logits: Tensor) -> bool:
        """Add a token to its row. Returns whether the row is finished."""
        if row.trace is not None:
            row.trace.append(logits[slot].clone())
        self._cache.places[slot] += 1
        if token in self._ends:
            row.ended = True
        else:
            row.tokens.append(token)
            row.ended = row.stopped(row.tokens)
        if row.finished:
            self._free(slot)
        return row.finished


def forward_piece(model: Any, cache: RowCache, slot: int, start: int, piece: list[int], logits: int = 1) -> Any:
    """Read the next tokens of a row into the cache. Gives the model's output, with the logits of the last so many tokens."""
    import torch

    device, dtype = model.device, model.dtype
    end = start + len(piece)
    places = torch.arange(start, end, device=device)
    later = torch.arange(end, device=device)[None, :] > places[:, None]  # (piece, end): nobody sees what comes later
    mask = torch.zeros(later.shape, dtype=dtype, device=device).masked_fill_(later, torch.finfo(dtype).min)
    return model(
        input_ids=torch.tensor([piece], device=device),
        attention_mask=mask[None, None],
        position_ids=places[None],
        **cache.for_piece(slot, start, end),
        use_cache=True,
        logits_to_keep=logits,
    )


class _PromptReader:
    """Reads prompts piece by piece; the keys and values of pieces that many prompts begin with are computed once."""

    def __init__(self, model: Any, piece: int, keep_bytes: int) -> None:
        self._model, self._piece, self._keep_bytes = model, piece, keep_bytes
        self.kept: OrderedDict[bytes, Tensor] = OrderedDict()
        self._bytes = 0

    def read(self, tokens: list[int], cache: RowCache, slot: int) -> None:
        """Write the keys and values of `tokens` into a row of the cache."""
        hasher = hashlib.sha256()
        for start in range(0, len(tokens), self._piece):
            piece = tokens[start : start + self._piece]
            hasher.update(repr(piece).encode())
            key = hasher.digest()
            if key in self.kept:
                self.kept.move_to_end(key)
                cache.put(slot, start, self.kept[key])
                continue
            forward_piece(self._model, cache, slot, start, piece)
            if len(piece) == self._piece:
                self._keep(key, cache.cut(slot, start, start + self._piece))

    def _keep(self, key: bytes, piece: Tensor) -> None:
        self.kept[key] = piece
        self._bytes += piece.nbytes
        while self._bytes > self._keep_bytes:
            _, old = self.kept.popitem(last=False)
            self._bytes -= old.nbytes
