"""What a plugin is given to export an adapter that it has tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ExportContext:
    """An adapter of a finished run, and where it is to go."""

    source: Path
    """Folder of the adapter."""
    target: Path
    """Folder to write; it is not there, or empty."""
    base: Mapping[str, Any]
    """The block of the model that it was tuned on."""
    merged: bool
    """Whether the whole model is wanted, the adapter merged into its base's weights."""
