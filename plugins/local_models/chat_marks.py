"""Which tokens of a dialogue the therapist says, end of turn included: what a training's loss may see."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cbtrun.plugin import ChatMessage, ModelError
from cbtrun.plugins.local_models.chat_format import (
    fitted_chat,
    prompt_ids,
    request_chat,
    template_text,
    template_words,
    turn_ends,
)
from cbtrun.plugins.local_models.chat_template import MARK, Chat, ChatTemplate, template_of
from cbtrun.plugins.local_models.trained_turns import (
    NO_END,
    asked_for,
    end_after,
    laid_out,
    leading_token,
    untrainable,
    without_thoughts,
)

GENERATION = re.compile(r"\{%[-+]?\s*+generation\b")


@dataclass(frozen=True)
class Marked:
    """A dialogue as tokens, and where the therapist speaks."""

    input_ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    """First token and one past the last of each turn of the therapist, its end token included."""


@dataclass(frozen=True)
class TurnFormat:
    """How the dialogues of one tokenizer are trained on, and the prompt that fits such a training."""

    mark_all: Callable[[Sequence[Chat]], list[Marked]]
    """Dialogues, tokenised together: on all cores."""
    prompt_ids: Callable[[Sequence[ChatMessage]], list[int]]
    ends: frozenset[int] = frozenset()
    """Tokens that end a turn, besides those that `turn_ends` knows."""

    def mark(self, chat: Chat) -> Marked:
        """One dialogue."""
        (marked,) = self.mark_all([chat])
        return marked


@dataclass(frozen=True)
class _Text:
    """A dialogue in the words of its template."""

    text: str
    places: tuple[tuple[int, int], ...]
    """Of each turn of the therapist the first character after its prompt, and one past the last that is surely said."""


Lay = Callable[[Chat], _Text]
Read = Callable[[_Text, Sequence[int], Sequence[tuple[int, int]]], Marked]
"""What is marked of a text, its tokens, and the first character and one past the last of each."""


Marker = Callable[[Chat], Marked]


def marker(tokenizer: Any) -> Marker:
    """How this tokenizer's dialogues are marked. Raises ModelError as `turn_format`."""
    return turn_format(tokenizer).mark


def _format(
    tokenizer: Any,
    lay: Lay,
    read: Read,
    asked: Callable[[Sequence[ChatMessage]], list[int]],
    own_end: frozenset[int] = frozenset(),
) -> TurnFormat:
    def mark_all(chats: Sequence[Chat]) -> list[Marked]:
        laid = [lay(chat) for chat in chats]
        if not laid:
            return []
        encoded = tokenizer([one.text for one in laid], add_special_tokens=False, return_offsets_mapping=True)
        return [read(*one) for one in zip(laid, encoded["input_ids"], encoded["offset_mapping"], strict=True)]

    return TurnFormat(mark_all, asked, own_end)


def turn_format(tokenizer: Any) -> TurnFormat:
    """How this tokenizer's dialogues are trained on and asked for, without thoughts.

    By the template's own `{% generation %}` where it has them and they hold what is said and its end; else by comparing
    the dialogue with the prompt of each turn; else, where the template renders what came before a turn otherwise once
    the turn is there or puts words before it, as `trained_turns` lays it out. (Marks of TRL's training templates are not
    used: some take in what every prompt ends with, or an empty thought.) Raises ModelError for a template whose turns
    cannot be trained on.
    """
    template = without_thoughts(template_of(tokenizer))
    if why := untrainable(template, frozenset(tokenizer.get_added_vocab())):
        raise ModelError(f"this chat template {why}")
    asked = lambda messages: prompt_ids(tokenizer, messages, template)  # noqa: E731  # one line of three
    if GENERATION.search(template.source) and _marks_turns(tokenizer, template):
        return _format(tokenizer, lambda chat: _by_template(tokenizer, template, chat), _marked_by_template, asked)
    found = _format(tokenizer, lambda chat: _by_prompts(tokenizer, template, chat), _ended(turn_ends(tokenizer)), asked)
    try:
        _check(found, tokenizer)
    except ModelError:
        return _laid_format(tokenizer, template)
    return found


def _laid_format(tokenizer: Any, template: ChatTemplate) -> TurnFormat:
    """Raises ModelError where the tokens of a turn cannot be told from those of its prompt."""
    after = end_after(template)
    known = tokenizer.convert_ids_to_tokens(sorted(turn_ends(tokenizer)))
    end = "" if any(token in after for token in known) else leading_token(after, tokenizer.get_added_vocab())
    own_end = frozenset({tokenizer.convert_tokens_to_ids(end)} if end else ())

    def asked(messages: Sequence[ChatMessage]) -> list[int]:
        text = asked_for(template, fitted_chat(tokenizer, request_chat(messages), template), end)
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def lay(chat: Chat) -> _Text:
        laid = laid_out(template, fitted_chat(tokenizer, chat, template), end)
        return _Text(laid.text, tuple(zip(laid.starts, laid.words_end, strict=True)))

    found = _format(tokenizer, lay, _ended(own_end or turn_ends(tokenizer)), asked, own_end)
    _check(found, tokenizer)
    return found


def _by_template(tokenizer: Any, template: ChatTemplate, chat: Chat) -> _Text:
    rendered = template_text(template, fitted_chat(tokenizer, chat, template))
    return _Text(rendered.text, rendered.spans)


def _marked_by_template(laid: _Text, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> Marked:
    """Every token that has a character in what the template marks."""
    spans, mask = iter(laid.places), []
    first, last = next(spans, (len(laid.text), len(laid.text)))
    for start, end in offsets:
        while start >= last and last < len(laid.text):
            first, last = next(spans, (len(laid.text), len(laid.text)))
        mask.append(int(end > first and start < last))
    return Marked(tuple(ids), _runs(mask))


def _marks_turns(tokenizer: Any, template: ChatTemplate) -> bool:
    """Whether what a template marks begins with what is said, after the prompt, and ends with a token of its own."""
    chat = [{"role": role, "content": MARK.format(place)} for place, role in enumerate(("user", "assistant", "user"))]
    try:
        rendered = template_text(template, chat)
        asked = template_words(template, chat[:1], add_generation_prompt=True)
    except ModelError:
        return False
    if not rendered.spans or not rendered.text.startswith(asked) or rendered.spans[0][0] < len(asked):
        return False
    marked = rendered.text[rendered.spans[0][0] : rendered.spans[-1][1]].strip()
    rest = marked.removeprefix(MARK.format(1)).strip()
    own = tokenizer.get_added_vocab()
    return marked.startswith(MARK.format(1)) and any(rest.endswith(token) for token in own)


def _runs(mask: list[int]) -> tuple[tuple[int, int], ...]:
    """Where a mask is on: [0, 1, 1, 0, 1] gives (1, 3), (4, 5)."""
    starts = [place for place, on in enumerate(mask) if on and not (place and mask[place - 1])]
    ends = [place + 1 for place, on in enumerate(mask) if on and not (place + 1 < len(mask) and mask[place + 1])]
    return tuple(zip(starts, ends, strict=True))


def _by_prompts(tokenizer: Any, template: ChatTemplate, chat: Chat) -> _Text:
    """Each turn of the therapist begins where its prompt ends, and ends with the first end-of-turn token after it."""
    fitted = fitted_chat(tokenizer, chat, template)
    text = template_words(template, fitted)
    places = []
    for place, message in enumerate(fitted):
        if message["role"] != "assistant":
            continue
        prompt = template_words(template, fitted[:place], add_generation_prompt=True)
        if not text.startswith(prompt):
            raise ModelError("this chat template renders what came before a turn otherwise once the turn is there")
        places.append((len(prompt), len(prompt) + len(message["content"])))
    return _Text(text, tuple(places))


def _ended(ends: Collection[int]) -> Read:
    """Turns that go on to the first token of these that comes after what is surely said."""

    def read(laid: _Text, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> Marked:
        starts = [start for start, _ in offsets]
        stops = [place for place, token in enumerate(ids) if token in ends]
        spans = []
        for begins, words in laid.places:
            stop = bisect_left(stops, bisect_right(starts, words - 1) - 1)
            if stop == len(stops):
                raise ModelError(f"this chat template {NO_END}")
            spans.append((bisect_left(starts, begins), stops[stop] + 1))
        return Marked(tuple(ids), tuple(spans))

    return read


def _check(form: TurnFormat, tokenizer: Any) -> None:
    """Raises ModelError, before any training, for a format whose turns cannot be told apart."""
    said = [("system", "Be kind."), ("user", "One."), ("assistant", "Two."), ("user", "Three."), ("assistant", "Four.")]
    marked = form.mark([{"role": role, "content": content} for role, content in said])
    own = tokenizer.get_added_vocab()
    for (start, end), content, place in zip(marked.spans, ("Two.", "Four."), (2, 4), strict=True):
        prompt = form.prompt_ids([ChatMessage(role, words) for role, words in said[:place]])  # type: ignore[arg-type]
        if prompt != list(marked.input_ids[:start]):
            raise ModelError("this chat template asks for a turn in other words than it is trained on")
        taught = tokenizer.decode(marked.input_ids[start : end - 1])
        if _without_tokens(taught.strip().removeprefix(content), own) or content not in taught:
            raise ModelError(
                f"this chat template marks no turns: for '{content}' the loss would see '{taught}'; put "
                "{% generation %} and {% endgeneration %} around what the assistant says and its end token"
            )


def _without_tokens(text: str, tokens: Iterable[str]) -> str:
    """What is left of a text without the tokens of their own that it begins with."""
    while token := leading_token(text, tokens):
        text = text.removeprefix(token)
    return text.strip()
