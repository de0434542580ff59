"""`thinking:` of a model's block: one vocabulary for all models, whatever a vendor or a chat template calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROOM = {"off": 0, "low": 1024, "medium": 4096, "on": 4096, "high": 16384}
"""Word -> tokens that a reply may take for thinking, beside those of what it says."""


def thinking_room(options: Mapping[str, Any]) -> int:
    """Tokens that a reply may take for thinking by a model's block; 0 where nothing is asked for."""
    wanted = options.get("thinking")
    return wanted if isinstance(wanted, int) else ROOM.get(str(wanted), 0)
