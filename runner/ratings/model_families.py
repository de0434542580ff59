"""Which family a model is of, by its name: a rater may prefer what sounds like itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cbtrun.contract.study_view import view_of

FAMILIES = {
    "OpenAI GPT": r"\b(chat-?)?gpt|\bo[1345](-|\b)|openai|davinci",
    "Claude": r"claude|anthropic",
    "Gemini or Gemma": r"gemini|gemma|palm",
    "Qwen": r"qwen|qwq",
    "Llama": r"llama|vicuna|alpaca|hermes",
    "Mistral": r"mistral|mixtral|ministral|magistral",
    "DeepSeek": r"deep-?seek",
    "Phi": r"\bphi-?\d",
    "Grok": r"grok",
    "GLM": r"\bglm|chatglm",
    "Kimi": r"kimi|moonshot",
    "Command": r"command-r|cohere|aya-",
    "Granite": r"granite",
    "Falcon": r"falcon",
    "Yi": r"\byi-\d",
}


def family(name: str) -> str | None:
    """The family that a model's name tells, the first that fits; none for an unknown one.

    A distilled model bears two names ("DeepSeek-R1-Distill-Qwen"): the first of this list counts.
    """
    return next((known for known, pattern in FAMILIES.items() if re.search(pattern, name, re.IGNORECASE)), None)


def model_family(study: Mapping[str, Any], name: str) -> str | None:
    """The family of a model of the study, or of the base of a tune job (`job` or `job@seed`)."""
    view = view_of(study)
    model = view.models.get(view.base_of(name))
    return family(model.model) if model else None
