"""Processes of ours that hold some of a GPU while they wait for more work: they end before somebody else needs it."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

End = Callable[[], None]
_waiting: list[End] = []
_lock = threading.Lock()


def wait_for_work(end: End) -> None:
    """Name who waits now. end: ends it and returns when its memory is free."""
    with _lock:
        _waiting.append(end)


def take_up_work(end: End) -> bool:
    """Whether who was named still waits; it does not wait any more."""
    with _lock:
        if end not in _waiting:
            return False
        _waiting.remove(end)
        return True


def make_room() -> None:
    """End all who wait: a model is to be opened."""
    while True:
        with _lock:
            if not _waiting:
                return
            end = _waiting.pop()
        end()


atexit.register(make_room)
