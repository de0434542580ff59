"""As on a machine where the core alone is installed: `python -m pytest -p tests.helpers.without_torch tests/ROOM`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

EXTRAS = (
    "torch",
    "transformers",
    "accelerate",
    "peft",
    "safetensors",
    "trl",
    "datasets",
    "pyarrow",
    "tokenizers",
    "openpyxl",
    "docx",
)


class NotInstalled(MetaPathFinder):
    """Finds none of the packages that extras bring."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Nothing; raises ModuleNotFoundError for a package of an extra."""
        del path, target
        if name.partition(".")[0] in (*EXTRAS, "huggingface_hub"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


sys.meta_path.insert(0, NotInstalled())
