"""`thinking:` in the variables of a model's template, and the reason where it has none for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import pytest

from cbtrun.contract.models import ChatMessage
from cbtrun.errors import ModelError
from cbtrun.plugins import tiny
from cbtrun.plugins.local_models.chat_format import turn_ends
from cbtrun.plugins.local_models.chat_template import ChatTemplate
from cbtrun.plugins.local_models.reply_text import reply_text
from cbtrun.plugins.local_models.spoken_format import spoken_format
from cbtrun.plugins.local_models.template_thinking import thinking_variables
from cbtrun.testing.projects import StudyProject
from tests.helpers.families import family_tokenizer

SWITCHED = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
SEED = "{{ thinking_budget }}{% for m in messages %}{{ m.content.split('</seed:think>')[-1] }}{% endfor %}"


def stock(name: str) -> str:
    return (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("template", "wanted", "variables"),
    [
        (stock("qwen3"), "off", {"enable_thinking": False}),
        (stock("qwen3"), "on", {"enable_thinking": True}),
        (stock("qwen3"), 2000, {"enable_thinking": True}),
        ("{{ thinking }}</think>", "off", {"thinking": False}),  # DeepSeek V3.1, Granite
        (stock("gptoss"), "low", {"reasoning_effort": "low"}),
        (stock("qwen3_8"), "high", {"enable_thinking": True, "reasoning_effort": "xhigh"}),
        (stock("muse_glimmer"), "medium", {"reasoning_strength": "medium"}),
        (stock("nemotron_3_super"), "low", {"enable_thinking": True, "low_effort": True}),
        (stock("nemotron_3_super"), "high", {"enable_thinking": True}),
        (SEED, 512, {"thinking_budget": 512}),
        (stock("qwen2_5"), "off", {}),
        (stock("qwen3"), None, {}),
    ],
)
def test_a_setting_becomes_the_variables_that_the_template_asks_for(
    template: str, wanted: str | int | None, variables: dict[str, Any]
) -> None:
    assert thinking_variables(ChatTemplate(template), wanted) == variables


@pytest.mark.parametrize(
    ("template", "wanted", "why"),
    [
        (
            stock("deepseek_r1_distill"),
            "off",
            "has every turn begin with '<think>' and no variable that switches it off",
        ),
        (stock("gptoss"), "off", "knows how much the model thinks (`reasoning_effort`) but not how to switch it off"),
        ("{{ messages[0].content.split('</think>')[-1] }}", "off", "has no variable that switches them off"),
        (stock("qwen3"), "low", "has no level 'low' of thinking; it knows off, on"),
        (stock("nemotron_3_super"), "medium", "it knows off, on, low, high"),
        (stock("qwen2_5"), "on", "this model does not think, or cannot be told to"),
    ],
)
def test_what_a_template_cannot_do_is_told_with_the_reason(template: str, wanted: str, why: str) -> None:
    template = template if template.startswith("{{") else f"{{% set bos_token = '<s>' %}}{template}"
    with pytest.raises(ModelError) as caught:
        thinking_variables(ChatTemplate(template), wanted)
    assert why in str(caught.value)


def test_a_base_is_asked_by_its_template_and_an_adapter_as_it_was_trained() -> None:
    tokenizer = family_tokenizer("qwen")
    tokenizer.chat_template = stock("qwen3")
    said = [ChatMessage("user", "Hello."), ChatMessage("assistant", "Good day."), ChatMessage("user", "I am low.")]

    def prompt(thinking: str | None, *, tuned: bool = False) -> str:
        options = {"model": "m", **({"thinking": thinking} if thinking else {})}
        ids = spoken_format(tokenizer, options, tuned=tuned).prompt_ids(said)
        return str(tokenizer.decode(ids)).partition("Hello.")[2]

    past, asks = "<|im_end|>\n<|im_start|>assistant\n{}Good day.<|im_end|>\n<|im_start|>user\nI am low.<|im_end|>\n", ""
    asks = "<|im_start|>assistant\n"
    none = "<think>\n\n</think>\n\n"
    assert prompt(None) == prompt("on") == past.format("") + asks
    assert prompt("off") == past.format("") + asks + none
    assert prompt(None, tuned=True) == prompt("on", tuned=True) == past.format(none) + asks + none


def test_a_thought_that_the_prompt_opened_begins_with_its_mark() -> None:
    tokenizer = family_tokenizer("qwen")
    ids = tokenizer("Low. </think> Hello.", add_special_tokens=False)["input_ids"]
    opened = tokenizer("<|im_start|>assistant\n<think>\n", add_special_tokens=False)["input_ids"]
    closed = tokenizer("<|im_start|>assistant\n<think>\n\n</think>\n\n", add_special_tokens=False)["input_ids"]
    assert reply_text(tokenizer, opened, ids) == "<think>\nLow. </think> Hello."
    assert reply_text(tokenizer, opened, ids, structured=True) == "Low. </think> Hello."
    assert reply_text(tokenizer, closed, ids) == "Low. </think> Hello."


def test_marks_that_are_control_tokens_stay_and_the_others_go() -> None:
    tokenizer = family_tokenizer("mistral")
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]"]})
    ids = tokenizer("[THINK]Low.[/THINK]Hello.</s>", add_special_tokens=False)["input_ids"]
    assert reply_text(tokenizer, [], ids) == "[THINK]Low.[/THINK]Hello."


def test_a_model_of_channels_goes_on_after_its_thought_unless_it_is_tuned() -> None:
    tokenizer = family_tokenizer("mistral")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|channel|>", "<|message|>", "<|end|>"]})
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    assert end in turn_ends(tokenizer)
    assert end not in turn_ends(tokenizer, channels=True)
    ids = tokenizer("<|channel|>analysis<|message|>Low.<|end|>", add_special_tokens=False)["input_ids"]
    assert reply_text(tokenizer, [], ids) == "<|channel|>analysis<|message|>Low.<|end|>"


STUDY = """
cbtrun: 1
study: s
models: {base: {using: transformers, model: "./model", thinking: %s}, p: {using: scripted-patient}}
personas: {e: {using: files, path: eval-120, first: 1}}
arms: {a: {therapist: base}}
sessions: {using: dialogue, patient: p, personas: e, max_turns: 2}
"""


@pytest.mark.parametrize(
    ("thinking", "code", "told"),
    [
        ("off", 0, ""),
        ("2000", 0, ""),
        (
            "low",
            2,
            "models/base/thinking: the chat template of ./model has no level 'low' of thinking; it knows off, on",
        ),
        ("true", 2, "models/base/thinking: expected off, on, low, medium, high, or a number of tokens, got true"),
    ],
)
def test_validate_tells_what_a_model_cannot_be_told(
    study_project: Callable[[Mapping[str, str]], StudyProject], thinking: str, code: int, told: str
) -> None:
    project = study_project({"study.yaml": STUDY % thinking})
    folder = project.folder / "model"
    shutil.copytree(tiny.embedded_folder("cbtrun:tiny") or "", folder)
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(template + SWITCHED)
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == code
    assert told in outcome.err
