"""The 41 stock templates of TRL: each is trained on without thoughts, and asked for as it was trained."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

import pytest

from cbtrun.contract.models import ChatMessage
from cbtrun.contract.records import Message
from cbtrun.plugins.local_models.chat_format import therapist_chat
from cbtrun.plugins.local_models.chat_marks import turn_format
from cbtrun.plugins.local_models.chat_template import ChatTemplate
from cbtrun.plugins.local_models.trained_turns import untrainable
from cbtrun.templates.chat import rendered_chat
from tests.helpers.tiny_models import SENTENCES

FOLDER = files("trl") / "chat_templates"
TRAINING = "_training.jinja"
NAMES = sorted(one.name for one in FOLDER.iterdir() if one.name.endswith(".jinja") and not one.name.endswith(TRAINING))
CHAT = therapist_chat(
    [
        Message(role="patient", content="I cannot sleep."),
        Message(role="therapist", content="What keeps you up?"),
        Message(role="patient", content="Work."),
        Message(role="therapist", content="Shall we look at that?"),
    ]
)
TOKENS = re.compile(
    r"<\|[^|<>{}]{1,30}\|>|<｜[^｜]{1,40}｜>|</?(?:start_of_turn|end_of_turn|end_of_utterance|think)>|<\|turn>|<turn\|>|\[/?INST\]"
)
ENDS = (
    *("<|im_end|>", "<|eot_id|>", "<turn|>", "<end_of_turn>", "<end_of_utterance>", "<|return|>", "<|eot|>"),
    *("<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>", "<|end|>"),
)
LEADS = dict.fromkeys(("idefics3.jinja", "llava_next.jinja", "smolvlm.jinja"), " ") | {"glm4moe.jinja": "\n"}
"""Blanks that a template's own prompt leaves to the model."""


@lru_cache(maxsize=1)
def _trained() -> Any:
    from tokenizers import ByteLevelBPETokenizer

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(SENTENCES, vocab_size=420, special_tokens=["<s>", "</s>"], show_progress=False)
    return bpe._tokenizer.to_str()


def tokenizer_for(template: str) -> Any:
    """A tokenizer with a template and the control tokens that stand in it."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    end = next((token for token in ENDS if token in template), "</s>")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained()), bos_token="<s>", eos_token=end, pad_token=end
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": sorted({*TOKENS.findall(template)} - {"<think>", "</think>"})}
    )
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = template
    return tokenizer


def test_there_are_as_many_as_these_tests_are_about() -> None:
    assert len(NAMES) == 41


@pytest.mark.parametrize("name", NAMES)
def test_a_stock_template_teaches_what_is_said_and_its_end_after_the_very_prompt_that_generation_gives(
    name: str,
) -> None:
    template = (FOLDER / name).read_text(encoding="utf-8")
    tokenizer = tokenizer_for(template)
    assert untrainable(ChatTemplate(template, (("bos_token", "<s>"),)), None) == ""  # validate finds nothing either
    form = turn_format(tokenizer)
    marked = form.mark(CHAT)
    taught = [tokenizer.decode(marked.input_ids[start:end]) for start, end in marked.spans]
    for words, (start, _), place in zip(taught, marked.spans, (1, 3), strict=True):
        assert words.startswith(LEADS.get(name, "") + CHAT[place]["content"])
        end = words.removeprefix(LEADS.get(name, "") + CHAT[place]["content"]).removesuffix("\n")
        assert re.fullmatch(r"(<[|｜/]?[\w▁]+[|｜]?>)+", end)
        assert "think" not in words
        prompt = form.prompt_ids([ChatMessage(one["role"], one["content"]) for one in CHAT[:place]])  # type: ignore[arg-type]
        assert prompt == list(marked.input_ids[:start])
    assert tokenizer.chat_template == template  # nothing is left in it that a training put there


@pytest.mark.parametrize("name", [one for one in NAMES if (FOLDER / one.replace(".jinja", TRAINING)).is_file()])
def test_a_dialogue_is_that_of_trls_own_training_template_to_the_letter(name: str) -> None:
    tokenizer = tokenizer_for((FOLDER / name).read_text(encoding="utf-8"))
    own = (FOLDER / name.replace(".jinja", TRAINING)).read_text(encoding="utf-8")
    tokens = {one: token for one, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    parts = name in ("idefics3.jinja", "llava_next.jinja", "smolvlm.jinja")
    chat = [{**one, "content": [{"type": "text", "text": one["content"]}]} for one in CHAT] if parts else CHAT
    wanted = rendered_chat(own, chat, **tokens, enable_thinking=False, add_generation_prompt=False).text
    assert tokenizer.decode(turn_format(tokenizer).mark(CHAT).input_ids) == wanted
