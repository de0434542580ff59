"""From conversations to token ids: the tokenizer, the chat format, and shards made side by side.

A shard is a fixed row of seeds, so the stream of tokens is the same whatever the number of worker processes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from .recipe.dialogue import Chat, conversation

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

PAD, END = "<|pad|>", "<|end|>"
SPECIAL = (PAD, END, "<|system|>", "<|user|>", "<|assistant|>")
SHARD_DIALOGUES = 800

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "<|assistant|>{%- generation -%}{{ message['content'] }}<|end|>{%- endgeneration -%}"
    "{%- else -%}"
    "<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)


def chat_text(chat: Chat) -> str:
    """The conversation as the chat template renders it."""
    return "".join(f"<|{message['role']}|>{message['content']}{END}" for message in chat)


def train_tokenizer(seed: str, dialogues: int, vocabulary: int) -> Any:
    """A byte-level BPE `tokenizers.Tokenizer` of `vocabulary` entries, digits one by one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (
        message["content"] for i in range(dialogues) for message in conversation(f"{seed}/tokenizer/{i}", held=False)
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


_tokenizer: Any = None


def _start_worker(tokenizer_json: str) -> None:
    from tokenizers import Tokenizer

    global _tokenizer  # one tokenizer for each worker process, read-only after its start
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _tokenizer = Tokenizer.from_str(tokenizer_json)


def shard(seed: str, number: int, held: bool = False) -> bytes:
    """Token ids (uint16, little endian) of SHARD_DIALOGUES conversations, one after the other."""
    import numpy as np

    texts = [chat_text(conversation(f"{seed}/{number}/{i}", held)) for i in range(SHARD_DIALOGUES)]
    ids = [token for encoding in _tokenizer.encode_batch(texts) for token in encoding.ids]
    return np.asarray(ids, dtype="<u2").tobytes()


def open_workers(tokenizer_json: str, workers: int) -> Pool:
    """Processes that make shards; to be opened before torch is used, because they are forked."""
    import multiprocessing

    return multiprocessing.get_context("fork").Pool(workers, _start_worker, (tokenizer_json,))


def rows(pool: Pool, seed: str, batch: int, length: int, workers: int) -> Iterator[Any]:
    """Batches of token ids, (batch, length) int64, endless, always in the same order."""
    import numpy as np

    waiting = deque(pool.apply_async(shard, (seed, number)) for number in range(2 * workers))
    numbers = count(2 * workers)
    rest = np.zeros(0, dtype="<u2")
    while True:
        while len(rest) < batch * length:
            rest = np.concatenate([rest, np.frombuffer(waiting.popleft().get(), dtype="<u2")])
            waiting.append(pool.apply_async(shard, (seed, next(numbers))))
        yield rest[: batch * length].reshape(batch, length).astype(np.int64)
        rest = rest[batch * length :]
