"""The embedded language model `cbtrun:tiny`: where it lies, and (in make_tiny) how it was made."""

from __future__ import annotations

from pathlib import Path

MODEL_NAME = "cbtrun:tiny"


def model_folder() -> Path:
    """Folder of the shipped model, in the layout that `from_pretrained` reads."""
    return Path(__file__).resolve().parent / "model"


def embedded_folder(name: str) -> Path | None:
    """Folder of `cbtrun:tiny`, or of it as a model of another family (`cbtrun:tiny-qwen`); none for other names."""
    from cbtrun.plugins.tiny.families import stand_in_folder, stand_ins

    if name == MODEL_NAME:
        return model_folder()
    return stand_in_folder(name) if name in stand_ins() else None
