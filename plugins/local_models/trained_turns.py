"""How a therapist's turns are trained on and asked for: one dialogue in which every turn follows its own prompt.

Templates of models that think write a turn in two ways: with an empty thought or a channel while it is the last one,
without once more was said; and they ask for it in a third. Here each turn keeps what the template writes before it while
it is the last, and that is part of the prompt: a training never sees it, and an adapter is asked with it. Where TRL has a
training template of its own for a model, the dialogue is that one's, letter for letter (a test compares all of them).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cbtrun.plugin import ModelError
from cbtrun.plugins.local_models.chat_template import Chat, ChatTemplate

SWITCHES = ("enable_thinking", "thinking")
"""Variables of templates that switch thinking: what is trained on holds none."""
NAMED_ENDS = ("<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>")
"""The usual names of tokens that end a turn."""
NO_END = "ends no turn with an end-of-turn token of its tokenizer, so that the model would never stop"
SHOWN = 24
"""Characters of a template's words that are shown."""


@dataclass(frozen=True)
class Laid:
    """A dialogue as text, and where each turn of the assistant lies."""

    text: str
    starts: tuple[int, ...]
    """First character after each turn's prompt."""
    words_end: tuple[int, ...]
    """One past the last character of what is said in it."""


def without_thoughts(template: ChatTemplate) -> ChatTemplate:
    """The template with thinking switched off, where it has a switch."""
    from cbtrun.plugin import template_variables

    found = template_variables(template.source)
    return template.with_variables({**dict(template.variables), **{name: False for name in SWITCHES if name in found}})


def laid_out(template: ChatTemplate, chat: Chat, end: str = "") -> Laid:
    """A dialogue in which every turn of the assistant follows its own prompt.

    end: token that ends a turn and that the template writes only when somebody speaks after it. Raises ModelError.
    """
    roles = tuple(message["role"] for message in chat)
    parts: list[str] = []
    starts, ends, after = [], [], ""
    written = length = 0  # messages, and characters, that stand in the parts
    for place in (place for place, role in enumerate(roles) if role == "assistant"):
        before, after = _before(template, roles, written, place, chat)
        start = length + len(before) - len(after)
        parts += [before, chat[place]["content"]]
        length += len(before) + len(chat[place]["content"])
        starts.append(start)
        ends.append(length)
        written = place + 1
    pieces = template.around(roles)
    for place in range(written, len(roles)):  # somebody else has the last word, which no loss is on
        parts += [pieces[place], chat[place]["content"]]
    parts.append(pieces[-1] if written < len(roles) or pieces[-1].strip() else end + pieces[-1])
    return Laid("".join(parts), tuple(starts), tuple(ends))


def _before(template: ChatTemplate, roles: tuple[str, ...], first: int, turn: int, chat: Chat) -> tuple[str, str]:
    """All that stands before a turn's words, from message `first` on, and the end of it that the model says."""
    pieces = template.around(roles[: turn + 1])
    text = "".join(pieces[place] + chat[place]["content"] for place in range(first, turn))
    return text + pieces[turn], pieces[turn][_prompt_length(template, roles, turn) :]


def asked_for(template: ChatTemplate, chat: Chat, end: str = "") -> str:
    """The prompt of the assistant's next turn after a dialogue: what `laid_out` writes before it, letter for letter."""
    laid = laid_out(template, [*chat, {"role": "assistant", "content": ""}], end)
    return laid.text[: laid.starts[-1]]


def _prompt_length(template: ChatTemplate, roles: tuple[str, ...], place: int) -> int:
    """How much of what is written before a turn belongs to its prompt.

    All of it, but blanks that the template's own prompt leaves to the model (` Hello` after `[/INST]`).
    """
    before = template.around(roles[: place + 1])[place]
    asked = template.around(roles[:place], add_generation_prompt=True)[-1]
    if before.startswith(asked) and not before[len(asked) :].strip():
        return len(asked)
    return len(before.rstrip(" "))


def end_after(template: ChatTemplate) -> str:
    """What a template writes after a turn of the assistant's, up to the next message."""
    for roles in (("user", "assistant", "user"), ("system", "user", "assistant", "user")):
        try:
            return template.around(roles)[roles.index("assistant") + 1]
        except ModelError:
            continue
    return ""


def leading_token(text: str, tokens: Iterable[str]) -> str:
    """The longest of these tokens that a text begins with; empty where it begins with none."""
    return max((token for token in tokens if token and text.startswith(token)), key=len, default="")


def untrainable(template: ChatTemplate, tokens: frozenset[str] | None) -> str:
    """Why turns in this template cannot be trained on, in words that follow "the chat template"; empty where they can.

    tokens: tokens of their own in the vocabulary; none where nobody knows them, and then any mark ends a turn.
    """
    template = without_thoughts(template)
    try:
        laid = _sample(template)
    except ModelError as error:
        return str(error).removeprefix("the chat template ")
    named = {name for name in NAMED_ENDS if tokens is None or name in tokens}
    named |= {dict(template.tokens).get("eos_token", "")} - {""}
    last = laid.text[laid.words_end[-1] :]
    for after in (end_after(template), last) if last.strip() else (end_after(template),):
        own = leading_token(after, tokens) if tokens is not None else after.strip()
        if not own and not any(end in after for end in named):
            return f"{NO_END} (after one it writes {after[:SHOWN]!r})"
    return ""


def _sample(template: ChatTemplate) -> Laid:
    """A short dialogue, with a system message where the template has one. Raises ModelError where it has none at all."""
    try:
        return laid_out(template, SAMPLE)
    except ModelError as error:
        try:
            return laid_out(template, SAMPLE[1:])
        except ModelError:
            raise error from None


SAMPLE: Chat = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "One."},
    {"role": "assistant", "content": "Two."},
    {"role": "user", "content": "Three."},
    {"role": "assistant", "content": "Four."},
]
