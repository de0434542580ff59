"""What is wrong with an answer that is no whole HTTP, in words: which part of it, never what stands there.

The library quotes the server where an answer cannot be read, and a server may have sent the key, in part or in whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cbtrun.keys.hiding import hide

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = (
    ("LineTooLong", "a header or status line of its answer is longer than 8,190 bytes"),
    ("BadStatusLine", "its answer does not begin with a status line of HTTP"),
    ("InvalidHeader", "a header of its answer cannot be read"),
    ("TransferEncodingError", "the chunks of its answer cannot be read"),
    ("ContentLengthError", "its answer ended before its length"),
    ("ContentEncodingError", "its answer is packed in a way that cannot be unpacked"),
    ("BadHttpMessage", "the head of its answer cannot be read as HTTP"),
    ("HttpProcessingError", "the head of its answer cannot be read as HTTP"),
    ("ServerDisconnectedError", "it hung up before it answered"),
    ("ClientPayloadError", "its answer broke off"),
)
"""Class of the HTTP library -> what it means, the narrower ones first."""
PHRASES = (
    (r"too many headers|headers count", "its answer has more headers than any needs"),
    (r"chunk|transfer-encoding", KINDS[3][1]),
    (r"content-length", "the length that its answer states is no length, or stated twice"),
    (r"http version|status|expected http|invalid http", KINDS[1][1]),
    (r"header|control char|line folding|expected (cr|lf)", KINDS[2][1]),
)
"""What the library's parser says of an answer -> what it means: it raises the same class for most faults."""


def broken_words(error: Exception) -> str:
    """What failed: in the library's words where they are about the connection, else what part of the answer is broken."""
    import aiohttp

    name = type(error).__name__
    ours = isinstance(error, aiohttp.ClientOSError) or (
        isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError)
    )
    if ours:
        return f"{name}: {hide(str(error))}"
    return f"{_kind(error)} ({name})"


def _kind(error: BaseException) -> str:
    behind = [*_behind(error)]
    classes = {one.__name__ for each in behind for one in type(each).__mro__}
    named = [words for name, words in KINDS if name in classes]
    if named and named[0] not in (KINDS[6][1], KINDS[-1][1]):
        return named[0]
    first = next((str(getattr(each, "message", "") or each) for each in reversed(behind)), "").partition("\n")[0]
    told = [words for phrase, words in PHRASES if re.search(phrase, first.casefold())]
    return (told or named or ["its answer cannot be read"])[0]


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, the last of them the first that was raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
