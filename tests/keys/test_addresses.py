"""An address as people paste it is refused before anything is asked, with what was meant."""

from __future__ import annotations

import pytest

from cbtrun.errors import ModelError
from cbtrun.keys.addresses import expand_address, written_fault


@pytest.mark.parametrize(
    ("address", "end"),
    [
        ("https://api.example/v1/chat/completions", "/chat/completions"),
        ("https://api.example/v1/chat/completions/", "/chat/completions"),
        ("${VLLM_URL}/chat/completions", "/chat/completions"),
        ("https://api.example/v1/models", "/models"),
        ("https://api.example/v1/messages", "/v1/messages"),
        ("http://localhost:11434/api/chat", "/api/chat"),
        ("https://g.example/v1beta/models/gemini:generateContent", "/models/gemini:generateContent"),
    ],
)
def test_an_address_of_one_call_is_refused(address: str, end: str) -> None:
    assert written_fault(address) == f"ends with '{end}', which is added for each call: write the address without it"


@pytest.mark.parametrize(
    ("address", "meant"),
    [("localhost:8000/v1", "http://localhost:8000/v1"), ("api.example/v1", "https://api.example/v1")],
)
def test_an_address_without_a_scheme_is_refused_with_what_was_meant(address: str, meant: str) -> None:
    assert str(written_fault(address)).endswith(f"did you mean '{meant}'?")


def test_what_looks_like_a_secret_is_not_shown() -> None:
    assert "sk-1" not in str(written_fault("me:sk-1@api.example/v1"))


@pytest.mark.parametrize(
    "address", ["https://api.example/v1", "http://10.0.0.1:8000/v1/", "${VLLM_URL}", "${A_URL}/v1"]
)
def test_a_plain_address_is_taken(address: str) -> None:
    assert written_fault(address) is None


def test_a_variable_that_holds_an_address_of_one_call_is_refused_too() -> None:
    with pytest.raises(ModelError, match="ends with '/chat/completions'"):
        expand_address("${VLLM_URL}", {"VLLM_URL": "http://localhost:8000/v1/chat/completions"})


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("${OPENAI_API_KEY}/v1", "the last word of its name must be one of URL"),
        ("https://host.example/${MY_URL}", "can only begin one"),
        ("https://x${MY_HOST}/v1", "can only be the whole host"),
    ],
)
def test_a_variable_that_may_not_stand_in_an_address_is_told_without_its_value(address: str, why: str) -> None:
    assert why in str(written_fault(address))
