"""Pairs of turns as tokens: what was said before, what was preferred, what was not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cbtrun.plugin import Message, StageError, Transcript
from cbtrun.plugins.local_models.chat_format import therapist_chat
from cbtrun.plugins.local_models.chat_marks import Marker, marker


@dataclass(frozen=True)
class PreferenceRow:
    """One pair, in the model's own chat template."""

    prompt_ids: tuple[int, ...]
    """Everything before the turn, up to where the therapist begins to speak."""
    chosen_ids: tuple[int, ...]
    """The preferred turn, its end token included."""
    rejected_ids: tuple[int, ...]


@dataclass(frozen=True)
class PreferenceRows:
    """A corpus of pairs, ready for the trainer."""

    rows: tuple[PreferenceRow, ...]
    dropped: int = 0
    """Pairs that are longer than max_length."""
    unpaired: int = 0
    """Transcripts with no turn that was liked less."""


def preference_rows(tokenizer: Any, transcripts: Iterable[Transcript], max_length: int) -> PreferenceRows:
    """A row for each transcript that has a `rejected` turn. Nothing is cut. Raises StageError, ModelError."""
    mark, rows, dropped, unpaired = marker(tokenizer), [], 0, 0
    for transcript in transcripts:
        if transcript.rejected is None:
            unpaired += 1
            continue
        row = _row(mark, transcript, transcript.rejected)
        longest = len(row.prompt_ids) + max(len(row.chosen_ids), len(row.rejected_ids))
        if longest > max_length:
            dropped += 1
        else:
            rows.append(row)
    return PreferenceRows(tuple(rows), dropped, unpaired)


def _row(mark: Marker, transcript: Transcript, rejected: str) -> PreferenceRow:
    if transcript.messages[-1].role != "therapist":
        raise StageError(f"pair '{transcript.id}': its last message is the patient's; it must be the preferred turn")
    prompt, chosen = _last_turn(mark, transcript.messages)
    other = (*transcript.messages[:-1], Message(role="therapist", content=rejected))
    same, less = _last_turn(mark, other)
    if same != prompt:
        raise StageError(f"pair '{transcript.id}': the model's template renders what was said before in two ways")
    return PreferenceRow(prompt, chosen, less)


def _last_turn(mark: Marker, messages: tuple[Message, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens before the therapist's last turn, and those of the turn."""
    marked = mark(therapist_chat(messages))
    start, end = marked.spans[-1]
    return marked.input_ids[:start], marked.input_ids[start:end]
