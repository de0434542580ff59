"""A disk that fills while a model is trained: told as that, whichever library met it.

safetensors raises an error of its own, torch.save a RuntimeError about positions in a file: neither is an OSError, and
neither says what to do. What is whole stays: the next run goes on from the last checkpoint, to the same bytes.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cbtrun.plugin import StopRun

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SAID = re.compile(
    r"no space left on device|disk quota exceeded|file too large|os error (28|122|27)\b"
    r"|inline_container|pytorchstreamwriter failed|iostream error|file write failed",
    re.IGNORECASE,
)
"""How Rust (safetensors) and C++ (torch.save) tell that a file could not be written."""
CODE = 4
"""Exit code of a training process that ended so; it may have had no room to say more."""


@contextmanager
def told_when_full(place: Path) -> Iterator[None]:
    """Raises StopRun, which ends the run and keeps what is done, for an error that means that nothing more could be written."""
    try:
        yield
    except Exception as error:
        if isinstance(error, StopRun) or not is_full(error):
            raise
        raise StopRun(full_words(place)) from error


def full_words(place: Path) -> str:
    """What happened and what to do."""
    return (
        f"{place}: no space left to write what is trained (the disk is full, or a limit on file size is reached). What is whole is "
        "kept: free some, and the same command goes on from the last checkpoint"
    )


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one behind it, tells of a file that could not be written for want of space."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if not isinstance(error, OSError) and SAID.search(str(error)) and _writes(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _writes(error: BaseException) -> bool:
    """Whether it is of a kind that the libraries raise on writing: words of a model or a user are none."""
    return type(error).__name__ == "SafetensorError" or isinstance(error, RuntimeError)
