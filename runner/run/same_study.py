"""Whether a study says what it said when its run folder was made, so far as a user wrote it.

Between two versions of cbtrun a block gains options, and a default may change: then fingerprints differ though nobody
changed the study. What was paid for is not paid again on such a guess (run/up_to_date.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def says_the_same(before: Any, written: Any, now: Any) -> bool:
    """Whether all that is written stood in the resolved study before, and nothing of it has been taken out since.

    before, now: the study resolved, defaults filled in, by the version then and by this one. written: without defaults.
    """
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return bool(now == before)
    written = written if isinstance(written, Mapping) else {}
    gone = [key for key in before if key not in now]
    return not gone and all(
        key in before and says_the_same(before[key], value, now.get(key)) for key, value in written.items()
    )


def differing_paths(before: Any, written: Any, now: Any, path: str = "") -> Iterator[str]:
    """Paths of what is written and stood otherwise before, and of blocks that are gone; no defaults of another version."""
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        if before != now:
            yield path
        return
    written = written if isinstance(written, Mapping) else {}
    for key in dict.fromkeys([*before, *written]):
        at = f"{path}.{key}" if path else str(key)
        if key not in before or key not in now:
            yield at
        elif key in written:
            yield from differing_paths(before[key], written[key], now[key], at)
