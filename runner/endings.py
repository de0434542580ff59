"""What ended a command before its time: a scheduler whose time is over, or somebody at a terminal."""

from __future__ import annotations

import signal

INTERRUPTED, LIMIT = 130, 4
SENT: list[int] = []
"""Signals besides Ctrl-C that came to this process."""


def ending_code() -> int:
    """The exit code of a command that was interrupted: a scheduler's SIGTERM is a limit, since the same command goes on."""
    return LIMIT if signal.SIGTERM in SENT else INTERRUPTED
