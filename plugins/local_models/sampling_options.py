"""How a local model draws its tokens: options that every plugin of local models takes."""

from __future__ import annotations

from cbtrun.plugin import Json

SAMPLING: Json = {
    "temperature": {"type": "number", "minimum": 0, "default": 0.7, "description": "0 takes the likeliest token."},
    "top_p": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "default": 0.95,
        "description": "Keep the likeliest tokens up to this sum of probability.",
    },
    "top_k": {
        "type": "integer",
        "minimum": 0,
        "default": 50,
        "description": "Keep this many of the likeliest tokens; 0 keeps all.",
    },
    "repetition_penalty": {
        "type": "number",
        "minimum": 0.01,
        "default": 1.0,
        "description": "Above 1, tokens already in the prompt or the reply become less likely.",
    },
}
