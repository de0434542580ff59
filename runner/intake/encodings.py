"""Which 8-bit encoding a text may have: a guess by what its letters would be, to be looked at by whoever knows the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.tables.text_file import text_of

FEWEST_FITTING = 0.9
"""Share of the letters beyond ASCII that must stand as such letters do."""
_UTF8 = re.compile(r"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_OTHERS = re.compile(r"[^\x00-\x7f]")
_WORD = re.compile(r"[^\W\d_]+")
_UTF8_MISREAD = re.compile(r"[ÃÂ][^\x00-\x7f]|â€")
_MARKS = re.compile(r"[’‘“”–—…«»°€£§©®´·¿¡„‚\xa0]")
_CYRILLIC = re.compile(r"[а-яё«»—]")
_CHINESE = re.compile(r"[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]")


def _share(pattern: re.Pattern[str], text: str) -> float:
    others = len(_OTHERS.findall(text))
    return len(pattern.findall(text)) / others if others else 0.0


def _western(text: str) -> float:
    """How much of what is beyond ASCII is marks, or letters in words of mostly plain ones."""
    if _UTF8_MISREAD.search(text):
        return 0.0
    strange = ((len(word), len(_OTHERS.findall(word))) for word in _WORD.findall(text))
    fitting = sum(count for length, count in strange if count * 2 <= length or length == 1)
    return (fitting + len(_MARKS.findall(text))) / max(1, len(_OTHERS.findall(text)))


PLAUSIBLE: Mapping[str, Callable[[str], float]] = {
    "windows-1252": _western,
    "gb18030": lambda text: _share(_CHINESE, text),
    "windows-1251": lambda text: _share(_CYRILLIC, text),
}
"""Encoding -> the share of what it makes of bytes beyond ASCII that stands as its letters do. The first that fits is taken."""


def guessed_encoding(path: Path) -> str:
    """The encoding that a text which is no UTF-8 seems to have.

    Raises SpecError where none seems so, and for UTF-8 with damaged bytes: another encoding would make garbage of the rest.
    """
    as_bytes = text_of(path, "latin-1")
    if sum(map(len, _UTF8.findall(as_bytes))) * 2 > len(_OTHERS.findall(as_bytes)):
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
