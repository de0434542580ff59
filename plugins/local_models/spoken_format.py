"""How a local model is asked for a turn: a base as its makers' template has it, an adapter as it was trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbtrun.plugin import ChatMessage, ModelError
from cbtrun.plugins.local_models.chat_format import prompt_ids
from cbtrun.plugins.local_models.chat_marks import turn_format
from cbtrun.plugins.local_models.chat_template import template_of
from cbtrun.plugins.local_models.template_thinking import thinking_variables


@dataclass(frozen=True)
class SpokenFormat:
    """Prompts of one model."""

    prompt_ids: Callable[[Sequence[ChatMessage]], list[int]]
    ends: frozenset[int] = frozenset()
    """Tokens that end a turn, besides those that every model's tokenizer tells."""


def spoken_format(tokenizer: Any, options: Mapping[str, Any], *, tuned: bool) -> SpokenFormat:
    """The prompts of a base with its `thinking`, or of an adapter, which was trained on turns without thoughts.

    Raises ModelError where the base's template has no variable for what is asked.
    """
    if tuned:
        try:
            trained = turn_format(tokenizer)
            return SpokenFormat(trained.prompt_ids, trained.ends)
        except ModelError:  # an adapter that others have trained, in their own way
            return SpokenFormat(lambda messages: prompt_ids(tokenizer, messages))
    template = template_of(tokenizer)
    try:
        template = template.with_variables(thinking_variables(template, options.get("thinking")))
    except ModelError as error:
        raise ModelError(
            f"`thinking: {options['thinking']}`: the chat template of {options['model']} {error}"
        ) from None
    return SpokenFormat(lambda messages: prompt_ids(tokenizer, messages, template))
