"""Batched generation in which a reply does not depend on its neighbours, to the last bit.

Floating-point sums depend on the shapes that a kernel is given: the same prompt in a bigger batch, or with more
padding, has logits that differ by about 6e-7, and now and then another token is drawn. So every shape here follows
from the row itself, never from the rows beside it:

- A prompt is read alone (batch 1), in pieces of `piece` tokens counted from its start. A piece's keys and values
  depend on the tokens up to its end and on nothing else, so they are kept and used again by the next turn.
- New tokens come from a group of always `group` rows over a cache of always `capacity` places, a power of two that
  follows from the row's prompt and token limit. Free rows compute on nothing; a row may join at any step.
- Attention on the CPU is `eager` (plain matrix products): torch's fused kernel gave other bits on its second thread.

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

from cbtrun.plugins.row_sampling import Sampling, next_tokens, uniforms

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_CAPACITY = 256
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


def capacity_for(prompt: int, limit: int) -> int:
    """Places in the cache of the group that a row belongs to, by its own lengths in tokens alone."""
    capacity = SMALLEST_CAPACITY
    while capacity < prompt + limit:
        capacity *= 2
    return capacity


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
        self._model, self._ends, self._sampling = model, ends, sampling
        self._group, self._threads = group, threads
        self._reader = _PromptReader(model, piece, longest, keep_bytes)
        self._waiting: deque[Row] = deque()
        self._lanes: dict[int, _Lane] = {}
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
        self._lanes.clear()
        self._reader.forget()
        self._model = None

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)  # whoever asks at this moment comes along
            arrived = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if not arrived and not any(lane.busy for lane in self._lanes.values()):
                return
            try:
                finished = await loop.run_in_executor(torch_worker(), self._work, arrived)
            except Exception as error:
                self._fail([*arrived, *(row for lane in self._lanes.values() for row in lane.all_rows())], error)
                self._lanes.clear()
                continue
            for row in finished:
                if not row.done.done():
                    row.done.set_result(row)

    def _fail(self, rows: list[Row], error: Exception) -> None:
        for row in rows:
            if not row.done.done():
                row.done.set_exception(error)

    def _work(self, arrived: list[Row]) -> list[Row]:
        """Take in what has arrived and go on for a few steps; gives the finished rows. Runs in the worker."""
        import torch

        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            for row in arrived:
                self._lane(row).queue.append(row)
            finished: list[Row] = []
            for capacity in sorted(self._lanes):
                finished += self._lanes[capacity].advance(self._reader)
            return finished

    def _lane(self, row: Row) -> _Lane:
        capacity = capacity_for(len(row.prompt), row.limit)
        if capacity not in self._lanes:
            self._lanes[capacity] = _Lane(self._model, self._group, capacity, self._ends, self._sampling)
        return self._lanes[capacity]


class _Lane:
    """A group of rows over one cache of fixed shape."""

    def __init__(self, model: Any, group: int, capacity: int, ends: frozenset[int], sampling: Sampling) -> None:
        import torch
        from cbtrun.plugins.row_cache import RowCache

        self._model, self._ends, self._sampling = model, ends, sampling
        self.queue: deque[Row] = deque()
        self._rows: list[Row | None] = [None] * group
        self._cache = RowCache(model, group, capacity)
        device = model.device
        self._ids = torch.zeros(group, 1, dtype=torch.long, device=device)
        hidden = torch.finfo(model.dtype).min
        self._mask = torch.full((group, 1, 1, capacity), hidden, dtype=model.dtype, device=device)
        self._hidden = hidden
        self._seen = torch.zeros(group, model.config.vocab_size, dtype=torch.bool, device=device)

    @property
    def busy(self) -> bool:
        return bool(self.queue) or any(row is not None for row in self._rows)

    def all_rows(self) -> list[Row]:
        return [*self.queue, *(row for row in self._rows if row is not None)]

    def advance(self, reader: _PromptReader) -> list[Row]:
        """Fill free rows from the queue, then step until a row is finished or the burst is over."""
        self._drop_cancelled()
        for slot, row in enumerate(self._rows):
            if row is None and self.queue:
                self._admit(slot, self.queue.popleft(), reader)
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

    def _admit(self, slot: int, row: Row, reader: _PromptReader) -> None:
        """Put all of a prompt but its last token into the cache; the last is the input of the first step."""
        row.draws = uniforms(row.seed, row.limit)
        read = len(row.prompt) - 1
        reader.read(row.prompt[:read], self._cache, slot)
        self._cache.places[slot] = read
        self._mask[slot] = self._hidden
        self._mask[slot, ..., :read] = 0
        self._ids[slot, 0] = row.prompt[-1]
        self._seen[slot] = False
        self._seen[slot, row.prompt] = True
        self._rows[slot] = row

    def _free(self, slot: int) -> None:
        self._rows[slot] = None
        self._cache.places[slot] = 0
        self._mask[slot] = self._hidden

    def _step(self) -> list[Row]:
        """One token for every row. Returns the rows that it finished."""
        import torch

        places = self._cache.places
        self._mask[self._cache.slots, 0, 0, places] = 0
        output = self._model(
            input_ids=self._ids,
            attention_mask=self._mask,
            position_ids=places[:, None],
            past_key_values=self._cache.for_step(),
            use_cache=True,
        )
        logits = output.logits[:, -1].float()  # (group, vocabulary)
        draws = [row.draws[len(row.tokens)] if row else 0.0 for row in self._rows]
        tokens = next_tokens(logits, torch.tensor(draws, device=logits.device), self._sampling, self._seen)
        self._ids[:, 0] = tokens
        self._seen[self._cache.slots, tokens] = True
        return [
            row
            for slot, (row, token) in enumerate(zip(list(self._rows), tokens.tolist(), strict=True))
            if row is not None and self._take(slot, row, token, logits)
        ]

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


class _PromptReader:
    """Keys and values of prompts, read piece by piece; pieces that many prompts begin with are read once."""

    def __init__(self, model: Any, piece: int, longest: int, keep_bytes: int) -> None:
        self._model, self._piece, self._longest, self._keep_bytes = model, piece, longest, keep_bytes
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()
        self._bytes = 0
        self._cache: Any = None

    def forget(self) -> None:
        self._kept.clear()
        self._model = self._cache = None

    def read(self, tokens: list[int], into: Any, slot: int) -> None:
        """Write the keys and values of `tokens` into a row of a group's cache."""
        cache = self._room()
        hasher = hashlib.sha256()
        for start in range(0, len(tokens), self._piece):
            piece = tokens[start : start + self._piece]
            hasher.update(repr(piece).encode())
            self._read_piece(cache, start, piece, hasher.digest())
        into.take(slot, cache, len(tokens))

    def _room(self) -> Any:
        """A cache of one row, always of one size: strides, too, may decide which way a kernel goes."""
        from cbtrun.plugins.row_cache import RowCache

        if self._cache is None:
            self._cache = RowCache(self._model, 1, self._longest)
        return self._cache

    def _read_piece(self, cache: Any, start: int, piece: list[int], key: bytes) -> None:
        end = start + len(piece)
        if key in self._kept:
            self._kept.move_to_end(key)
            cache.put(start, self._kept[key])
            return
        self._forward(cache, start, piece)
        if len(piece) == self._piece:
            self._keep(key, cache.cut(start, end))

    def _forward(self, cache: Any, start: int, piece: list[int]) -> None:
        import torch

        device, dtype = self._model.device, self._model.dtype
        end = start + len(piece)
        places = torch.arange(start, end, device=device)
        later = (
            torch.arange(end, device=device)[None, :] > places[:, None]
        )  # (piece, end): nobody sees what comes later
        mask = torch.zeros(later.shape, dtype=dtype, device=device).masked_fill_(later, torch.finfo(dtype).min)
        self._model(
            input_ids=torch.tensor([piece], device=device),
            attention_mask=mask[None, None],
            position_ids=places[None],
            past_key_values=cache.for_piece(start, end),
            use_cache=True,
            logits_to_keep=1,
        )

    def _keep(self, key: bytes, piece: Tensor) -> None:
        self._kept[key] = piece
        self._bytes += piece.nbytes
        while self._bytes > self._keep_bytes:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.nbytes
