"""`extra_body`: plain settings pass, what makes another request of it or has the server do more is refused with its line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cbtrun.testing.projects import StudyProject

Project = Callable[[Mapping[str, str]], StudyProject]
STUDY = """
cbtrun: 1
study: remote
contains: none
models:
  patient: {using: scripted-patient}
  therapist: {using: USING, MODEL, extra_body: EXTRA}
personas: {eval: {using: sampled, attributes: depression, count: 1}}
arms: {one: {therapist: therapist}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2}
"""
MODEL = {
    "openai": "base_url: 'http://127.0.0.1:1/v1', model: m",
    "google": "model: m",
    "anthropic": "model: m, max_tokens: 9",
}


def validated(make: Project, using: str, extra: Any) -> Any:
    """`cbtrun validate` of a study with an extra_body."""
    text = STUDY.replace("USING", using).replace("MODEL", MODEL[using]).replace("EXTRA", json.dumps(extra))
    return make({"study.yaml": text}).run("validate", "study.yaml")


@pytest.mark.parametrize("using", [*MODEL])
@pytest.mark.parametrize(
    ("extra", "at"),
    [
        ({"model": "other"}, "model"),
        ({"models": ["a", "b"]}, "models"),
        ({"messages": []}, "messages"),
        ({"systemInstruction": {}}, "systemInstruction"),
        ({"tools": []}, "tools"),
        ({"tool-choice": "auto"}, "tool-choice"),
        ({"functions": []}, "functions"),
        ({"mcp_servers": [{"x": 1}]}, "mcp_servers"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"plugins": [{"id": "web"}]}, "plugins"),
        ({"n": 2}, "n"),
        ({"stream": True}, "stream"),
        ({"chat_template": "{{ x }}"}, "chat_template"),
        ({"logits_processors": ["evil.P"]}, "logits_processors"),
        ({"custom_logit_processor": "gASV"}, "custom_logit_processor"),
        ({"guided_decoding_backend": "evil"}, "guided_decoding_backend"),
        ({"kv_transfer_params": {"remote_host": "x"}}, "kv_transfer_params"),
        ({"provider": {"base_url": "http://x"}}, "provider/base_url"),
        ({"generationConfig": {"candidateCount": 3}}, "generationConfig/candidateCount"),
        ({"a": [{"b": {"webhookUrl": "http://x"}}]}, "a/0/b/webhookUrl"),
        ({"lora_path": "/x"}, "lora_path"),
    ],
)
def test_what_makes_another_request_of_it_is_refused(study_project: Project, using: str, extra: Any, at: str) -> None:
    outcome = validated(study_project, using, extra)
    assert outcome.code == 2
    assert outcome.err.startswith("study.yaml:7:")
    assert f": models/therapist/extra_body/{at}: '{at.rpartition('/')[2]}' " in outcome.err


@pytest.mark.parametrize("using", [*MODEL])
def test_settings_of_sampling_reasoning_and_routing_pass(study_project: Project, using: str) -> None:
    extra = {
        "provider": {"order": ["deepinfra"], "allow_fallbacks": False, "data_collection": "deny"},
        "reasoning": {"effort": "low", "exclude": True},
        "reasoning_effort": "low",
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "chat_template_kwargs": {"enable_thinking": False, "custom_tools": []},
        "generationConfig": {"topK": 40, "thinkingConfig": {"thinkingBudget": 0}},
        "safetySettings": [{"category": "X", "threshold": "BLOCK_NONE"}],
        "top_k": 40,
        "min_p": 0.05,
        "repetition_penalty": 1.1,
        "logit_bias": {"5": -1},
        "service_tier": "flex",
        "metadata": {"search": "mine"},
    }
    assert validated(study_project, using, extra).err == ""


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"a": "x" * 20_000}, "is longer than 16 KiB"),
        ({"a": {"b": {"c": [[[[[[[1]]]]]]]}}}, "is nested more than 8 deep"),
    ],
)
def test_an_extra_body_has_bounds(study_project: Project, extra: Any, said: str) -> None:
    assert said in validated(study_project, "openai", extra).err
