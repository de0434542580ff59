"""While cbtrun reads a model, transformers runs no Python that came with it, whatever its settings say, and asks nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

RUNS_CODE = ("get_class_in_module", "get_cached_module_file", "get_class_from_dynamic_module")
"""Functions of transformers by which Python of a model becomes a class; all other ways lead through the first."""
_READING: ContextVar[bool] = ContextVar("reading", default=False)
_ONCE = threading.Lock()


@contextmanager
def no_foreign_code() -> Iterator[None]:
    """Inside, a model that asks for its own Python is a ValueError; other code of this process may do as before."""
    _guard_transformers()
    token = _READING.set(True)
    try:
        yield
    finally:
        _READING.reset(token)


def _guard_transformers() -> None:
    from transformers import dynamic_module_utils as dynamic

    with _ONCE:
        if hasattr(dynamic, "cbtrun_guards"):
            return
        for name in RUNS_CODE:
            setattr(dynamic, name, _guarded(getattr(dynamic, name)))
        # An answer on standard input would be taken as consent: `yes | cbtrun` is none.
        dynamic.TIME_OUT_REMOTE_CODE = 0
        dynamic.cbtrun_guards = True  # type: ignore[attr-defined]  # a mark of ours


def _guarded(run: Callable[..., Any]) -> Callable[..., Any]:
    def refuse_while_reading(*given: Any, **more: Any) -> Any:
        if _READING.get():
            raise ValueError("the model asks to run Python of its own, which cbtrun never does")
        return run(*given, **more)

    return refuse_while_reading
