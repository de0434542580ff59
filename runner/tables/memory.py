"""A bound on what reading one file may take of memory, for libraries that have none of their own."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class TooMuchMemory(Exception):
    """A file unpacks to more than it may."""


@contextmanager
def memory_bounded(more: int) -> Iterator[None]:
    """Let this process take so many bytes more than it has, and none beyond. Raises TooMuchMemory when it would.

    Where the system does not say what a process has (macOS), there is no bound.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(OSError, ValueError):
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = [one for one in (taken + more, *before) if one != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min(most), before[1]))
    try:
        yield
    except MemoryError:
        raise TooMuchMemory from None
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)
