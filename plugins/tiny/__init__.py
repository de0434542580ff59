"""The embedded language model `cbtrun:tiny`: where it lies, and (in make_tiny) how it was made."""

from __future__ import annotations

from pathlib import Path

MODEL_NAME = "cbtrun:tiny"


def model_folder() -> Path:
    """Folder of the shipped model, in the layout that `from_pretrained` reads."""
    return Path(__file__).resolve().parent / "model"
