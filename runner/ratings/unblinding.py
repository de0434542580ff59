"""Words in a transcript that tell a rater which model speaks, or that a model speaks at all."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Names that mean a language model, or its maker, and hardly anything else.
_NAMES = (
    r"chat-?gpt|gpt-?\d\w*|qwen\w*|deep-?seek|open-?ai|anthropic|mistral\s?ai|mixtral|tinyllama|vicuna|chatglm"
    r"|gemma-\d\w*|llama-?\d\w*"
)
# Names that are also people, animals or stars: they count only where somebody speaks of a model.
_SHARED_NAMES = r"claude|gemini|gemma|llama|mistral|hermes|phi|falcon|grok|bard|nova|kimi|ernie"
_MAKERS = (
    r"open-?ai|anthropic|google|meta|alibaba|deep-?seek|mistral|nous(?: research)?|microsoft|x-?ai|cohere|ibm"
    r"|hugging ?face"
)
_MODEL = r"(?:a\.?i\.?|artificial intelligence|(?:large )?language model|llm|chat-?bot|neural network)"

_SPEAKS_AS = r"(?:i am|i['\u2019]m|i['\u2019]m called|my name is|my name['\u2019]s|this is|call me|you(?: a|['\u2019])re talking (?:to|with))"
_VERSION = r"(?:[ -]?v?\d[\w.]*)?"

_TELLTALES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:{_NAMES})\b",
        rf"\b(?:{_SHARED_NAMES})\b(?=[^.!?\n]{{0,40}}\b(?:{_MODEL}|(?:made|built|trained|created|developed) by)\b)",
        rf"\b{_SPEAKS_AS} (?:{_SHARED_NAMES}){_VERSION}\b",
        rf"\b(?:{_SHARED_NAMES})[ -]?v?\d[\w.]*\b",
        rf"\b(?:made|built|trained|created|developed) by (?:{_MAKERS})\b",
        rf"\b(?:as|i am|i['\u2019]m|being) (?:just |only )?an? {_MODEL}(?: model| assistant| therapist)?\b",
    )
)
MASK = "[masked]"


def unblinding(text: str) -> list[str]:
    """The words that name a model or its maker, or say that a model speaks, in the order of their patterns."""
    plain, _ = _as_read(text)
    return [found.group(0) for pattern in _TELLTALES for found in pattern.finditer(plain)]


def masked(text: str) -> str:
    """The text with those words replaced by `[masked]`; everything else stays as it is, invisible signs too."""
    plain, places = _as_read(text)
    end = 0
    kept: list[str] = []
    for start, stop in _merged(sorted(found.span() for pattern in _TELLTALES for found in pattern.finditer(plain))):
        kept += [text[end : places[start]], MASK]
        end = places[stop - 1] + 1
    return "".join([*kept, text[end:]])


def _as_read(text: str) -> tuple[str, list[int] | range]:
    """The text as a reader sees it, and where each of its signs stands in the text.

    A name with a zero-width sign in it, or in letters that only look like others (NFKC), reads as the name.
    """
    if text.isascii():
        return text, range(len(text))
    read = [(sign, at) for at, found in enumerate(text) if not _is_invisible(found) for sign in _plain(found)]
    return "".join(sign for sign, _ in read), [at for _, at in read]


def _plain(sign: str) -> str:
    """A sign in its plainest form; spaces and dashes of every kind are one."""
    kind = unicodedata.category(sign)
    return " " if kind == "Zs" else "-" if kind == "Pd" else unicodedata.normalize("NFKC", sign)


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cf", "Mn", "Me") or sign in "\u115f\u1160\u3164\uffa0\u2800"


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, stop in spans:
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found
