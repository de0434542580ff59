"""`thinking:` in the words of each vendor, and the reason where a server or a model does not take it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cbtrun.calls.budget import Budget, BudgetLimits
from cbtrun.calls.server_terms import Prices, ServerTerms
from cbtrun.contract.digests import digest
from cbtrun.errors import ModelError, StopRun
from cbtrun.plugins.remote_models import anthropic_messages, google_genai
from cbtrun.plugins.remote_models.thinking_fields import thinking_fields
from cbtrun.plugins.remote_models.vendor_thinking import claude_answers, claude_fields, gemini_config
from cbtrun.testing.projects import StudyProject
from tests.helpers.chat_calls import model_at, request
from tests.helpers.raw_server import RawServer, whole

ANSWER = json.dumps({"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}).encode()
KWARGS = "chat_template_kwargs"
ON = {"enable_thinking": True, "thinking": True}


@pytest.mark.parametrize(
    ("url", "model", "thinking", "fields"),
    [
        ("https://api.openai.com/v1", "gpt-5.2", "off", {"reasoning_effort": "none"}),
        ("https://api.openai.com/v1", "o3", "low", {"reasoning_effort": "low"}),
        ("https://x.openai.azure.com/openai/v1", "gpt-5", "on", {"reasoning_effort": "medium"}),
        ("https://openrouter.ai/api/v1", "qwen/qwen3-32b", "off", {"reasoning": {"enabled": False}}),
        ("https://openrouter.ai/api/v1", "openai/o3", "high", {"reasoning": {"effort": "high"}}),
        ("https://openrouter.ai/api/v1", "anthropic/claude", 2000, {"reasoning": {"max_tokens": 2000}}),
        ("https://api.deepseek.com/v1", "deepseek-chat", "on", {"thinking": {"type": "enabled"}}),
        ("https://open.bigmodel.cn/api/paas/v4", "glm-5", "off", {"thinking": {"type": "disabled"}}),
        ("https://dashscope-intl.aliyuncs.com/v1", "qwen3-32b", "off", {"enable_thinking": False}),
        ("https://dashscope.aliyuncs.com/v1", "qwen3", "low", {"enable_thinking": True, "thinking_budget": 1024}),
        ("http://localhost:11434/v1", "qwen3:8b", "off", {"reasoning_effort": "none"}),
        ("http://gpu:8000/v1", "Qwen/Qwen3-8B", "off", {KWARGS: {"enable_thinking": False, "thinking": False}}),
        ("http://gpu:8000/v1", "openai/gpt-oss-20b", "low", {KWARGS: {**ON, "reasoning_effort": "low"}, "reasoning_effort": "low"}),
        ("http://gpu:8000/v1", "ByteDance/Seed-OSS-36B", 512, {KWARGS: {**ON, "thinking_budget": 512}}),
        ("https://notopenai.com.example.org/v1", "m", "on", {KWARGS: ON}),
        ("${VLLM_URL}", "m", None, {}),
    ],
)  # fmt: skip
def test_a_server_is_told_in_its_own_field(url: str, model: str, thinking: Any, fields: dict[str, Any]) -> None:
    assert thinking_fields({"model": model, "thinking": thinking, "thinking_field": "auto"}, url) == fields


@pytest.mark.parametrize(
    ("url", "model", "thinking", "why"),
    [
        ("https://api.openai.com/v1", "o4-mini", "off", "cannot be off for 'o4-mini': OpenAI's o models always think"),
        ("https://api.openai.com/v1", "gpt-5-mini", "off", "OpenAI's models before gpt-5.1 always think"),
        ("https://openrouter.ai/api/v1", "openai/gpt-oss-120b", "off", "gpt-oss always thinks; the least is low"),
        ("https://openrouter.ai/api/v1", "google/gemini-2.5-pro", "off", "Gemini 2.5 Pro always thinks"),
        ("https://api.deepseek.com/v1", "deepseek-reasoner", "off", "as its name says; choose its sibling"),
        ("http://gpu:8000/v1", "Qwen/Qwen3-30B-A3B-Thinking-2507", "off", "as its name says"),
        ("http://gpu:8000/v1", "deepseek-ai/DeepSeek-R1", "off", "choose its sibling that does not"),
        ("https://api.x.ai/v1", "grok-4", "off", "this Grok always thinks"),
        ("https://api.openai.com/v1", "gpt-5.2", 2000, "is a number of tokens, and this server (reasoning_effort)"),
        ("https://api.deepseek.com/v1", "deepseek-chat", "low", "is low, and this server (thinking) takes off and on"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_reason(url: str, model: str, thinking: Any, why: str) -> None:
    with pytest.raises(ModelError) as caught:
        thinking_fields({"model": model, "thinking": thinking, "thinking_field": "auto"}, url)
    assert why in str(caught.value)


def test_a_model_that_does_not_think_by_its_name_may_be_off() -> None:
    for model in (
        "grok-4-fast-non-reasoning",
        "gpt-5.1",
        "gpt-4o",
        "deepseek-chat",
        "Qwen/Qwen3-8B",
        "gemini-2.5-flash",
    ):
        assert thinking_fields({"model": model, "thinking": "off", "thinking_field": "thinking"}, "https://a.org/v1")


@pytest.mark.parametrize(
    ("model", "thinking", "fields"),
    [
        ("claude-opus-5", "off", {"thinking": {"type": "disabled"}}),
        ("claude-opus-4-8", "on", {"thinking": {"type": "adaptive"}}),
        ("claude-sonnet-4-6", "low", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        ("claude-opus-4-1-20250805", 2000, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ("claude-sonnet-4-20250514", "medium", {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        ("claude-3-7-sonnet-20250219", "low", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("claude-3-haiku-20240307", "off", {}),
        ("claude-opus-5", None, {}),
    ],
)
def test_claude_is_told_by_its_generation(model: str, thinking: Any, fields: dict[str, Any]) -> None:
    assert claude_fields({"model": model, "thinking": thinking}) == fields


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ({"model": "claude-opus-5", "thinking": 2000}, "this Claude decides itself"),
        ({"model": "claude-opus-4-1", "thinking": 200}, "the least that Claude takes is 1,024"),
        ({"model": "claude-3-haiku-20240307", "thinking": "on"}, "'claude-3-haiku-20240307' does not think"),
        ({"model": "claude-opus-5", "thinking": "on", "temperature": 0.7}, "takes none while it thinks"),
        ({"model": "claude-opus-5", "thinking": "on", "answers": "TOOLS"}, "cannot be made to call a tool"),
    ],
)
def test_what_claude_does_not_take_is_told(block: dict[str, Any], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        claude_fields(block)


def test_claude_is_not_made_to_call_a_tool_while_it_thinks() -> None:
    blocks = [("claude-opus-5", None), ("claude-opus-5", "off"), ("claude-opus-5", "low"), ("claude-opus-4-1", "low")]
    found = [claude_answers({"model": model, "thinking": thinking}) for model, thinking in blocks]
    assert found == ["TOOLS", "TOOLS", "JSON_SCHEMA", "JSON"]


@pytest.mark.parametrize(
    ("model", "thinking", "config"),
    [
        ("gemini-2.5-flash", "off", {"thinking_budget": 0}),
        ("gemini-2.5-pro", "on", {"include_thoughts": True, "thinking_budget": -1}),
        ("gemini-2.5-flash", 512, {"include_thoughts": True, "thinking_budget": 512}),
        ("gemini-3.8-flash", "low", {"include_thoughts": True, "thinking_level": "LOW"}),
        ("gemini-3-pro-preview", "on", {"include_thoughts": True}),
    ],
)
def test_gemini_is_told_by_its_generation(model: str, thinking: Any, config: dict[str, Any]) -> None:
    assert gemini_config({"model": model, "thinking": thinking}) == {"thinking_config": config}


@pytest.mark.parametrize(
    ("model", "thinking", "why"),
    [
        ("gemini-2.5-pro", "off", "Gemini 2.5 Pro always thinks"),
        ("gemini-3-flash", "off", "Gemini from 3 on always thinks; the least is low"),
        ("gemini-3-flash", 500, "this Gemini takes on, low, medium, high"),
        ("gemini-2.0-flash", "low", "'gemini-2.0-flash' does not think"),
    ],
)
def test_what_gemini_does_not_take_is_told(model: str, thinking: Any, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        gemini_config({"model": model, "thinking": thinking})


def test_thinking_comes_on_top_of_what_a_reply_may_say() -> None:
    claude = {"model": "claude-opus-4-1", "thinking": 2000, "max_tokens": 100, "stop": [], "extra_body": {}}
    fields = anthropic_messages._fields(request(schema={"type": "object"}, mode="JSON_SCHEMA"), claude)
    assert fields["max_tokens"] == 2100
    low = {**claude, "model": "claude-opus-5", "thinking": "low"}
    fields = anthropic_messages._fields(request(schema={"type": "object"}, mode="JSON_SCHEMA"), low)
    assert set(fields["extra_body"]["output_config"]) == {"format", "effort"}
    gemini = {**claude, "model": "gemini-2.5-flash"}
    assert google_genai._config(request(), gemini)["max_output_tokens"] == 2100


def test_a_request_holds_the_field_and_its_room_and_nothing_without_the_option() -> None:
    plain, thinks = (_sent(**chosen) for chosen in ({}, {"thinking": "low", "thinking_field": "reasoning"}))
    assert plain["max_tokens"] == 90
    assert thinks == {**plain, "max_tokens": 1114, "reasoning": {"effort": "low"}}


def _sent(**chosen: Any) -> dict[str, Any]:
    """The body of one request."""

    async def ask() -> dict[str, Any]:
        async with RawServer(lambda _: whole(ANSWER)) as server:
            model = model_at(server.url, **chosen)
            await model.reply(request(max_tokens=90))
            await model.close()
            body: dict[str, Any] = json.loads(server.bodies[0])
            return body

    return asyncio.run(ask())


def test_replies_without_the_option_are_still_found_in_journals() -> None:
    """The identity of a block without `thinking` is the one of before; with it, another."""
    plain = model_at("http://127.0.0.1:9").identity
    assert digest(plain) == digest({"plugin": "openai", "constrain": "none", "base_url": "${MOCK_URL}", "model": "mock", "seed": False, "json_object": True})  # fmt: skip
    thinks = {digest(model_at("http://127.0.0.1:9", thinking=wanted).identity) for wanted in ("off", "low", 500)}
    assert len({digest(plain), *thinks}) == 4


def test_a_budget_sets_aside_what_a_reply_may_think() -> None:
    budget = Budget(BudgetLimits(tokens=1000))
    terms = ServerTerms("s", prices=Prices(1.0, 1.0), thinking_tokens=1024)
    with pytest.raises(StopRun, match="the next call may take 1,1"):
        asyncio.run(budget.reserve(request(max_tokens=90), terms))


STUDY = """
cbtrun: 1
study: s
contains: none
models:
  t: {using: openai, base_url: "https://api.openai.com/v1", model: %s, thinking: %s, prices: {input: 1, output: 10}, extra_body: {%s}}
  p: {using: scripted-patient}
personas: {e: {using: files, path: eval-120, first: 2}}
arms: {a: {therapist: t}}
sessions: {using: dialogue, patient: p, personas: e, max_turns: 2}
"""
Project = Callable[[Mapping[str, str]], StudyProject]


@pytest.mark.parametrize(
    ("model", "thinking", "extra", "told"),
    [
        ("o3", "off", "", "models/t/thinking: cannot be off for 'o3': OpenAI's o models always think; the least is low"),
        ("gpt-5.2", "off", "reasoning_effort: low", "models/t/extra_body/reasoning_effort: 'reasoning_effort' is set by `thinking`"),
    ],
)  # fmt: skip
def test_validate_says_what_a_vendors_model_does_not_take(
    study_project: Project, model: str, thinking: str, extra: str, told: str
) -> None:
    outcome = study_project({"study.yaml": STUDY % (model, thinking, extra)}).run("validate", "study.yaml")
    assert outcome.code == 2
    assert told in outcome.err


def test_plan_prices_what_is_thought(study_project: Project) -> None:
    plans = [
        study_project({"study.yaml": STUDY % ("gpt-5.2", thinking, "")}).run("plan", "study.yaml").out
        for thinking in ("off", "high")
    ]
    assert "assumed: each reply of t thinks for 16,384 tokens, the most of `thinking: high`" in plans[1]
    assert "thinks for" not in plans[0]
    dollars = [float(plan.partition("~$")[2].split()[0].rstrip(",")) for plan in plans]
    turns = 2  # one of the therapist for each persona
    assert dollars[1] - dollars[0] == pytest.approx(turns * 16384 * 10 / 1e6, abs=0.02)
