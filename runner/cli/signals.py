"""What a cluster, a container or a terminal that is closed sends ends a run as Ctrl-C does: calls under way are kept.

SIGTERM is a scheduler's word that the time is over: exit 4, as of any limit, since the same command goes on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cbtrun.endings import SENT

ENDING = ("SIGTERM", "SIGHUP")


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Take SIGTERM and SIGHUP as the first Ctrl-C. One that is ignored, as under nohup, stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in a shell's background; asyncio looks for Python's handler
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            before[number] = signal.signal(number, _like_ctrl_c)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if signal.SIGINT in before:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _like_ctrl_c(number: int, frame: FrameType | None) -> None:
    SENT.append(number)
    handler = signal.getsignal(signal.SIGINT)  # asyncio's own while a stage talks to models: it lets calls land
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)
