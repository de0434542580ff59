"""What a plugin gives for a rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StandIn:
    """The block that stands in for a model."""

    options: Mapping[str, Any]
    """With `using`; what is left out has the plugin's defaults."""
    words: str
    """What it is, for whoever reads the rehearsal."""
