"""Transcripts as token rows for training: the model's own chat template, loss on the therapist's turns alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cbtrun.plugin import StageError, Transcript
from cbtrun.plugins.local_models.chat_format import therapist_chat
from cbtrun.plugins.local_models.chat_marks import Marked, Marker, TurnFormat, turn_format
from cbtrun.plugins.local_models.chat_template import Chat

TOGETHER = 256
"""Transcripts that are tokenised together."""
UNTRAINED = -100
"""Label of a token that the loss leaves out."""


@dataclass(frozen=True)
class TrainingRow:
    """One sequence to train on."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    """The token itself where it is trained on, UNTRAINED elsewhere."""


@dataclass(frozen=True)
class RowCounts:
    """What became of a corpus's transcripts."""

    split: int = 0
    """Were too long and were split between turns."""
    truncated: int = 0
    """Were too long and lost their last turns."""
    dropped: int = 0
    """Were too long and were left out."""
    untaught: int = 0
    """Have no turn of the therapist and were left out."""
    turns_lost: int = 0
    """Turns of the therapist that truncation took."""


@dataclass(frozen=True)
class TrainingRows:
    """A corpus, ready for the trainer."""

    rows: tuple[TrainingRow, ...]
    counts: RowCounts = RowCounts()

    @property
    def split(self) -> int:
        """Transcripts that were split."""
        return self.counts.split

    @property
    def untaught(self) -> int:
        """Transcripts without a turn of the therapist."""
        return self.counts.untaught


def training_rows(
    tokenizer: Any, transcripts: Iterable[Transcript], max_length: int, long: str = "split", carry: int = 0
) -> TrainingRows:
    """Rows of at most max_length tokens; nothing is cut inside a turn.

    long: what becomes of a longer session. `split`: several rows, each with the system message and, as context without
    loss, the last `carry` exchanges of the row before; `truncate`: its first exchanges; `drop`: left out.
    Raises StageError for an exchange too long to split, ModelError for a template that cannot be trained on.
    """
    rows: list[TrainingRow] = []
    counts = RowCounts()
    for made, told in rows_of_each(tokenizer, transcripts, max_length, long, carry):
        rows += made
        counts = RowCounts(*(ours + theirs for ours, theirs in zip(_values(counts), _values(told), strict=True)))
    return TrainingRows(tuple(rows), counts)


def rows_of_each(
    tokenizer: Any, transcripts: Iterable[Transcript], max_length: int, long: str = "split", carry: int = 0
) -> Iterator[tuple[list[TrainingRow], RowCounts]]:
    """The rows of one transcript after the other, for corpora that do not fit into memory."""
    form = turn_format(tokenizer)
    for transcript, chat, whole in _marked(form, transcripts):
        if whole is None:
            yield [], RowCounts(untaught=1)
        elif len(whole.input_ids) <= max_length:
            yield [_row(whole)], RowCounts()
        elif long == "drop":
            yield [], RowCounts(dropped=1)
        elif long == "truncate":
            yield _truncated(form.mark, chat, whole, max_length)
        else:
            yield _split(form.mark, chat, whole, max_length, carry, transcript.id), RowCounts(split=1)


def _marked(form: TurnFormat, transcripts: Iterable[Transcript]) -> Iterator[tuple[Transcript, Chat, Marked | None]]:
    """Each transcript as a dialogue, whole, as tokens; none where the therapist says nothing. Some at a time, on all cores."""
    waiting = iter(transcripts)
    while some := list(islice(waiting, TOGETHER)):
        chats = [therapist_chat(transcript.messages) for transcript in some]
        taught = [chat for chat in chats if any(message["role"] == "assistant" for message in chat)]
        marked = iter(form.mark_all(taught))
        for transcript, chat in zip(some, chats, strict=True):
            speaks = any(message["role"] == "assistant" for message in chat)
            yield transcript, chat, next(marked) if speaks else None


def _values(counts: RowCounts) -> tuple[int, ...]:
    return counts.split, counts.truncated, counts.dropped, counts.untaught, counts.turns_lost


def _row(marked: Marked, untaught: int = 0) -> TrainingRow:
    """A row whose loss sees every turn of the therapist but the first `untaught`."""
    labels = [UNTRAINED] * len(marked.input_ids)
    for start, end in marked.spans[untaught:]:
        labels[start:end] = marked.input_ids[start:end]
    return TrainingRow(marked.input_ids, tuple(labels))


def _truncated(mark: Marker, chat: Chat, whole: Marked, max_length: int) -> tuple[list[TrainingRow], RowCounts]:
    system, exchanges = _exchanges(chat)
    fit = sum(end <= max_length for _, end in whole.spans)
    while fit:
        part = mark([*system, *_joined(exchanges[:fit])])
        if len(part.input_ids) <= max_length:
            return [_row(part)], RowCounts(truncated=1, turns_lost=len(exchanges) - fit)
        fit -= 1
    return [], RowCounts(dropped=1)


def _split(mark: Marker, chat: Chat, whole: Marked, max_length: int, carry: int, name: str) -> list[TrainingRow]:
    """Several rows that each begin with the system message, then the carried exchanges, then new ones."""
    system, exchanges = _exchanges(chat)
    ends = [end for _, end in whole.spans]  # tokens up to each exchange's end: a guess that saves most renderings
    rows: list[TrainingRow] = []
    first = 0
    while first < len(exchanges):
        carried = exchanges[max(0, first - carry) : first]
        room = max_length + (ends[first - 1] if first else 0) - (whole.spans[0][0] if first else 0)
        last = max(first + 1, sum(end <= room for end in ends))
        while True:
            part = mark([*system, *_joined(carried), *_joined(exchanges[first:last])])
            if len(part.input_ids) <= max_length:
                break
            if last > first + 1:
                last -= 1
            elif carried:
                carried = carried[1:]
            else:
                size = len(part.input_ids)
                raise StageError(f"transcript '{name}': one exchange has {size} tokens and max_length is {max_length}")
        rows.append(_row(part, untaught=len(carried)))
        first = last
    return rows


def _joined(exchanges: Sequence[Chat]) -> Chat:
    return [message for exchange in exchanges for message in exchange]


def _exchanges(chat: Chat) -> tuple[Chat, list[Chat]]:
    """The system messages, and the turns in groups that end with the therapist.

    What the patient says after the therapist's last turn is left out: no loss is on it.
    """
    system = [message for message in chat if message["role"] == "system"]
    groups: list[Chat] = [[]]
    for message in chat:
        if message["role"] == "system":
            continue
        groups[-1].append(message)
        if message["role"] == "assistant":
            groups.append([])
    return system, groups[:-1]


def held_out_personas(transcripts: Sequence[Transcript], share: float, seed: int) -> frozenset[str]:
    """Personas whose sessions are kept for validation: at least one where share > 0, never all.

    Drawn by persona, never by session: sessions of one persona tell the same story.
    """
    import hashlib

    personas = sorted({transcript.persona for transcript in transcripts})
    if share <= 0 or len(personas) < 2:
        return frozenset()
    count = min(len(personas) - 1, max(1, round(share * len(personas))))
    order = sorted(personas, key=lambda name: hashlib.sha256(f"held-out/{seed}/{name}".encode()).hexdigest())
    return frozenset(order[:count])
