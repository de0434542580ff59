"""A coroutine, run to its end from code that is none: also where an event loop is at work already, as in a notebook."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from concurrent.futures import Future

T = TypeVar("T")
SOON_SECONDS = 10.0
"""Within which a thread that was started has begun."""
LOOK_SECONDS = 0.1


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
    from concurrent.futures import Future
    from contextvars import copy_context
    from threading import Thread

    begun: Future[tuple[AbstractEventLoop, Task[Any]]] = Future()
    ended: Future[T] = Future()
    context = copy_context()

    async def told() -> T:
        task = asyncio.current_task()
        assert task is not None  # asyncio.run made one of this
        begun.set_result((asyncio.get_running_loop(), task))
        return await work

    def run() -> None:
        try:
            ended.set_result(context.run(asyncio.run, told()))
        except BaseException as error:
            ended.set_exception(error)

    thread = Thread(target=run, name="cbtrun")
    try:
        thread.start()  # in the try: Ctrl-C may come while it waits for the thread to be there
        _wait(ended)
    except KeyboardInterrupt:
        _cancel(*begun.result(SOON_SECONDS), ended)
        raise
    return ended.result()


def _cancel(loop: AbstractEventLoop, task: Task[Any], ended: Future[Any]) -> None:
    """Cancel a task of another thread's loop and wait for what it does then; each further Ctrl-C cancels that too."""
    from contextlib import suppress

    while not ended.done():
        with suppress(KeyboardInterrupt, RuntimeError):  # RuntimeError: the loop is closed, it just ended
            loop.call_soon_threadsafe(task.cancel)
            _wait(ended)


def _wait(ended: Future[Any]) -> None:
    """Until it has ended. Looks up again and again: a signal that another thread took wakes nobody."""
    from concurrent.futures import wait

    while not ended.done():
        wait([ended], LOOK_SECONDS)
