"""What the head of a GGUF file says, within bounds: it may come from anybody, and its reader trusts every count.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cbtrun.plugin import ModelError

MAGIC, VERSIONS = b"GGUF", (2, 3)
MOST_KEYS, MOST_TENSORS, MOST_ENTRIES, LONGEST = 10_000, 100_000, 2_000_000, 2**24
"""Of settings, tensors, entries of a list (tokens, mostly), and bytes of a text (a chat template, mostly)."""
PARTS_OF_A_BYTE = 8
"""Most weights that a byte of the file can hold: one bit each."""
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Kind of a value -> its bytes."""
TEXT, LIST = 8, 9
ARCHITECTURE = "general.architecture"


@dataclass(frozen=True)
class Head:
    """The head of a GGUF file."""

    architecture: str
    weights: int
    """Numbers in all tensors together."""


def read_head(path: Path) -> Head:
    """The head of a file. Raises ModelError for a file that is no GGUF, or whose counts are of no model."""
    try:
        with path.open("rb") as file:
            return _head(file, path.stat().st_size)
    except (OSError, struct.error, ValueError) as error:
        raise ModelError(f"{path}: no GGUF file that can be read ({error})") from None


def _head(file: BinaryIO, size: int) -> Head:
    if file.read(4) != MAGIC:
        raise ValueError("it does not begin as one")
    version, tensors, keys = _numbers(file, "<IQQ")
    if version not in VERSIONS:
        raise ValueError(f"version {version}; read: {', '.join(map(str, VERSIONS))}")
    _bound("settings", keys, MOST_KEYS)
    _bound("tensors", tensors, MOST_TENSORS)
    architecture = ""
    for _ in range(keys):
        name = _text(file)
        (kind,) = _numbers(file, "<I")
        if name == ARCHITECTURE and kind == TEXT:
            architecture = _text(file)
        else:
            _skip(file, kind)
    weights = sum(_tensor(file) for _ in range(tensors))
    _bound("weights", weights, PARTS_OF_A_BYTE * size)
    return Head(architecture, weights)


def _tensor(file: BinaryIO) -> int:
    """Numbers in a tensor, by its entry."""
    _text(file)
    (axes,) = _numbers(file, "<I")
    _bound("axes of a tensor", axes, 4)
    shape = _numbers(file, f"<{axes}Q")
    _numbers(file, "<IQ")
    return math.prod(shape)


def _skip(file: BinaryIO, kind: int, deep: bool = False) -> None:
    if kind in WIDTHS:
        _pass(file, WIDTHS[kind])
    elif kind == TEXT:
        _text(file)
    elif kind == LIST and not deep:
        inner, entries = _numbers(file, "<IQ")
        _bound("entries of a list", entries, MOST_ENTRIES)
        if inner in WIDTHS:
            _pass(file, WIDTHS[inner] * entries)
        else:
            for _ in range(entries):
                _skip(file, inner, deep=True)
    else:
        raise ValueError(f"a value of kind {kind}")


def _text(file: BinaryIO) -> str:
    (length,) = _numbers(file, "<Q")
    _bound("bytes of a text", length, LONGEST)
    return _bytes(file, length).decode("utf-8", "replace")


def _pass(file: BinaryIO, length: int) -> None:
    _bytes(file, length)


def _numbers(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, _bytes(file, struct.calcsize(form)))


def _bytes(file: BinaryIO, length: int) -> bytes:
    found = file.read(length)
    if len(found) < length:
        raise ValueError("it ends too early")
    return found


def _bound(what: str, count: int, most: int) -> None:
    if count > most:
        raise ValueError(f"{count:,} {what}, and at most {most:,} are read")
