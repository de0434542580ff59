"""Regular expressions of strangers (a rubric's signals, a practice's ear): checked before a run, bounded within it.

Python's engine tries every way in which a pattern can match, and `(a+)+$` has as many ways as there are subsets. A
pattern with a loop that can read the same text in two ways is refused where it is written; what is merely slow meets a
time limit, which Python's engine lacks and the package `regex` has.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cbtrun.documents.pattern_loops import ambiguous_loop
from cbtrun.errors import StageError

LONGEST = 5_000
"""Characters of a pattern."""
SECONDS = 1.0
"""Most time for one search of one text, a sentence as a rule. A sound pattern takes microseconds."""

_BY_ITSELF = re.compile(r"\\[1-9]|\(\?[P(a-zA-Z]")
"""Groups and flags that would mean something else among other patterns."""
_OTHERWISE = re.compile(r"(?<!\\)\{(?!\d*,?\d*\})|\[:")
"""What `regex` reads as more than Python does: `{e}` and `[:alpha:]`."""


@dataclass(frozen=True)
class BoundedPatterns:
    """Patterns of a stranger's, ready to search texts within the time limit."""

    sources: tuple[str, ...]
    ignore_case: bool = False

    def search(self, text: str) -> bool:
        """Whether one of them occurs in the text. Raises StageError when that takes too long."""
        try:
            return any(one.search(text, timeout=SECONDS) is not None for one in self._compiled)
        except TimeoutError:
            shown = ", ".join(map(_short, self.sources[:3]))
            what = f"takes longer than {SECONDS:g} s on a text of {len(text):,} characters"
            raise StageError(f"one of the regular expressions {shown} {what}") from None

    @cached_property
    def _compiled(self) -> tuple[Any, ...]:
        import regex

        alone = [source for source in self.sources if _BY_ITSELF.search(source)]
        together = "|".join(f"(?:{source})" for source in self.sources if source not in alone)
        flags = regex.VERSION0 | (regex.IGNORECASE if self.ignore_case else 0)
        try:
            with warnings.catch_warnings(action="ignore"):
                return tuple(regex.compile(source, flags) for source in ([together] if together else []) + alone)
        except (regex.error, RecursionError) as error:
            raise StageError(f"a regular expression cannot be used: {error}") from None


@lru_cache(maxsize=1024)
def bounded(patterns: tuple[str, ...], ignore_case: bool = False) -> BoundedPatterns:
    """The patterns as one that finds what any of them does."""
    return BoundedPatterns(patterns, ignore_case)


def check_pattern(pattern: str) -> str:
    """The pattern itself. Raises ValueError that says why it cannot be used."""
    if fault := pattern_fault(pattern):
        raise ValueError(fault)
    return pattern


@lru_cache(maxsize=4096)
def pattern_fault(pattern: str) -> str | None:
    """Why a pattern cannot be used; none when it can."""
    if len(pattern) > LONGEST:
        return f"a regular expression of {len(pattern):,} characters; at most {LONGEST:,} are read"
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = re._parser.parse(pattern)  # type: ignore[attr-defined]  # the only parser whose tree can be read
            re._compiler.compile(tree)  # type: ignore[attr-defined]
        loop = ambiguous_loop(tree)
    except (re.error, OverflowError) as error:
        return f"{_short(pattern)} is not a regular expression: {error}"
    except (RecursionError, MemoryError):
        return f"{_short(pattern)} is nested too deeply"
    if _OTHERWISE.search(pattern):
        return f"{_short(pattern)}: write \\{{ for a brace, and no [:class:]"
    if loop is None:
        return None
    return f"{_short(pattern)} could take for ever: {loop}; write it so that every text can be read in one way only"


def _short(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 80 else f"{pattern[:79]}…")
