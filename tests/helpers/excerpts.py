"""Errors on the terminal without the lines of the file that are shown below them."""

from __future__ import annotations

import re

_SHOWN = re.compile(r"^ *(\d+ )?\| .*\n", re.MULTILINE)


def without_excerpts(err: str) -> str:
    """What was said, without the file's own line and the caret under it."""
    return _SHOWN.sub("", err)
