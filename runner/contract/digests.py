"""Digests and seeds: SHA-256 over canonical JSON, so that equal content gives equal text everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def canonical(value: Any) -> str:
    """JSON text with sorted keys and no spaces; the same value always gives the same text."""
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def bytes_digest(content: bytes) -> str:
    """SHA-256 of bytes, in hex: of a file that holds just these."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(paths: Iterable[Path], root: Path) -> str:
    """SHA-256 over the names (relative to root) and contents of files."""
    return digest([[path.relative_to(root).as_posix(), file_digest(path)] for path in sorted(paths)])


def derive_seed(*parts: Any) -> int:
    """A seed of 63 bits that depends on every part and on nothing else."""
    return int(digest(list(parts))[:16], 16) >> 1


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
