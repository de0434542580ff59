"""Which 8-bit encoding a text may have: a guess by what its letters would be, to be looked at by whoever knows the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.tables.text_file import text_of

FEWEST_FITTING = 0.9
"""Share of the letters beyond ASCII that must stand as such letters do."""
_UTF8_PAIR = re.compile(r"[\xc2-\xc5][\x80-\xbf]|\xe2\x80[\x80-\xbf]")
_OTHERS = re.compile(r"[^\x00-\x7f]")
_ALONE = re.compile(
    r"(?<![^\x00-\x7f])[À-ÖØ-öø-ÿŒœŠšŸŽž](?![^\x00-\x7f])"  # a letter with an accent between plain ones
    r"|(?<=[\w\s.,!?;:)(])[’‘“”–—…«»°€£§©®´·]|^[“‘«„]"
    r"|[¿¡„‚\xa0]",
    re.MULTILINE,
)
_CYRILLIC = re.compile(r"[а-яё«»—]")
_CHINESE = re.compile(r"[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]")


def _share(pattern: re.Pattern[str], text: str) -> float:
    others = len(_OTHERS.findall(text))
    return len(pattern.findall(text)) / others if others else 0.0


PLAUSIBLE: Mapping[str, Callable[[str], float]] = {
    "windows-1252": lambda text: _share(_ALONE, text),
    "gb18030": lambda text: _share(_CHINESE, text),
    "windows-1251": lambda text: _share(_CYRILLIC, text),
}
"""Encoding -> the share of what it makes of bytes beyond ASCII that stands as its letters do. The first that fits is taken."""


def guessed_encoding(path: Path) -> str:
    """The encoding that a text which is no UTF-8 seems to have.

    Raises SpecError where none seems so, and for UTF-8 with damaged bytes: another encoding would make garbage of the rest.
    """
    as_bytes = text_of(path, "latin-1")
    if _UTF8_PAIR.search(as_bytes):
        what = "is UTF-8 in one place and not in another: it is damaged, or two files in one. Mend it, or say --encoding NAME"
        raise SpecError.at(path, what)
    for encoding, fitting in PLAUSIBLE.items():
        try:
            if fitting(text_of(path, encoding)) >= FEWEST_FITTING:
                return encoding
        except SpecError:
            continue
    raise SpecError.at(path, "is no UTF-8, and its encoding cannot be told: say --encoding NAME, e.g. windows-1252")


def refuse_two_encodings(paths: Iterable[Path]) -> None:
    """Raises SpecError where some files of a folder are of UTF-8 and hold more than ASCII: one encoding must read all."""
    for path in paths:
        try:
            if not text_of(path).isascii():
                raise SpecError.at(path, "is UTF-8, and others beside it are not: save them all in one encoding")
        except SpecError as error:
            if "not UTF-8" not in str(error):
                raise
