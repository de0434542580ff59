"""A vendor's cache of prompts as the mock server plays it: what begins alike is read once and then found again.

OpenAI and Google find it by themselves; Anthropic where the request marks how far. A token is a word here, as everywhere in
the mock server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LEAST, STEP = 1024, 128
"""Tokens below which nothing is cached, and in steps of which it is, as OpenAI states it."""


@dataclass(frozen=True)
class CacheUse:
    """Of one request: tokens that were in the cache, and tokens that were put there and are counted apart."""

    read: int = 0
    written: int = 0


@dataclass
class PrefixCache:
    """What was seen so far, of every model."""

    _seen: set[str] = field(default_factory=set)

    def use(self, body: Mapping[str, Any]) -> CacheUse:
        """What a request finds and leaves. body: as OpenAI's; `cache_mark`: tokens up to Anthropic's mark, 0 for none."""
        words = [str(body["model"]), *" ".join(str(one["content"]) for one in body["messages"]).split()]
        mark = body.get("cache_mark")
        if mark is not None:
            return self._marked(words, int(mark))
        steps = range(LEAST, len(words), STEP)
        names = [_digest(words[: 1 + tokens]) for tokens in steps]
        found = [tokens for tokens, name in zip(steps, names, strict=True) if name in self._seen]
        self._seen.update(names)
        return CacheUse(max(found, default=0))

    def _marked(self, words: list[str], mark: int) -> CacheUse:
        if mark < LEAST:
            return CacheUse()
        name = _digest(words[: 1 + mark])
        known = name in self._seen
        self._seen.add(name)
        return CacheUse(read=mark) if known else CacheUse(written=mark)


def _digest(words: list[str]) -> str:
    return hashlib.sha256(" ".join(words).encode("utf-8", "replace")).hexdigest()
