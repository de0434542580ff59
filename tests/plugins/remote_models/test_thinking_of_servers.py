"""What servers hold apart as thinking, withhold, or put into a choice as an error."""

from __future__ import annotations

import json
from types import SimpleNamespace as Part
from typing import Any

import pytest

from cbtrun.errors import ServerFault
from cbtrun.plugins.remote_models import anthropic_messages, google_genai
from cbtrun.plugins.remote_models.openai_reply import read_reply
from tests.helpers.chat_calls import request


def body(message: dict[str, Any], usage: Any = None, **choice: Any) -> bytes:
    """A chat completion of one choice."""
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop", **choice}], "usage": usage}).encode()


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Hello.", "reasoning_content": "She is low."},
        {"content": "Hello.", "reasoning": "She is low."},
        {
            "content": "Hello.",
            "reasoning": None,
            "reasoning_details": [{"type": "reasoning.text", "text": "She is low."}],
        },
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "She is low."}]},
                {"type": "text", "text": "Hello."},
            ]
        },
    ],
    ids=["DeepSeek, vLLM", "OpenRouter, Ollama", "details", "Mistral"],
)
def test_thinking_beside_the_words_is_kept_beside_them(message: dict[str, Any]) -> None:
    reply = read_reply(body(message), request())
    assert (reply.text, reply.thinking) == ("Hello.", "She is low.")
    assert reply.tokens_out == 5  # a quarter of the characters of both, where the server counts none


def test_tokens_of_thinking_are_counted_once() -> None:
    hidden = {"completion_tokens_details": {"reasoning_tokens": 200}}
    usage = {"prompt_tokens": 10, "completion_tokens": 250, "total_tokens": 260, **hidden}
    reply = read_reply(body({"content": "Hello."}, usage), request())
    assert (reply.tokens_out, reply.thinking) == (250, "(200 tokens, not shown by the server)")
    beside = {"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 260, **hidden}
    assert read_reply(body({"content": "Hello."}, beside), request()).tokens_out == 250


def test_an_error_in_the_choice_is_a_fault() -> None:
    broken = body({"content": "What went"}, error={"code": 502, "message": "provider down"})
    with pytest.raises(ServerFault, match="502: provider down"):
        read_reply(broken, request())


def test_the_thinking_of_claude_is_no_word() -> None:
    blocks = [
        Part(type="thinking", thinking="She is low."),
        Part(type="redacted_thinking"),
        Part(type="text", text="Hi."),
    ]
    usage = Part(input_tokens=4, output_tokens=30)
    message = Part(content=blocks, usage=usage, stop_reason="end_turn", model="claude")
    reply = anthropic_messages._reply(message, request())
    assert (reply.text, reply.thinking, reply.tokens_out) == ("Hi.", "She is low.\n(not shown by the server)", 30)


@pytest.mark.parametrize("shown", [True, False])
def test_the_thoughts_of_gemini_are_no_words(shown: bool) -> None:
    parts = [Part(text="She is low.", thought=True, function_call=None)] if shown else []
    parts.append(Part(text="Hi.", thought=None, function_call=None))
    usage = Part(prompt_token_count=4, candidates_token_count=2, thoughts_token_count=28)
    candidate = Part(content=Part(parts=parts), finish_reason="STOP")
    reply = google_genai._reply(Part(candidates=[candidate], usage_metadata=usage, model_version="g"), request())
    thinking = "She is low." if shown else "(28 tokens, not shown by the server)"
    assert (reply.text, reply.thinking, reply.tokens_out) == ("Hi.", thinking, 30)
