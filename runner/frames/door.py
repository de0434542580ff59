"""Between cbtrun and the Python that calls it: what strangers' files say gives the terminal no order, in errors too."""

from __future__ import annotations

import re
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


ARGUMENTS = {
    "--allow-host": 'allow_hosts=["..."]',
    "--allow-local-plugins": "allow_local_plugins=True",
    "--consent-remote": "consent_remote=True",
    "--redo": 'redo=["..."]',
    "--set": 'overrides={"...": ...}',
    "--take-over": "take_over=True",
}
"""Options that an error may ask for -> the argument of `cbtrun.run` and, where it has it, of `cbtrun.load_study`."""


def _clean(error: CbtrunError) -> None:
    """Make an error's text fit to be shown; note which argument an option of the command line is here."""
    for option in sorted({*re.findall(r"--[a-z][a-z-]+", str(error))} & {*ARGUMENTS}):
        error.add_note(f"{option} is {ARGUMENTS[option]} in Python")
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
