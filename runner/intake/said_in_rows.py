"""What is said in the rows of a file, as its cells and messages hold it: by whom, and whether it is text at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cbtrun.intake.columns import LOOKED_AT, cell, is_absent, message_keys
from cbtrun.intake.directions import Directions
from cbtrun.intake.speakers import Speakers, speakers_of, talks_of
from cbtrun.tables.readers.spoken_lines import spoken_turns
from cbtrun.tables.row import Row


def are_plain_exchanges(rows: Sequence[Row], columns: Mapping[str, str]) -> bool:
    """Whether rows are a question and an answer as texts, whose speakers need no words."""
    return "answer" in columns and not any(_said(rows[:LOOKED_AT], columns))


def speakers_in(rows: Sequence[Row], columns: Mapping[str, str], asked: Directions, path: Path) -> Speakers:
    said = ((speaker, text if isinstance(text, str) else "") for speaker, text in _said(rows, columns))
    return speakers_of(talks_of(said), asked.speakers, path)


def has_no_text(rows: Sequence[Row], columns: Mapping[str, str]) -> bool:
    """Whether anything stands where a text belongs and is none: it must be left out by a rule that the study declares."""
    held = [text for _, text in _said(rows, columns)]
    held += [cell(row, columns[name]) for row in rows for name in ("question", "answer") if name in columns]
    return any(not _is_text(one) for one in held)


def _is_text(value: Any) -> bool:
    if isinstance(value, list | tuple):  # content parts
        return all(isinstance(part, Mapping) for part in value) and not any(
            part.get("type") == "image_url" for part in value
        )
    return (
        isinstance(value, str | int | float) and not (is_absent(value) and value != "") and not isinstance(value, bool)
    )


def _said(rows: Sequence[Row], columns: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """(speaker, what is said) as cells and messages hold it."""
    if "text" in columns:
        yield from ((str(cell(row, columns["speaker"])), cell(row, columns["text"])) for row in rows)
        return
    lists = [columns[name] for name in ("messages", "question", "answer") if name in columns]
    for row in rows:
        for column in lists:
            messages = cell(row, column)
            if isinstance(messages, str) and "messages" in columns:
                yield from spoken_turns(messages)
                continue
            keys = message_keys(messages, columns) if isinstance(messages, list | tuple) else None
            for one in messages if keys else []:
                yield str(one.get(keys[0])), one.get(keys[1])  # type: ignore[index]


def has_one_sided(rows: Sequence[Row], columns: Mapping[str, str], parts: Mapping[str, str]) -> bool:
    """Whether somebody says nothing in some session: it can go only by a rule that the study declares.

    parts: speaker -> part; empty for a question and an answer as texts.
    """
    heard: dict[str, set[str]] = {}
    for number, row in enumerate(rows):
        joined = "session" in columns and ("text" in columns or "answer" in columns)
        session = heard.setdefault(str(cell(row, columns["session"])) if joined else str(number), set())
        session.update(parts.get(speaker, "") for speaker, text in _said([row], columns) if not _is_blank(text))
        if not parts:
            asked = (("question", "patient"), ("answer", "therapist"))
            session.update(part for name, part in asked if not _is_blank(cell(row, columns[name])))
    return any(not {"therapist", "patient"} <= session for session in heard.values())


def _is_blank(value: Any) -> bool:
    return is_absent(value) or (isinstance(value, str) and not value.strip())
