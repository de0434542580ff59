"""`thinking:` in the words of each server that speaks OpenAI's protocol, and which models it cannot switch off.

Vendors differ in the field; a server of one's own (vLLM, SGLang, llama.cpp) hands variables on to the model's chat template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from cbtrun.plugin import Json, ModelError, thinking_room

Wanted = str | int
FIELDS = ("auto", "reasoning_effort", "reasoning", "thinking", "enable_thinking", "chat_template_kwargs")
THINKING_FIELD: Json = {
    "enum": list(FIELDS),
    "default": "auto",
    "description": "Field of the request in which the server is told of `thinking`: by its host, and for a server of one's own "
    "chat_template_kwargs. Behind a gateway, the one that it takes.",
}
HOSTS: tuple[tuple[str, str], ...] = (
    ("openrouter.ai", "reasoning"),
    ("together.xyz", "reasoning"),
    ("together.ai", "reasoning"),
    ("deepseek.com", "thinking"),
    ("bigmodel.cn", "thinking"),
    ("z.ai", "thinking"),
    ("moonshot.ai", "thinking"),
    ("moonshot.cn", "thinking"),
    ("volces.com", "thinking"),
    ("aliyuncs.com", "enable_thinking"),
    ("siliconflow.com", "enable_thinking"),
    ("siliconflow.cn", "enable_thinking"),
    ("openai.com", "reasoning_effort"),
    ("azure.com", "reasoning_effort"),
    ("x.ai", "reasoning_effort"),
    ("groq.com", "reasoning_effort"),
    ("mistral.ai", "reasoning_effort"),
    ("googleapis.com", "reasoning_effort"),
    ("fireworks.ai", "reasoning_effort"),
    ("cerebras.ai", "reasoning_effort"),
    ("deepinfra.com", "reasoning_effort"),
)
"""Domain -> the field that its servers take."""
OLLAMA_PORT = 11434
"""Ollama takes `reasoning_effort` on its address of OpenAI's protocol."""
ALWAYS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        (r"^o[134](?:-|$)", "OpenAI's o models always think; the least is low"),
        (
            r"^gpt-5(?:$|-(?:mini|nano|pro|codex|\d{4}))",
            "OpenAI's models before gpt-5.1 always think; the least is low",
        ),
        (r"^gpt-oss", "gpt-oss always thinks; the least is low"),
        (r"^gemini-2\.5-pro", "Gemini 2.5 Pro always thinks; the least is low"),
        (r"^gemini-[3-9]", "Gemini from 3 on always thinks; the least is low"),
        (r"^grok-4(?!.*non-reasoning)", "this Grok always thinks; there are others (non-reasoning) that do not"),
        (
            r"(?<!non-)(?:thinking|reasoner|reasoning)(?![a-z])",
            "this model always thinks, as its name says; choose its sibling",
        ),
        (
            r"^r1(?:-|$)|-r1(?:-|$)|^qwq|^magistral",
            "this model always thinks; choose its sibling that does not",
        ),
    )
)
"""(name of a model, why it cannot be switched off). Source: the vendors' pages on reasoning, November 2026."""


def always_thinks(model: str) -> str:
    """Why a model cannot be switched off, by its name; empty where nothing is known against it."""
    return next((why for name, why in ALWAYS if name.search(model.rpartition("/")[2])), "")


def field_of(options: Mapping[str, Any], url: str) -> str:
    """The field in which this server is told. url: the address, its variables filled in where they are known."""
    if options["thinking_field"] != "auto":
        return str(options["thinking_field"])
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "chat_template_kwargs"
    if port == OLLAMA_PORT:
        return "reasoning_effort"
    return next(
        (field for domain, field in HOSTS if host == domain or host.endswith(f".{domain}")), "chat_template_kwargs"
    )


def thinking_fields(options: Mapping[str, Any], url: str) -> dict[str, Any]:
    """What is added to the body. Raises ModelError where the server or the model cannot do what is asked."""
    wanted: Wanted | None = options.get("thinking")
    if wanted is None:
        return {}
    if wanted == "off" and (why := always_thinks(str(options["model"]))):
        raise ModelError(f"cannot be off for '{options['model']}': {why}")
    return WRITTEN[field_of(options, url)](wanted, thinking_room(options))


def _effort(wanted: Wanted, _room: int) -> dict[str, Any]:
    if isinstance(wanted, int):
        raise ModelError("is a number of tokens, and this server (reasoning_effort) takes off, on, low, medium, high")
    return {"reasoning_effort": {"off": "none", "on": "medium"}.get(wanted, wanted)}


def _reasoning(wanted: Wanted, _room: int) -> dict[str, Any]:
    if isinstance(wanted, int):
        return {"reasoning": {"max_tokens": wanted}}
    return {"reasoning": {"enabled": wanted == "on"} if wanted in ("off", "on") else {"effort": wanted}}


def _thinking(wanted: Wanted, _room: int) -> dict[str, Any]:
    if wanted not in ("off", "on"):
        raise ModelError(f"is {wanted}, and this server (thinking) takes off and on")
    return {"thinking": {"type": "enabled" if wanted == "on" else "disabled"}}


def _enable_thinking(wanted: Wanted, room: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"enable_thinking": wanted != "off"}
    return {**fields, "thinking_budget": room} if wanted not in ("off", "on") else fields


def _template(wanted: Wanted, _room: int) -> dict[str, Any]:
    """For whatever template the server holds: those that do not know a variable leave it alone."""
    on = wanted != "off"
    variables: dict[str, Any] = {"enable_thinking": on, "thinking": on}
    if isinstance(wanted, int):
        return {"chat_template_kwargs": {**variables, "thinking_budget": wanted}}
    if wanted in ("off", "on"):
        return {"chat_template_kwargs": variables}
    return {"chat_template_kwargs": {**variables, "reasoning_effort": wanted}, "reasoning_effort": wanted}


WRITTEN: Mapping[str, Callable[[Wanted, int], dict[str, Any]]] = {
    "reasoning_effort": _effort,
    "reasoning": _reasoning,
    "thinking": _thinking,
    "enable_thinking": _enable_thinking,
    "chat_template_kwargs": _template,
}
