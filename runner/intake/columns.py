"""What files call the columns that a study needs, and what a column holds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cbtrun.intake.speakers import known_part
from cbtrun.tables.readers.spoken_lines import spoken_turns
from cbtrun.tables.row import Row

LOOKED_AT = 2_000
"""Rows by which a file's shape is told."""
MOST_COLUMNS = 200
SESSION = (
    *("session", "session_id", "sessionid", "transcript_id", "conversation_id", "conv_id", "convid", "conversationid"),
    *("dialogue_id", "dialog_id", "dialogueid", "dialogid", "chat_id", "call_id", "interview_id", "video_id"),
    *(
        "thread_id",
        "case_id",
        "transcript",
        "conversation",
        "dialogue",
        "dialog",
        "sitzung",
        "séance",
        "sesion",
        "file",
    ),
    *("id", "idx", "uid", "uuid", "index", "case", "number", "nr"),
)
ORDER = (
    *(
        "order",
        "turn",
        "turn_id",
        "turn_number",
        "turn_index",
        "turn_idx",
        "utterance_id",
        "utterance_index",
        "utterance_idx",
    ),
    *(
        "utt_id",
        "utterance_number",
        "message_id",
        "message_index",
        "position",
        "seq",
        "sequence",
        "step",
        "line",
        "n",
        "nr",
    ),
    *("no", "idx", "index"),
)
SPEAKER = (
    *("speaker", "role", "interlocutor", "who", "from", "party", "author", "participant", "sender", "speaker_role"),
    *("speaker_id", "talker", "person", "name", "sprecher", "locuteur", "hablante"),
)
TEXT = (
    *("text", "utterance", "utterance_text", "content", "message", "value", "said", "words", "sentence", "body"),
    *("transcript", "line", "turn_text", "transcription", "response", "texte", "texto", "turn", "utt"),
)
EXCHANGES = (
    ("question", "answer"),
    ("context", "response"),
    ("questiontext", "answertext"),
    ("question_text", "answer_text"),
    ("query", "response"),
    ("query", "answer"),
    ("prompt", "response"),
    ("prompt", "completion"),
    ("input", "output"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("user", "assistant"),
    ("human", "assistant"),
    ("patient", "therapist"),
    ("client", "therapist"),
    ("client", "counselor"),
    ("input", "response"),
    ("post", "reply"),
    ("question", "response"),
    ("questions", "answers"),
)
"""What somebody asks, and what is answered, in a row per exchange."""
PREFERENCES = (
    ("chosen", "rejected"),
    ("preferred", "rejected"),
    ("response_chosen", "response_rejected"),
    ("winner", "loser"),
)
PERSONA = ("persona", "persona_id", "patient_id", "client_id", "profile_id", "patient", "client", "member_id")
RATERS = ("rater", "coder", "annotator", "judge", "evaluator", "assessor", "expert", "reviewer", "labeler", "labeller")
ROLE_KEYS = ("role", "from", "speaker", "party", "interlocutor", "author", "sender", "participant", "who", "name")
CONTENT_KEYS = ("content", "value", "text", "utterance", "message", "line", "said", "body", "sentence")
USUAL_KEYS = ("role", "from", "speaker"), ("content", "value", "text")
"""Keys of a message that need not be named: those that the readers of messages look for themselves."""


def plain(column: str) -> str:
    """A column's name as the lists here have it."""
    return re.sub(r"[\s.-]+", "_", column.strip().casefold())


def named(columns: Iterable[str], names: Sequence[str]) -> list[str]:
    """The columns that are called so, those of earlier names first."""
    found = {plain(column): column for column in reversed([*columns])}
    return [found[name] for name in names if name in found]


def is_absent(value: object) -> bool:
    """Whether a cell holds nothing."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or value == ""


def cell(row: Row, column: str) -> Any:
    """What stands in a column; `a.b` is b inside the object a, as in a study."""
    if column in row.cells or "." not in column:
        return row.cells.get(column)
    value: Any = row.cells
    for step in column.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def cells(rows: Sequence[Row], column: str) -> list[Any]:
    """What stands in a column, without what holds nothing."""
    return [value for row in rows if not is_absent(value := cell(row, column))]


def inner_columns(rows: Sequence[Row], columns: Iterable[str]) -> list[str]:
    """`a.b` for each key b of the objects in columns a."""
    objects = {column: [one for one in cells(rows[:20], column) if isinstance(one, Mapping)] for column in columns}
    return list(dict.fromkeys(f"{column}.{key}" for column, held in objects.items() for one in held for key in one))


def is_plain(value: object) -> bool:
    """A text, a number or a truth: what a name or a level may be."""
    return isinstance(value, str | int | float | bool)


def is_number(value: object) -> bool:
    """A finite number, or a text that is one."""
    try:
        return not isinstance(value, bool) and math.isfinite(float(str(value)))
    except ValueError:
        return False


def mean_length(values: Sequence[Any]) -> float:
    """Characters of the texts in it, on the average; 0 where most are no texts."""
    texts = [len(value) for value in values if isinstance(value, str)]
    return sum(texts) / len(texts) if texts and len(texts) * 2 > len(values) else 0.0


def message_keys(messages: Sequence[Any], said: Mapping[str, str]) -> tuple[str, str] | None:
    """The keys of a message that hold its speaker and its text; none where these are no messages."""
    if not messages or not all(isinstance(one, Mapping) for one in messages):
        return None
    keys = {str(key): None for one in messages for key in one}
    role = said.get("role") or next(iter(named(keys, ROLE_KEYS)), "")
    content = said.get("content") or next((key for key in named(keys, CONTENT_KEYS) if key != role), "")
    holds = sum(role in one and content in one for one in messages) * 2 > len(messages)
    return (role, content) if role and content and holds else None


def cells_of_talk(rows: Sequence[Row], column: str) -> bool:
    """Whether a column's texts are whole conversations, in which words for speakers begin turns."""
    texts = [one for one in cells(rows[:20], column) if isinstance(one, str)]
    talks = [spoken_turns(one[:20_000]) for one in texts]
    whom = [{known_part(who) for who, _ in one} & {"therapist", "patient"} for one in talks]
    return sum(len(one) > 2 or bool(parts) for one, parts in zip(talks, whom, strict=True) if len(one) > 1) * 2 > len(
        talks
    )


def cells_of_strings(rows: Sequence[Row], column: str) -> bool:
    """Whether a column holds lists of texts alone: turns of nobody who is named."""
    lists = [one for one in cells(rows[:20], column) if isinstance(one, list | tuple) and one]
    return bool(lists) and all(isinstance(text, str) and " " in text for one in lists for text in one[:4])


def listed_messages(rows: Sequence[Row], column: str) -> list[Any]:
    """The messages in a column's lists; empty where it holds none."""
    lists = cells(rows, column)
    if not lists or sum(isinstance(one, list | tuple) for one in lists) * 2 <= len(lists):
        return []
    return [message for one in lists if isinstance(one, list | tuple) for message in one][:LOOKED_AT]
