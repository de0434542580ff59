"""The option `thinking:` of every model that may think."""

from __future__ import annotations

from cbtrun.plugin import Json

THINKING: Json = {
    "anyOf": [{"enum": ["off", "on", "low", "medium", "high"]}, {"type": "integer", "minimum": 1, "maximum": 1000000}],
    "x-expected": "off, on, low, medium, high, or a number of tokens",
    "x-rehearsal": {"drop": True},
    "description": "Whether the model thinks before it speaks, and how much: off, on, low, medium, high, or at most so many "
    "tokens. Without it nothing is asked for, and the model does as it does. What it thinks comes on top of `max_tokens`: "
    "1,024 tokens more for low, 4,096 for medium and on, 16,384 for high.",
}
