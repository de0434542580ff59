"""Transcripts as token rows for training: the model's own chat template, loss on the therapist's turns alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cbtrun.errors import ModelError, StageError
from cbtrun.plugins.chat_format import Chat, fitted_chat, therapist_chat
from cbtrun.records import Transcript

UNTRAINED = -100
"""Label of a token that the loss leaves out."""


@dataclass(frozen=True)
class TrainingRow:
    """One sequence to train on."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    """The token itself where it is trained on, UNTRAINED elsewhere."""


@dataclass(frozen=True)
class TrainingRows:
    """A corpus, ready for the trainer."""

    rows: tuple[TrainingRow, ...]
    split: int
    """Transcripts that were too long and were split between turns."""
    untaught: int
    """Transcripts without a turn of the therapist, left out."""


def training_rows(tokenizer: Any, transcripts: Sequence[Transcript], max_length: int) -> TrainingRows:
    """Rows of at most max_length tokens; nothing is cut inside a turn, and nothing is dropped but silent transcripts.

    Raises StageError for an exchange that is too long by itself, ModelError for a template that cannot be trained on.
    """
    template = training_template(tokenizer)
    rows: list[TrainingRow] = []
    split = untaught = 0
    for transcript in transcripts:
        chat = therapist_chat(transcript.messages)
        if not any(message["role"] == "assistant" for message in chat):
            untaught += 1
            continue
        parts = _parts(tokenizer, template, chat, max_length, transcript.id)
        split += len(parts) > 1
        rows += parts
    return TrainingRows(tuple(rows), split, untaught)


def training_template(tokenizer: Any) -> str:
    """The chat template with marks around what the assistant says, its end-of-turn token included.

    The tokenizer's own where it has such marks; for the families that TRL knows, TRL's marked copy of the same
    template. Raises ModelError for any other.
    """
    from trl.chat_template_utils import get_training_chat_template, is_chat_template_stop_token_trained

    try:
        template: str = get_training_chat_template(tokenizer) or tokenizer.chat_template
    except ValueError as error:
        raise ModelError(
            "this chat template does not mark what the assistant says; put {% generation %} and {% endgeneration %} "
            "around it and its end token"
        ) from error
    if not is_chat_template_stop_token_trained(tokenizer, chat_template=template):
        raise ModelError("this chat template leaves the end-of-turn token out of {% generation %}: it would never stop")
    return template


def _parts(tokenizer: Any, template: str, chat: Chat, max_length: int, name: str) -> list[TrainingRow]:
    """The transcript as one row, or as several that each begin with the system message and a patient's turn."""
    whole = _row(tokenizer, template, chat)
    if len(whole.input_ids) <= max_length:
        return [whole]
    system = [message for message in chat if message["role"] == "system"]
    parts: list[TrainingRow] = []
    taken: Chat = []
    last: TrainingRow | None = None
    for exchange in _exchanges(chat):
        longer = _row(tokenizer, template, [*system, *taken, *exchange])
        if len(longer.input_ids) > max_length and last is not None:
            parts.append(last)
            taken = []
            longer = _row(tokenizer, template, [*system, *exchange])
        if len(longer.input_ids) > max_length:
            size = len(longer.input_ids)
            raise StageError(f"transcript '{name}': one exchange has {size} tokens and max_length is {max_length}")
        taken, last = [*taken, *exchange], longer
    return [*parts, last] if last is not None else parts


def _exchanges(chat: Chat) -> list[Chat]:
    """The turns in groups that end with the therapist; what the patient says after the last is left out of splits."""
    groups: list[Chat] = [[]]
    for message in chat:
        if message["role"] == "system":
            continue
        groups[-1].append(message)
        if message["role"] == "assistant":
            groups.append([])
    return [group for group in groups if any(message["role"] == "assistant" for message in group)]


def _row(tokenizer: Any, template: str, chat: Chat) -> TrainingRow:
    rendered = tokenizer.apply_chat_template(
        fitted_chat(tokenizer, chat),
        chat_template=template,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    ids = tuple(rendered["input_ids"])
    labels = tuple(
        token if trained else UNTRAINED for token, trained in zip(ids, rendered["assistant_masks"], strict=True)
    )
    return TrainingRow(ids, labels)
