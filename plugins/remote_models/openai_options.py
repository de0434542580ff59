"""Options of the `openai` plugin."""

from __future__ import annotations

from cbtrun.plugin import TERMS_OPTIONS, Json
from cbtrun.plugins.remote_models.openai_batches import OpenAIBatches
from cbtrun.plugins.remote_models.thinking_fields import THINKING_FIELD
from cbtrun.plugins.thinking.option import THINKING

ADDRESS: Json = {"type": "string", "minLength": 1, "x-env": True}
SCHEMA: Json = {
    "type": "object",
    "description": "A model behind a server that speaks OpenAI's chat completions.",
    "required": ["base_url", "model"],
    "additionalProperties": False,
    "x-remote": True,
    "x-batches": OpenAIBatches.own_host,
    "properties": {
        "base_url": {
            "anyOf": [
                ADDRESS,
                {"type": "array", "items": ADDRESS, "minItems": 1, "maxItems": 1000, "uniqueItems": True},
            ],
            "description": "Address, or a list of those of servers that serve the model alike (one `vllm serve` a node), up to /chat/completions: https://api.deepseek.com/v1, http://localhost:8000/v1, "
            "${VLLM_URL}. The last word of a variable's name is URL, BASE, ENDPOINT or ADDRESS (it begins the address), HOST or PORT.",
        },
        "model": {"type": "string", "minLength": 1, "description": "The model's name, as the server knows it."},
        "api_key_env": {
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "x-expected": "the name of an environment variable (never the key itself)",
            "description": "Environment variable (or line of ./.env) that holds the key. A key goes to its vendor's host "
            "only, or to one allowed with --allow-host.",
        },
        "temperature": {
            "type": "number",
            "minimum": 0,
            "description": "Sent if given; without it the server's default holds.",
        },
        "top_p": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "description": "Sent if given; without it the server's default holds.",
        },
        "max_tokens": {
            "type": "integer",
            "minimum": 1,
            "description": "Most new tokens of a reply, where the request does not say.",
        },
        "max_tokens_field": {
            "enum": ["max_tokens", "max_completion_tokens"],
            "default": "max_tokens",
            "description": "What the server calls it; newer OpenAI models want `max_completion_tokens`.",
        },
        "seed": {
            "type": "boolean",
            "default": False,
            "description": "Whether to send each draw's own seed (31 bits), for servers that sample by one.",
        },
        "stop": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "default": [],
            "description": "Strings that end a reply, besides those of the request.",
        },
        "thinking": THINKING,
        "thinking_field": THINKING_FIELD,
        "extra_body": {
            "type": "object",
            "default": {},
            "description": "Further fields of the request, sent as they are, e.g. {reasoning_effort: low}; none that changes what is asked or has the server do more than answer.",
        },
        "answers": {
            "enum": ["JSON", "TOOLS", "JSON_SCHEMA"],
            "description": "How this model gives structured answers; wins over a rating set's `mode`.",
        },
        "json_object": {
            "type": "boolean",
            "default": True,
            "description": "Whether mode JSON asks the server for a JSON object (response_format).",
        },
        "constrain": {
            "enum": ["none", "vllm"],
            "default": "none",
            "description": "`vllm` also sends the schema as structured_outputs, to which vLLM holds its decoding.",
        },
        "timeout_seconds": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 300,
            "description": "Longest that one try may take, from connecting to the last byte.",
        },
        "connect_seconds": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 15,
            "description": "Longest that connecting may take.",
        },
        "max_reply_mib": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 8,
            "description": "Longest answer of the server that is read, in MiB.",
        },
        **TERMS_OPTIONS,
    },
}
