"""A coroutine, run to its end from code that is none: also where an event loop is at work already, as in a notebook."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

T = TypeVar("T")


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """What the coroutine gives. Ctrl-C cancels it, waits for what it does then, and raises KeyboardInterrupt."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _beside(work)


def _beside(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: a loop that is at work cannot run another one inside itself."""
    import asyncio
    from concurrent.futures import Future, ThreadPoolExecutor, wait
    from contextvars import copy_context

    begun: Future[tuple[AbstractEventLoop, Task[Any] | None]] = Future()

    async def told() -> T:
        begun.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    with ThreadPoolExecutor(1, "cbtrun") as pool:
        running = pool.submit(copy_context().run, asyncio.run, told())
        try:
            return running.result()
        except KeyboardInterrupt:
            loop, task = begun.result()
            if task is not None and not running.done():
                loop.call_soon_threadsafe(task.cancel)
            wait([running])
            raise
