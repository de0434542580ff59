"""What the filling in of one template may take: steps, text and time. Every value in it is plain and of bounded size.

The counts are the same on every machine; the clock is there for what they do not see, and a sound template never hears it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

ENTRY = 8
"""Characters that an entry of a list or mapping counts for: each is looked at by itself."""
LARGEST = 10**18
"""No number in a template may be larger: `10 ** 10 ** 10` would never be done."""


class LimitError(Exception):
    """A template takes more than it may: it would not end, or would fill the memory."""


@dataclass
class Budget:
    """What is left for one filling in."""

    steps: int
    """Turns of loops, calls and filters."""
    text: int
    """Characters and list entries that are made or looked at."""
    size: int
    """Most characters and entries of one value."""
    seconds: float
    began: float = field(default_factory=time.monotonic)

    def step(self, text: int = 0) -> None:
        """One more step, which handles so much text. Raises LimitError."""
        self.steps -= 1
        self.text -= max(text, 0)
        if self.steps < 0:
            raise LimitError("it takes too many steps: loops within loops, or one that does not end")
        if self.text < 0:
            raise LimitError("it makes too much text")
        if not self.steps % 64 and time.monotonic() - self.began > self.seconds:
            raise LimitError(f"it takes longer than {self.seconds:g} seconds")

    def check_size(self, size: float) -> None:
        """Refuse a value before it is made. Raises LimitError."""
        if size > self.size:
            raise LimitError(f"a value in it is too large: at most {self.size:,} characters")


_CURRENT: ContextVar[Budget | None] = ContextVar("cbtrun_template_budget", default=None)


@contextmanager
def spending(budget: Budget) -> Iterator[Budget]:
    """Within it, templates are filled in at the cost of this budget."""
    token = _CURRENT.set(budget)
    try:
        yield budget
    finally:
        _CURRENT.reset(token)


def current() -> Budget:
    """The budget of the running template. Raises LimitError outside one: Jinja works out constants when it compiles."""
    budget = _CURRENT.get()
    if budget is None:
        raise LimitError("no template is being filled in")
    return budget


def counted_size(value: Any) -> int:
    """Characters and entries of a plain value, counted as if nothing in it were shared, at the running budget's cost.

    Raises LimitError for a value that is too large, holds a number that is, or is not plain.
    """
    budget = current()
    size, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        size += ENTRY
        if isinstance(part, str):
            size += len(part)
        elif isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            waiting += part
        elif isinstance(part, range):
            size += ENTRY * len(part)
        else:
            check_scalar(part)
        budget.check_size(size + ENTRY * len(waiting))
    budget.step(size)
    return size


def check_scalar(value: Any) -> None:
    """Raises LimitError for what is neither none, nor true or false, nor a number of a bearable size.

    What Jinja has in place of a value that is not there speaks for itself.
    """
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise LimitError(f"a number in it is too large: at most {LARGEST:,}")
    elif hasattr(type(value), "_fail_with_undefined_error"):
        str(value)  # Jinja's stand-in for what is not there; a strict one says so
    elif value is not None and not isinstance(value, float):
        raise LimitError("it uses something that is no text, number, list or mapping as one")


def check_plain(value: Any) -> None:
    """Raises TypeError for a value that holds anything but strings, numbers, none, lists and string-keyed dicts.

    Exactly these types: a subclass could bring methods.
    """
    if type(value) is dict:
        for key, part in value.items():
            if type(key) is not str:
                raise TypeError(f"a template may not see a key of type {type(key).__name__}")
            check_plain(part)
    elif type(value) is list:
        for part in value:
            check_plain(part)
    elif value is not None and type(value) not in (str, int, float, bool):
        raise TypeError(f"a template may not see a {type(value).__name__}")
