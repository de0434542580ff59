"""Messages between the driver and a process of the cluster: plain values as JSON, many in one message and none larger than need be.

Ray hands a message of up to 100 KB on as it is. A larger one it first puts into the shared memory of a machine (its object
store), which costs a round of its own for each message and stalls where that memory is short or slow.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cbtrun.contract.records import Json
from cbtrun.contract.workplace import Files

MESSAGE_BYTES = 64_000
"""Of values that travel together; one that is larger travels alone."""


def packed(values: Sequence[object]) -> Iterator[bytes]:
    """The values in their order, as lists that are messages each."""
    held: list[bytes] = []
    size = 0
    for value in values:
        words = json.dumps(value).encode()
        if held and size + len(words) > MESSAGE_BYTES:
            yield _joined(held)
            held, size = [], 0
        held.append(words)
        size += len(words)
    if held:
        yield _joined(held)


@dataclass
class Outbox:
    """What a process has to say: words with a number, a kind, values, and files that belong to them."""

    _words: deque[tuple[bytes, list[bytes]]] = field(default_factory=deque)

    def __bool__(self) -> bool:
        return bool(self._words)

    def add(self, number: int, kind: str, values: Json, files: Files | None = None) -> None:
        """Say one more."""
        sent: Mapping[str, bytes] = files or {}
        # Names alone: where a file stands is known once it is known what travels with it.
        told = {"values": values, "files": list(sent)} if kind == "told" else values
        self._words.append((json.dumps((number, kind, told)).encode(), list(sent.values())))

    def take(self) -> tuple[bytes, list[bytes]]:
        """The first words, as one message, and the files that belong to them, in their order."""
        held: list[bytes] = []
        files: list[bytes] = []
        size = 0
        while self._words and (not held or size + len(self._words[0][0]) <= MESSAGE_BYTES):
            words, own = self._words.popleft()
            held.append(words)
            files += own
            size += len(words) + sum(map(len, own))
        return _joined(held), files


def _joined(held: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(held) + b"]"
