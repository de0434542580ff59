"""Thinking in the marks of each family of models is told from what is said."""

from __future__ import annotations

import pytest

from cbtrun.contract.thinking import Said, without_thinking

FAMILIES = {
    "DeepSeek R1, Qwen3": "<think>\nShe is low.\n</think>\n\nHello.",
    "the opening mark stands in the prompt": "She is low.\n</think>\n\nHello.",
    "cut in capitals": "<THINK>She is low.</THINK>Hello.",
    "Claude of old prompts": "<thinking>She is low.</thinking>\nHello.",
    "EXAONE Deep": "<thought>\nShe is low.\n</thought>\nHello.",
    "Seed-OSS": "<seed:think>She is low.</seed:think>Hello.",
    "Magistral": "[THINK]She is low.[/THINK]Hello.",
    "OpenThinker": "<|begin_of_thought|>She is low.<|end_of_thought|>\n<|begin_of_solution|>Hello.<|end_of_solution|>",
    "Command A": "<|START_THINKING|>She is low.<|END_THINKING|><|START_RESPONSE|>Hello.<|END_RESPONSE|>",
    "Kimi": "◁think▷She is low.◁/think▷Hello.",
    "MedGemma": "<unused94>thought\nShe is low.<unused95>Hello.",
    "Gemma 4": "<|channel>thought\nShe is low.<channel|>Hello.",
    "Hunyuan": "<think>She is low.</think>\n<answer>\nHello.\n</answer>",
    "gpt-oss": "<|channel|>analysis<|message|>She is low.<|end|><|start|>assistant<|channel|>final<|message|>Hello.<|return|>",
    "gpt-oss without its marks": "analysisShe is low.assistantfinalHello.",
}


@pytest.mark.parametrize("text", FAMILIES.values(), ids=FAMILIES)
def test_thinking_is_told_from_what_is_said(text: str) -> None:
    assert without_thinking(text) == Said("Hello.", "She is low.", found=True)


@pytest.mark.parametrize(
    "text", ["  I think <b>so</b>. \n", "analysis of a thought: 2 < 3", "Analysis", "", "What do you [think]?"]
)
def test_a_text_without_thinking_stays_as_it_is_to_the_letter(text: str) -> None:
    assert without_thinking(text) == Said(text)


@pytest.mark.parametrize(
    ("text", "said", "thinking"),
    [
        ("<think>\n\n</think>\n\nHello.", "Hello.", ""),
        ("<think>She is", "", "She is"),
        ("Hello. <think>Was that right?</think> How are you?", "Hello.  How are you?", "Was that right?"),
        ("<think>a<think>b</think>c</think>Hello.", "Hello.", "a\nb\nc"),
        ("<think>a</think>Hello.</think>", "Hello.", "a"),
        ("a</think>b</think>Hello.", "Hello.", "a\nb"),
        ("analysisShe is", "", "She is"),
        ("<|channel|>analysis<|message|>She is", "", "She is"),
        ("<|channel|>commentary to=x <|constrain|>json<|message|>{}<|call|>", "", "{}"),
    ],
)
def test_thinking_that_is_empty_cut_nested_or_in_the_middle(text: str, said: str, thinking: str) -> None:
    assert without_thinking(text) == Said(said, thinking, found=True)


def test_a_text_of_nothing_but_marks_takes_no_square_of_its_length() -> None:
    assert without_thinking("<think>" * 50_000).text == ""
    assert without_thinking("<|channel|>" * 50_000).text
