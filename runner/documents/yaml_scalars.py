"""What a plain word of YAML 1.2 stands for: the core schema, so `1e-3` is a number and `no` and `on` are words."""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
LONGEST_NUMBER = 300  # characters: longer digit strings are words, so none can cost time or become infinite
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})


def plain_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar; whatever the core schema does not name stays a word.

    Source: YAML 1.2.2, section 10.3.2 (tag resolution of the core schema).
    """
    if len(text) > LONGEST_NUMBER:
        return text
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if INTEGER.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)
    if FLOAT.fullmatch(text):
        return float(text)
    if infinity := INFINITY.fullmatch(text):
        return -math.inf if infinity[1] == "-" else math.inf
    return math.nan if text in NOT_A_NUMBER else text
