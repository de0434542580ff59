"""Which tokens of a dialogue the therapist says, end of turn included: what a training's loss may see."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cbtrun.errors import ModelError
from cbtrun.plugins.local_models.chat_format import CONSTANTS, Chat, fitted_chat, prompt_text, turn_ends


@dataclass(frozen=True)
class Marked:
    """A dialogue as tokens, and where the therapist speaks."""

    input_ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    """First token and one past the last of each turn of the therapist, its end token included."""


Marker = Callable[[Chat], Marked]


def marker(tokenizer: Any) -> Marker:
    """How this tokenizer's dialogues are marked.

    By the template's own `{% generation %}` where it has them; else by comparing the dialogue with the prompt of each
    turn. (TRL's marked copies of known templates are not used: its one for Qwen 2.5 trains on the line break that every
    prompt ends with.) Raises ModelError for a template that would never teach a model to end its turn.
    """
    from trl.chat_template_utils import has_generation_markers, is_chat_template_stop_token_trained

    template: str = tokenizer.chat_template
    if not has_generation_markers(template):
        _check_by_prompts(tokenizer)
        return lambda chat: _by_prompts(tokenizer, chat)
    if not is_chat_template_stop_token_trained(tokenizer, chat_template=template):
        raise ModelError("this chat template leaves the end-of-turn token out of {% generation %}: it would never stop")
    return lambda chat: _by_template(tokenizer, template, chat)


def _by_template(tokenizer: Any, template: str, chat: Chat) -> Marked:
    rendered = tokenizer.apply_chat_template(
        fitted_chat(tokenizer, chat),
        chat_template=template,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
        **CONSTANTS,
    )
    return Marked(tuple(rendered["input_ids"]), _runs(rendered["assistant_masks"]))


def _runs(mask: list[int]) -> tuple[tuple[int, int], ...]:
    """Where a mask is on: [0, 1, 1, 0, 1] gives (1, 3), (4, 5)."""
    starts = [place for place, on in enumerate(mask) if on and not (place and mask[place - 1])]
    ends = [place + 1 for place, on in enumerate(mask) if on and not (place + 1 < len(mask) and mask[place + 1])]
    return tuple(zip(starts, ends, strict=True))


def _by_prompts(tokenizer: Any, chat: Chat) -> Marked:
    """Each turn of the therapist begins where its prompt ends, and ends with the first end-of-turn token after it."""
    fitted = fitted_chat(tokenizer, chat)
    text: str = tokenizer.apply_chat_template(fitted, tokenize=False, **CONSTANTS)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, starts = encoded["input_ids"], [start for start, _ in encoded["offset_mapping"]]
    ends = turn_ends(tokenizer)
    stops = [place for place, token in enumerate(ids) if token in ends]
    spans = []
    for place, message in enumerate(fitted):
        if message["role"] != "assistant":
            continue
        prompt = tokenizer.apply_chat_template(fitted[:place], tokenize=False, add_generation_prompt=True, **CONSTANTS)
        if not text.startswith(prompt):
            raise ModelError("this chat template renders what came before a turn otherwise once the turn is there")
        first, words = bisect_left(starts, len(prompt)), len(prompt) + len(message["content"])
        stop = bisect_left(stops, bisect_right(starts, words - 1) - 1)
        if stop == len(stops):
            raise ModelError("this chat template ends no turn with an end-of-turn token: the model would never stop")
        spans.append((first, stops[stop] + 1))
    return Marked(tuple(ids), tuple(spans))


def _check_by_prompts(tokenizer: Any) -> None:
    """Raises ModelError, before any training, for a template whose turns cannot be told apart."""
    said = [("system", "Be kind."), ("user", "One."), ("assistant", "Two."), ("user", "Three."), ("assistant", "Four.")]
    chat = [{"role": role, "content": content} for role, content in said]
    marked = _by_prompts(tokenizer, chat)
    for (start, end), content, place in zip(marked.spans, ("Two.", "Four."), (2, 4), strict=True):
        asked = tokenizer(prompt_text(tokenizer, chat[:place]), add_special_tokens=False)["input_ids"]
        if asked != list(marked.input_ids[:start]):
            raise ModelError("this chat template asks for a turn in other words than it is trained on")
        taught = tokenizer.decode(marked.input_ids[start : end - 1])
        if taught.strip() != content:
            raise ModelError(
                f"this chat template marks no turns: for '{content}' the loss would see '{taught}'; put "
                "{% generation %} and {% endgeneration %} around what the assistant says and its end token"
            )
