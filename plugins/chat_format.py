"""A dialogue in the words of a model's chat template: the same for training and for generation.

The therapist is the model (`assistant`), the patient its `user`. Some templates know no system message, or want a user
first; then the dialogue is fitted to them so that nothing is lost in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cbtrun.errors import ModelError
from cbtrun.models import ChatMessage
from cbtrun.records import Message

ROLES = {"system": "system", "therapist": "assistant", "patient": "user"}
OPENING = "(The session begins.)"
"""Stands in for the user where a template wants one before the therapist's first words."""

Chat = list[dict[str, str]]


def therapist_chat(messages: Sequence[Message]) -> Chat:
    """A transcript as its therapist sees it; two messages of one role in a row become one."""
    chat: Chat = []
    for message in messages:
        role = ROLES[message.role]
        if chat and chat[-1]["role"] == role:
            chat[-1] = {"role": role, "content": f"{chat[-1]['content']}\n{message.content}"}
        else:
            chat.append({"role": role, "content": message.content})
    return chat


def request_chat(messages: Sequence[ChatMessage]) -> Chat:
    """A request's messages as a template takes them."""
    return [{"role": message.role, "content": message.content} for message in messages]


def fitted_chat(tokenizer: Any, chat: Chat) -> Chat:
    """The dialogue as the tokenizer's template can render it in full.

    Tried in order: as it is; with an opening user message; with the system message at the head of the first user
    message; with both. Raises ModelError when none keeps every word.
    """
    errors = []
    chat = [{**message, "content": _spoken(tokenizer, message["content"])} for message in chat]
    for candidate in (chat, _opened(chat), _folded(chat), _folded(_opened(chat))):
        try:
            text = tokenizer.apply_chat_template(candidate, tokenize=False)
        except Exception as error:  # Jinja's errors are as many as templates
            errors.append(str(error))
            continue
        if all(message["content"] in text for message in candidate):
            return candidate
    raise ModelError(
        f"the chat template loses a message or cannot render this dialogue: {errors[-1] if errors else ''}"
    )


def prompt_text(tokenizer: Any, chat: Chat) -> str:
    """The prompt that asks the model for its next turn."""
    text: str = tokenizer.apply_chat_template(fitted_chat(tokenizer, chat), tokenize=False, add_generation_prompt=True)
    return text


def end_tokens(tokenizer: Any, model: Any) -> frozenset[int]:
    """Ids of the tokens that end a turn, by the tokenizer, the model's settings, or the usual names of chat formats."""
    ends: set[int] = set()
    for source in (tokenizer.eos_token_id, getattr(model.generation_config, "eos_token_id", None)):
        ends.update(source if isinstance(source, list) else [source] if source is not None else [])
    vocabulary = tokenizer.get_vocab()
    ends.update(
        vocabulary[name] for name in ("<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>") if name in vocabulary
    )
    return frozenset(ends)


def _spoken(tokenizer: Any, content: str) -> str:
    """Content without the template's control tokens: what somebody says must not be able to end their turn."""
    for token in tokenizer.all_special_tokens:
        content = content.replace(token, "")
    return content.strip()  # many templates strip; then training and generation must, too


def _opened(chat: Chat) -> Chat:
    head = [message for message in chat if message["role"] == "system"]
    rest = [message for message in chat if message["role"] != "system"]
    if rest and rest[0]["role"] == "user":
        return chat
    return [*head, {"role": "user", "content": OPENING}, *rest]


def _folded(chat: Chat) -> Chat:
    system = "\n\n".join(message["content"] for message in chat if message["role"] == "system")
    rest = [message for message in chat if message["role"] != "system"]
    if not system or not rest:
        return chat
    return [{"role": rest[0]["role"], "content": f"{system}\n\n{rest[0]['content']}"}, *rest[1:]]
