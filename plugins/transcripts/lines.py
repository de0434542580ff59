"""What is said in a session, line by line, out of its rows: turns, exchanges, lists of messages, and text with speakers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cbtrun.plugin import TableRow as Row
from cbtrun.plugin import spoken_turns
from cbtrun.plugins.transcripts.cells import at_row, cell, word
from cbtrun.plugins.transcripts.repeated_utterances import refuse_repeats
from cbtrun.plugins.transcripts.said import NotText, word_of

ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text")
"""Keys of a message, where the study names none: OpenAI's, ShareGPT's, and what annotated sets have."""


class Line(NamedTuple):
    """One thing said: where, by whom in the file's words, and its raw cell."""

    row: Row
    speaker: str
    """Empty where nobody is named."""
    content: Any


def lines_of(id_: str, rows: Sequence[Row], options: Mapping[str, Any], source: object) -> list[Line]:
    """What is said in a session, in order. Raises SpecError with its row for what cannot be said or put in order."""
    columns = options["columns"]
    if "answer" in columns:
        return list(_exchanges(id_, rows, options, source))
    if "messages" in columns:
        if len(rows) > 1:
            raise at_row(source, rows[1], f"session '{id_}' stands on several lines")
        return list(messages_of(rows[0], columns["messages"], options, source, f"session '{id_}': "))
    refuse_repeats(id_, rows, columns, source)
    if "order" in columns:
        rows = sorted(rows, key=lambda row: _number(id_, row, columns["order"], source))
    speaker = columns.get("speaker")
    return [Line(row, word(row, speaker, source) if speaker else "", cell(row, columns["text"])) for row in rows]


def _exchanges(id_: str, rows: Sequence[Row], options: Mapping[str, Any], source: object) -> Iterator[Line]:
    """Rows of what the patient says and what is answered; each may be a text, a list of messages, or text with speakers.

    An answer that begins with the question's own messages, as in sets of preferences, says them once.
    """
    columns, seen = options["columns"], dict[str, Row]()
    for row in rows:
        first = seen.setdefault(str(cell(row, columns["question"])), row)
        if first is not row:
            what = f"session '{id_}': the question of line {first.line} stands here again"
            way_out = "leave `session` (or `transcript`) out, so that each row is one of its own"
            raise at_row(source, row, f"{what}; {way_out}")
        asked, answered = (
            _in_cell(id_, row, columns[name], speaker, options, source)
            for name, speaker in (("question", "patient"), ("answer", "therapist"))
        )
        if len(asked) > 1 and asked[-1].content == "":
            del asked[-1]  # `Assistant:` at the end of a prompt asks for the answer
        again = [line.content for line in answered[: len(asked)]] == [line.content for line in asked]
        yield from asked
        yield from answered[len(asked) :] if again and len(answered) > len(asked) else answered


def _in_cell(id_: str, row: Row, column: str, speaker: str, options: Mapping[str, Any], source: object) -> list[Line]:
    """The messages of a question or an answer, or the one text that it is."""
    value = cell(row, column)
    if is_messages(value, options):
        return list(messages_of(row, column, options, source, f"session '{id_}': "))
    if isinstance(value, str):
        return _spoken(row, value, options) or [Line(row, speaker, value.strip())]
    return [Line(row, speaker, value)]


def messages_of(row: Row, column: str, options: Mapping[str, Any], source: object, whose: str) -> Iterator[Line]:
    """Each message of a row's list, which may be JSON in a text; or each turn of a text with speakers."""
    messages, columns = cell(row, column), options["columns"]
    role, content = columns.get("role", "role"), columns.get("content", "content")
    if isinstance(messages, str):
        if found := _spoken(row, messages, options):
            yield from found
            return
        messages = _json_list(messages)
    if not isinstance(messages, list | tuple) or not messages:
        what = (
            f"{whose}column '{column}' must be a list of {{{role}, {content}}}, or text in which speakers begin turns"
        )
        raise at_row(source, row, what)
    if _by_order(options) and all(isinstance(one, str) for one in messages):
        yield from (Line(row, "", one) for one in messages)
        return
    for number, message in enumerate(messages, start=1):
        role_key = _key(message, columns, "role", ROLE_KEYS)
        content_key = _key(message, columns, "content", CONTENT_KEYS)
        if role_key is None:
            raise at_row(source, row, _no_role(message, columns, f"{whose}message {number} of column '{column}'"))
        try:
            speaker = word_of(message[role_key])
        except NotText as error:
            raise at_row(source, row, f"{whose}the speaker of message {number} is {error}, not a text") from None
        yield Line(row, speaker, message.get(content_key) if content_key else None)


def _no_role(message: Any, columns: Mapping[str, str], which: str) -> str:
    has = f"it has: {', '.join(map(str, message))[:80]}" if isinstance(message, Mapping) else "it is no object"
    wanted = columns.get("role") or " or ".join(ROLE_KEYS)
    shape = f"{{{columns.get('role', 'role')}, {columns.get('content', 'content')}}}"
    way_out = "Name the keys: `columns: {role: KEY, content: KEY}`"
    if isinstance(message, str):
        way_out = "Where turns alternate, say who begins: `speakers: [patient, therapist]`"
    return f"{which} must be a list of {shape}: no key {wanted}; {has}. {way_out}"


def _spoken(row: Row, text: str, options: Mapping[str, Any]) -> list[Line]:
    """The turns of a text that begins with a speaker whom the study names; none of any other text."""
    speakers = options.get("speakers")
    if not speakers:
        return []
    known = None if _by_order(options) else frozenset(map(str, speakers))
    turns = [Line(row, speaker, said) for speaker, said in spoken_turns(text, known)]
    return turns if turns and turns[0].speaker else []


def _json_list(text: str) -> Any:
    """The list that a text holds as JSON; none for any other text."""
    try:
        return json.loads(text) if text.lstrip()[:1] == "[" else None
    except (ValueError, RecursionError):
        return None


def _by_order(options: Mapping[str, Any]) -> bool:
    return isinstance(options.get("speakers"), list | tuple)


def _key(message: Any, columns: Mapping[str, str], ours: str, usual: Sequence[str]) -> str | None:
    """The key of a message that holds its speaker or its text: the one that the study names, or the first usual one."""
    keys = [columns[ours]] if ours in columns else usual
    return next((key for key in keys if isinstance(message, Mapping) and key in message), None)


def is_messages(value: Any, options: Mapping[str, Any]) -> bool:
    """Whether a cell holds a list of messages, as such or as JSON."""
    found = _json_list(value) if isinstance(value, str) else value
    return isinstance(found, list | tuple) and any(_key(one, options["columns"], "role", ROLE_KEYS) for one in found)


def is_spoken(row: Row, value: Any, options: Mapping[str, Any]) -> bool:
    """Whether a cell holds text that begins with a speaker whom the study names."""
    return isinstance(value, str) and bool(_spoken(row, value, options))


def _number(id_: str, row: Row, column: str, source: object) -> float:
    from cbtrun.plugin import told

    value = cell(row, column)
    if value is None or value == "":
        raise at_row(source, row, f"session '{id_}': nothing in column '{column}', which puts its turns in order")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise at_row(source, row, f"session '{id_}': {told(value)} in column '{column}' is not a number") from None
    if number != number:
        raise at_row(source, row, f"session '{id_}': {told(value)} in column '{column}' is not a number")
    return number
