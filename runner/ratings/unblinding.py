"""Words in a transcript that tell a rater which model speaks, or that a model speaks at all."""

from __future__ import annotations

import re

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

_TELLTALES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:{_NAMES})\b",
        rf"\b(?:{_SHARED_NAMES})\b(?=[^.!?\n]{{0,40}}\b(?:{_MODEL}|(?:made|built|trained|created|developed) by)\b)",
        rf"\b(?:made|built|trained|created|developed) by (?:{_MAKERS})\b",
        rf"\b(?:as|i am|i['\u2019]m|being) (?:just |only )?an? {_MODEL}(?: model| assistant| therapist)?\b",
    )
)
MASK = "[masked]"


def unblinding(text: str) -> list[str]:
    """The words that name a model or its maker, or say that a model speaks, in the order of their patterns."""
    return [found.group(0) for pattern in _TELLTALES for found in pattern.finditer(text)]


def masked(text: str) -> str:
    """The text with those words replaced by `[masked]`."""
    for pattern in _TELLTALES:
        text = pattern.sub(MASK, text)
    return text
