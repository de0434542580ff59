"""A reply as it may be kept: whatever a server put into it, no key, no text and no number that a file cannot hold."""

from __future__ import annotations

import math
from typing import Any

from cbtrun.contract.models import Reply
from cbtrun.keys.hiding import hide

MOST_TOKENS = 10**9
"""Of one reply: no model reads or says more, and sums over a study stay within what SQLite counts."""
MOST_USD = 1e9
LONGEST_NAME = 300
"""Characters of a model's name or of a reason that are kept."""


def keepable(reply: Reply) -> Reply:
    """The reply without keys, lone surrogates, counts out of bounds and costs that are none."""
    clean = Reply(
        text=speakable(reply.text),
        tokens_in=bounded_count(reply.tokens_in),
        tokens_out=bounded_count(reply.tokens_out),
        finish=one_line(reply.finish, LONGEST_NAME),
        usd=bounded_cost(reply.usd),
        served=one_line(reply.served, LONGEST_NAME),
        thinking=speakable(reply.thinking),
        cached=bounded_count(reply.cached),
        written=bounded_count(reply.written),
        thought=bounded_count(reply.thought),
        bought=reply.bought,
        fingerprint=one_line(reply.fingerprint, LONGEST_NAME),
    )
    return reply if clean == reply else clean


def speakable(text: Any) -> str:
    """A text without keys, and without lone surrogates, which no file and no database can hold."""
    shown = hide(text if isinstance(text, str) else str(text))
    try:
        shown.encode()
    except UnicodeEncodeError:
        return shown.encode("utf-8", "replace").decode("utf-8")
    return shown


def one_line(text: Any, longest: int) -> str:
    """A text as one line of at most `longest` characters, without what could draw on a terminal."""
    shown = speakable(text)  # first: a key that is cut in two is found no more
    line = shown if shown.isprintable() else "".join(one if one.isprintable() else " " for one in shown)
    line = " ".join(line.split())
    return line if len(line) <= longest else f"{line[:longest]} ..."


def is_count(given: Any) -> bool:
    """Whether this is a number of tokens that one call can take."""
    return isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= MOST_TOKENS


def bounded_count(given: Any) -> int:
    """A count within 0 and MOST_TOKENS."""
    if isinstance(given, float) and not math.isfinite(given):
        return 0
    return min(max(int(given), 0), MOST_TOKENS) if isinstance(given, int | float) else 0


def bounded_cost(given: Any) -> float | None:
    """US dollars, or none for what is no cost: not finite, negative, or more than any call costs."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= MOST_USD:
        return None  # NaN is in no interval; a whole number of 4,000 digits compares, but has no float
    return float(given)


def without_keys(error: BaseException) -> None:
    """Take keys and lone surrogates out of an error's own words."""
    error.args = tuple(speakable(one) if isinstance(one, str) else one for one in error.args)
