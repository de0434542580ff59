"""Which tokens of a dialogue the therapist says, end of turn included: what a training's loss may see."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cbtrun.plugin import ModelError
from cbtrun.plugins.local_models.chat_format import Chat, fitted_chat, prompt_text, template_text, turn_ends

GENERATION = re.compile(r"\{%[-+]?\s*+generation\b")


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
    if not GENERATION.search(tokenizer.get_chat_template()):
        _check_by_prompts(tokenizer)
        return lambda chat: _by_prompts(tokenizer, chat)
    if not _teaches_the_end(tokenizer):
        raise ModelError("this chat template leaves the end-of-turn token out of {% generation %}: it would never stop")
    return lambda chat: _by_template(tokenizer, chat)


def _by_template(tokenizer: Any, chat: Chat) -> Marked:
    """Every token that has a character in what the template marks."""
    rendered = template_text(tokenizer, fitted_chat(tokenizer, chat))
    encoded = tokenizer(rendered.text, add_special_tokens=False, return_offsets_mapping=True)
    spans, mask = iter(rendered.spans), []
    first, last = next(spans, (len(rendered.text), len(rendered.text)))
    for start, end in encoded["offset_mapping"]:
        while start >= last and last < len(rendered.text):
            first, last = next(spans, (len(rendered.text), len(rendered.text)))
        mask.append(int(end > first and start < last))
    return Marked(tuple(encoded["input_ids"]), _runs(mask))


def _teaches_the_end(tokenizer: Any) -> bool:
    """Whether the last thing that a template marks in a turn is a token of its own, as an end of turn is."""
    chat = [{"role": role, "content": "dummy"} for role in ("user", "assistant", "user")]
    try:
        marked = _by_template(tokenizer, chat)
    except ModelError:
        raise
    except Exception:  # Jinja's errors are as many as templates
        return False
    own = set(tokenizer.get_added_vocab().values())
    taught = [token for start, end in marked.spans for token in marked.input_ids[start:end]]
    said = [token for token in taught if tokenizer.decode([token]).strip()]
    return bool(said) and said[-1] in own


def _runs(mask: list[int]) -> tuple[tuple[int, int], ...]:
    """Where a mask is on: [0, 1, 1, 0, 1] gives (1, 3), (4, 5)."""
    starts = [place for place, on in enumerate(mask) if on and not (place and mask[place - 1])]
    ends = [place + 1 for place, on in enumerate(mask) if on and not (place + 1 < len(mask) and mask[place + 1])]
    return tuple(zip(starts, ends, strict=True))


def _by_prompts(tokenizer: Any, chat: Chat) -> Marked:
    """Each turn of the therapist begins where its prompt ends, and ends with the first end-of-turn token after it."""
    fitted = fitted_chat(tokenizer, chat)
    text: str = template_text(tokenizer, fitted).text
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, starts = encoded["input_ids"], [start for start, _ in encoded["offset_mapping"]]
    ends = turn_ends(tokenizer)
    stops = [place for place, token in enumerate(ids) if token in ends]
    spans = []
    for place, message in enumerate(fitted):
        if message["role"] != "assistant":
            continue
        prompt = template_text(tokenizer, fitted[:place], add_generation_prompt=True).text
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
