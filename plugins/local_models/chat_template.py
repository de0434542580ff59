"""A model's chat template with what it is given besides the dialogue: its special tokens, a fixed date, its settings.

Read from a tokenizer, or from the files of a model's folder without transformers, so that `validate` can look at one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ModelError

if TYPE_CHECKING:
    from cbtrun.plugin import RenderedChat

CONSTANTS = {"date_string": "26 Jul 2024"}
"""Llama's templates write a date, some of them today's: a prompt must not depend on the day."""
NAMED_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
LARGEST = 2**22
"""Bytes of a settings file that is read."""
MARK = "\ue000{}\ue001"
"""Stands for a message where only what is written around it is of interest: in no template, and nothing to strip."""

Chat = list[dict[str, str]]


@dataclass(frozen=True)
class ChatTemplate:
    """A template, ready to render."""

    source: str
    tokens: tuple[tuple[str, str], ...] = ()
    """(name, token): `bos_token` and its like."""
    variables: tuple[tuple[str, Any], ...] = ()
    """(name, value): settings of the template's own, such as `enable_thinking`."""

    def with_variables(self, variables: Mapping[str, Any]) -> ChatTemplate:
        """The template with other settings."""
        return replace(self, variables=tuple(sorted(variables.items())))

    def rendered(self, chat: Chat, *, add_generation_prompt: bool = False) -> RenderedChat:
        """The dialogue in its words. Raises ModelError for a template that would not end, else what Jinja raises."""
        return _rendered(self, chat, add_generation_prompt, takes_parts(self.source, self.tokens))

    def text(self, chat: Chat, *, add_generation_prompt: bool = False) -> str:
        """The dialogue in its words, as `rendered` has it; without rendering it where the template looks at no word."""
        pieces = None
        if all(one["content"] and one["content"] == one["content"].strip() for one in chat):
            pieces = _fixed_pieces(self, tuple(one["role"] for one in chat), add_generation_prompt)
        if pieces is None:
            return self.rendered(chat, add_generation_prompt=add_generation_prompt).text
        said = [text for piece, one in zip(pieces, chat, strict=False) for text in (piece, one["content"])]
        return "".join([*said, pieces[-1]])

    def around(self, roles: tuple[str, ...], *, add_generation_prompt: bool = False) -> tuple[str, ...]:
        """What is written before each message of a dialogue, and after the last: one more than there are messages.

        Raises ModelError where a message is lost, said twice or moved.
        """
        return _around(self, roles, add_generation_prompt)


def _rendered(template: ChatTemplate, chat: Chat, add_generation_prompt: bool, parts: bool) -> RenderedChat:
    """The template came with the model and is a stranger's program: ModelError for one that would not end."""
    from cbtrun.plugin import ChatTemplateLimit, rendered_chat

    said: Sequence[Mapping[str, Any]] = chat
    if parts:
        said = [{**one, "content": [{"type": "text", "text": one["content"]}]} for one in chat]
    variables = {**CONSTANTS, **dict(template.variables), **dict(template.tokens)}
    try:
        return rendered_chat(template.source, said, **variables, add_generation_prompt=add_generation_prompt)
    except ChatTemplateLimit as error:
        raise ModelError(f"the chat template that came with this model cannot be used: {error}") from None


@lru_cache(maxsize=64)
def takes_parts(source: str, tokens: tuple[tuple[str, str], ...]) -> bool:
    """Whether a template takes a message as a list of parts alone, as those of models that see do."""
    template = ChatTemplate(source, tokens)
    if "content" not in source or _keeps(template, parts=False):
        return False
    return _keeps(template, parts=True)


def _keeps(template: ChatTemplate, *, parts: bool) -> bool:
    """Whether a message's words come out."""
    words = MARK.format(0)
    try:
        return words in _rendered(template, [{"role": "user", "content": words}], False, parts).text
    except Exception:  # Jinja's errors are as many as templates
        return False


@lru_cache(maxsize=4096)
def _around(template: ChatTemplate, roles: tuple[str, ...], add_generation_prompt: bool) -> tuple[str, ...]:
    chat = [{"role": role, "content": MARK.format(place)} for place, role in enumerate(roles)]
    try:
        text = template.rendered(chat, add_generation_prompt=add_generation_prompt).text
    except ModelError:
        raise
    except Exception as error:  # Jinja's errors are as many as templates
        raise ModelError(f"the chat template cannot render this dialogue: {error}") from None
    pieces, place = [], 0
    for message in chat:
        found = text.find(message["content"], place)
        if found < 0 or text.count(message["content"]) > 1:
            raise ModelError("the chat template loses a message, says it twice or moves it")
        pieces.append(text[place:found])
        place = found + len(message["content"])
    return (*pieces, text[place:])


@lru_cache(maxsize=4096)
def _fixed_pieces(
    template: ChatTemplate, roles: tuple[str, ...], add_generation_prompt: bool
) -> tuple[str, ...] | None:
    """What stands around messages of these roles whatever they say; none where that depends on what they say."""
    from cbtrun.plugins.local_models.plain_words import only_writes_words

    if not only_writes_words(template.source) or takes_parts(template.source, template.tokens):
        return None
    try:
        return template.around(roles, add_generation_prompt=add_generation_prompt)
    except ModelError:
        return None


def template_of(tokenizer: Any) -> ChatTemplate:
    """The template of a tokenizer; of several named ones the default one."""
    named = {name: token for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    return ChatTemplate(tokenizer.get_chat_template(), tuple(sorted(named.items())))


def folder_template(folder: Path) -> ChatTemplate | None:
    """The template in a model's folder, as transformers takes it; none where there is none."""
    settings = _settings(folder / "tokenizer_config.json")
    source = _source(folder, settings)
    tokens = {name: _token(settings[name]) for name in NAMED_TOKENS if settings.get(name)}
    return ChatTemplate(source, tuple(sorted(tokens.items()))) if source else None


def added_tokens(folder: Path) -> frozenset[str] | None:
    """Tokens of their own in a folder's tokenizer, such as an end of turn; none where its files do not say."""
    settings = _settings(folder / "tokenizer_config.json").get("added_tokens_decoder")
    if isinstance(settings, dict) and settings:
        return frozenset(_token(one) for one in settings.values())
    try:
        with (folder / "tokenizer.json").open(encoding="utf-8") as file:
            head = file.read(LARGEST)  # they stand before the vocabulary, which may be long
        listed, _ = json.JSONDecoder().raw_decode(head, head.index("[", head.index('"added_tokens"')))
    except (OSError, ValueError, RecursionError):
        return None
    return frozenset(_token(one) for one in listed)


def _source(folder: Path, settings: dict[str, Any]) -> str:
    """A file of its own, else what the settings hold."""
    file = folder / "chat_template.jinja"
    if file.is_file() and file.stat().st_size <= LARGEST:
        return file.read_text(encoding="utf-8", errors="replace")
    given = settings.get("chat_template") or _settings(folder / "chat_template.json").get("chat_template")
    if isinstance(given, list):
        given = {one.get("name"): one.get("template") for one in given if isinstance(one, dict)}.get("default")
    return given if isinstance(given, str) else ""


def _settings(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST:
            return {}
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _token(given: Any) -> str:
    return str(given.get("content", "") if isinstance(given, dict) else given)
