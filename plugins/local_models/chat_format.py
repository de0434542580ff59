"""A dialogue in the words of a model's chat template: the same for training and for generation.

The therapist is the model (`assistant`), the patient its `user`. Some templates know no system message, or put it into
the last user message, or want a user first; then the dialogue is fitted to them so that nothing is lost in silence and
every turn sees the same beginning. A base model without a template gets `BASE_TEMPLATE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from cbtrun.plugin import ChatMessage, Message, ModelError
from cbtrun.plugins.local_models.chat_template import Chat, ChatTemplate, template_of
from cbtrun.plugins.local_models.trained_turns import NAMED_ENDS

if TYPE_CHECKING:
    from cbtrun.plugin import RenderedChat

T = TypeVar("T")
ROLES = {"system": "system", "therapist": "assistant", "patient": "user"}
OPENING = "(The session begins.)"
"""Stands in for the user where a template wants one before the therapist's first words."""

BASE_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ 'Therapist:' }}"
    "{% generation %}{{ ' ' + message['content'] + eos_token }}{% endgeneration %}{{ '\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'Patient: ' + message['content'] + '\n' }}"
    "{% else %}{{ message['content'] + '\n\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Therapist:' }}{% endif %}"
)
"""For base models without a template: plain words and the model's own end token, so that no new token is needed."""


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


def fitted_chat(tokenizer: Any, chat: Chat, template: ChatTemplate | None = None) -> Chat:
    """The dialogue as the tokenizer's template can render it in full.

    Tried in order: as it is; with an opening user message; with the system message at the head of the first user
    message; with both. Raises ModelError when none keeps every word in the order in which it was said.
    """
    errors = []
    control, template = _control_tokens(tokenizer), template or template_of(tokenizer)
    chat = [{**message, "content": _spoken(control, message["content"])} for message in chat]
    for candidate in (chat, _opened(chat), _folded(chat), _folded(_opened(chat))):
        try:
            text = template.text(candidate)
        except ModelError:
            raise
        except Exception as error:  # Jinja's errors are as many as templates
            errors.append(str(error))
            continue
        if _in_order(text, candidate):
            return candidate
    raise ModelError(
        f"the chat template loses a message or cannot render this dialogue: {errors[-1] if errors else ''}"
    )


def prompt_text(tokenizer: Any, chat: Chat, template: ChatTemplate | None = None) -> str:
    """The prompt that asks the model for its next turn. template: the tokenizer's own, with settings."""
    template = template or template_of(tokenizer)
    return template_words(template, fitted_chat(tokenizer, chat, template), add_generation_prompt=True)


def template_words(template: ChatTemplate, chat: Chat, *, add_generation_prompt: bool = False) -> str:
    """A dialogue in the words of a template. Raises ModelError where the template cannot say it."""
    return _told(lambda: template.text(chat, add_generation_prompt=add_generation_prompt))


def template_text(template: ChatTemplate, chat: Chat) -> RenderedChat:
    """A dialogue in the words of a template, and what it marks in it. Raises ModelError as `template_words`."""
    return _told(lambda: template.rendered(chat))


def _told(render: Callable[[], T]) -> T:
    try:
        return render()
    except ModelError:
        raise
    except Exception as error:  # Jinja's errors are as many as templates
        raise ModelError(f"the chat template cannot render this dialogue: {error}") from None


def check_template_ends(tokenizer: Any) -> None:
    """Raises ModelError, before any work, for a template that does not get through a short dialogue within its limits."""
    chat = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user")]
    try:
        template_of(tokenizer).rendered(chat)
    except ModelError:
        raise
    except Exception:  # which dialogues it can render is found with each of them
        return


def end_tokens(tokenizer: Any, model: Any, *, channels: bool = False) -> frozenset[int]:
    """Ids of the tokens that end a turn, by the tokenizer, the model's settings, or the usual names of chat formats."""
    ends: set[int] = turn_ends(tokenizer, channels=channels)
    found = getattr(model.generation_config, "eos_token_id", None)
    ends.update(found if isinstance(found, list) else [found] if found is not None else [])
    return frozenset(ends)


def turn_ends(tokenizer: Any, *, channels: bool = False) -> set[int]:
    """Ids of the tokens that end a turn, by the tokenizer alone.

    channels: whether the model may think first, in a channel of its own that `<|end|>` ends too (gpt-oss).
    """
    has_channels = channels and _token_id(tokenizer, "<|channel|>") is not None
    named = [_token_id(tokenizer, name) for name in NAMED_ENDS if not (has_channels and name == "<|end|>")]
    return {token for token in (*named, tokenizer.eos_token_id) if token is not None}


def _token_id(tokenizer: Any, token: str) -> int | None:
    """Id of a token, or none; the whole vocabulary takes 40 ms to ask for."""
    found = tokenizer.convert_tokens_to_ids(token)  # of one that is not there: the unknown token's, or none
    return found if found is not None and tokenizer.convert_ids_to_tokens(found) == token else None


def _control_tokens(tokenizer: Any) -> re.Pattern[str]:
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return _pattern(tuple(sorted({*tokenizer.all_special_tokens, *added}, key=lambda token: (-len(token), token))))


@lru_cache(maxsize=16)
def _pattern(tokens: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, tokens)) or r"(?!)")


def _spoken(control: re.Pattern[str], content: str) -> str:
    """Content without the template's control tokens: what somebody says must not be able to end their turn."""
    count = 1
    while count:  # taking one out can make another
        content, count = control.subn("", content)
    return content.strip()  # many templates strip; then training and generation must, too


def _in_order(text: str, chat: Chat) -> bool:
    """Whether every message is in the text, each after the one before: some templates move the system message."""
    place = 0
    for message in chat:
        found = text.find(message["content"], place)
        if found < 0:
            return False
        place = found + len(message["content"])
    return True


def _opened(chat: Chat) -> Chat:
    head = [message for message in chat if message["role"] == "system"]
    rest = [message for message in chat if message["role"] != "system"]
    if rest and rest[0]["role"] == "user":
        return chat
    return [*head, {"role": "user", "content": OPENING}, *rest]


def _folded(chat: Chat) -> Chat:
    system = "\n\n".join(message["content"] for message in chat if message["role"] == "system")
    rest = [message for message in chat if message["role"] != "system"]
    if not system or not rest or rest[0]["role"] != "user":
        return chat
    return [{"role": "user", "content": f"{system}\n\n{rest[0]['content']}"}, *rest[1:]]


def prompt_ids(tokenizer: Any, messages: Sequence[ChatMessage], template: ChatTemplate | None = None) -> list[int]:
    """Token ids of the prompt of a request."""
    text = prompt_text(tokenizer, request_chat(messages), template)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
