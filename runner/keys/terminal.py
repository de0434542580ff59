"""What reaches the terminal: no key, and no character that a terminal takes for an order.

Names, ids, texts and errors come from specs, files and servers. An escape sequence in one could clear the screen, rename
the window or hide what was said; a sign that turns the direction of writing shows another word than the one that stands
there. All that is written passes here, whoever writes it.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TextIO, cast

from cbtrun.keys.hiding import hide

_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line break, signs that turn the direction of writing, and halves of characters."""


def visible(text: str) -> str:
    """The text with everything that a terminal would obey written out: `\\x1b[2J`."""
    return _ORDERS.sub(lambda found: ascii(found.group())[1:-1], text)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Standard output and error as they are to be: for a message, a library's log, a warning, a traceback."""
    sys.excepthook = _tell_crash  # a crash is told when this block is left already
    _fill_closed()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, GuardedStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def unwritten() -> str:
    """Why standard output is not whole, although somebody could have read it; empty where all was written."""
    return sys.stdout.refused if isinstance(sys.stdout, GuardedStream) else ""


class GuardedStream:
    """A text stream that hides keys and shows orders, and is silent once it cannot be written any more.

    What is paid for by the hour must not end because a pager did, a terminal was closed, or a disk that takes the log
    is full. In everything else it is the stream itself.
    """

    def __init__(self, stream: TextIO | None, *, drawn: bool = False) -> None:
        """stream: none where the process was started without. drawn: what is written has orders of our own in it."""
        self._stream = stream
        self._drawn = drawn
        self._silent = stream is None
        self.encoding, self.errors = "utf-8", "backslashreplace"  # click goes round a stream that says ASCII
        self.refused = ""
        """Why nothing more is written; empty where all is, or where the reader left."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):  # click asks so whether a stream takes bytes
            raise TypeError(f"a text is written here, not {type(text).__name__}")
        if not self._silent:
            with self._may_fail():
                self._put(hide(text) if self._drawn else visible(hide(text)))
        return len(text)

    def flush(self) -> None:
        if not self._silent:
            with self._may_fail():
                self._ready().flush()

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def isatty(self) -> bool:
        return not self._silent and self._ready().isatty()

    def for_drawing(self) -> GuardedStream:
        """The same stream for a display that draws with orders of its own; it is to make texts visible itself."""
        return GuardedStream(self._stream, drawn=True)

    def _put(self, text: str) -> None:
        stream = self._ready()
        try:
            stream.write(text)
        except UnicodeEncodeError:  # a terminal of another time, or LANG=C
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def _ready(self) -> TextIO:
        return cast(TextIO, self._stream)  # none only where it is silent

    @contextmanager
    def _may_fail(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: closed
            self._silent = True
            if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EBADF, errno.EIO):
                self.refused = error.strerror or type(error).__name__
            with suppress(OSError, ValueError):  # or the interpreter complains when it flushes at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._ready().fileno())

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _fill_closed() -> None:
    """Open nothing's file for a standard stream that the process was started without: else the next file that is opened,
    a journal's, takes its number, and whatever a library writes to it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _tell_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import traceback

    GuardedStream(sys.stderr).write("".join(traceback.format_exception(kind, error, trace)))
