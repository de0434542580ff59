"""A request as the body of OpenAI's chat completions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cbtrun.plugin import Request, thinking_room

CHOSEN_HERE = frozenset(
    [
        "messages",
        "model",
        "stream",
        "n",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "seed",
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "structured_outputs",
    ]
)
"""Fields that options or the request decide, and that `extra_body` may not."""
TOOL = "answer"
HAS_CACHE_KEYS = "api.openai.com"
"""Takes `prompt_cache_key`: requests of one key are brought to machines that have what they begin with. Others may refuse it."""


def request_body(request: Request, options: Mapping[str, Any], thinking: Mapping[str, Any]) -> bytes:
    """The body as JSON bytes. options: the model's block. thinking: its `thinking` in the server's words."""
    body: dict[str, Any] = {
        "model": options["model"],
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
    }
    for name in ("temperature", "top_p"):
        if options.get(name) is not None:
            body[name] = options[name]
    if (most := request.max_tokens or options.get("max_tokens")) is not None:
        body[options["max_tokens_field"]] = most + thinking_room(options)
    if stop := list(dict.fromkeys((*options["stop"], *request.stop))):
        body["stop"] = stop
    if options["seed"]:
        body["seed"] = request.seed % 2**31  # llama.cpp reads 32 bits; 31 are safe everywhere
    if request.shared and urlsplit(options["base_url"]).hostname == HAS_CACHE_KEYS:
        head = next((one.content for one in request.messages if one.role == "user"), "")[: request.shared]
        body["prompt_cache_key"] = hashlib.sha256(head.encode("utf-8", "replace")).hexdigest()[:32]
    if request.schema is not None:
        body |= _answer_fields(request, options)
    # ASCII only: a lone surrogate in a message has no UTF-8, its JSON escape passes.
    return json.dumps({**body, **thinking, **options["extra_body"]}, separators=(",", ":")).encode()


def _answer_fields(request: Request, options: Mapping[str, Any]) -> dict[str, Any]:
    """What holds the answer to its schema, by the mode."""
    fields: dict[str, Any] = {}
    if request.mode == "TOOLS":
        function = {"name": TOOL, "description": "Give the answer.", "parameters": request.schema}
        fields["tools"] = [{"type": "function", "function": function}]
        fields["tool_choice"] = {"type": "function", "function": {"name": TOOL}}
    elif request.mode == "JSON_SCHEMA":
        fields["response_format"] = {"type": "json_schema", "json_schema": {"name": TOOL, "schema": request.schema}}
    elif options["json_object"]:
        fields["response_format"] = {"type": "json_object"}
    if options["constrain"] == "vllm" and request.mode != "TOOLS":
        fields["structured_outputs"] = {"json": request.schema}
        fields.pop("response_format", None)  # vLLM takes one constraint at a time, and the schema is the stronger
    return fields
