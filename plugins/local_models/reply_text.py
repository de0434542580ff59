"""The words of a local model's reply, with the marks of what it thought still in them, so that it can be taken out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cbtrun.plugin import opened_thinking, without_thinking

CHANNELS = ("<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>", "<|call|>", "<|constrain|>")
"""Marks of gpt-oss, which says and thinks in channels."""
LAST = 12
"""Tokens of a prompt in which a mark that it ends with stands."""


def reply_text(tokenizer: Any, prompt: Sequence[int], tokens: Sequence[int], *, structured: bool = False) -> str:
    """What the tokens say. A thought that the prompt has opened begins with its mark.

    Where marks of thinking are control tokens they stay, and only the other control tokens are left out.
    structured: whether the reply was held to a schema, and so begins with the answer whatever the prompt opened.
    """
    marks = _marks(tuple(sorted(tokenizer.all_special_tokens)), tuple(sorted(tokenizer.get_added_vocab())))
    text: str = tokenizer.decode(tokens, skip_special_tokens=True)
    if any(mark in marks for mark in tokenizer.convert_ids_to_tokens(list(tokens))):
        others = [token for token in tokenizer.all_special_tokens if token not in marks]
        text = tokenizer.decode(tokens, skip_special_tokens=False)
        text = re.sub("|".join(map(re.escape, sorted(others, key=len, reverse=True))) or r"(?!)", "", text)
    opening = "" if structured else opened_thinking(tokenizer.decode(list(prompt[-LAST:])))
    return f"{opening}{text}"


@lru_cache(maxsize=16)
def _marks(special: tuple[str, ...], added: tuple[str, ...]) -> frozenset[str]:
    """Control tokens that mark thinking."""
    in_channels = set(CHANNELS) if "<|channel|>" in added else set()
    return frozenset(token for token in {*special, *added} if token in in_channels or without_thinking(token).found)
