"""Between cbtrun and the Python that calls it: what strangers' files say gives the terminal no order, in errors too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace

from cbtrun.errors import CbtrunError, SpecError
from cbtrun.keys.hiding import hide
from cbtrun.keys.terminal import GuardedStream, visible


@contextmanager
def at_the_door() -> Iterator[GuardedStream]:
    """Standard error, and the text of each CbtrunError, without keys and with control characters written out."""
    stream = GuardedStream(sys.stderr)
    with redirect_stderr(stream):
        try:
            yield stream
        except CbtrunError as error:
            _clean(error)
            raise


def _clean(error: CbtrunError) -> None:
    error.args = tuple(shown(one) if isinstance(one, str) else one for one in error.args)
    if isinstance(error, SpecError):
        places = [replace(one.place, file=shown(one.place.file)) for one in error.problems]
        error.problems = tuple(
            replace(one, place=place, path=shown(one.path), what=shown(one.what))
            for one, place in zip(error.problems, places, strict=True)
        )


def shown(text: str) -> str:
    """A text as it may be printed."""
    return visible(hide(text))
