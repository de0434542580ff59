"""What the rows of a file are: turns, lists of messages, exchanges, preferences, people's ratings, persons; and its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cbtrun.intake.columns import (
    EXCHANGES,
    LOOKED_AT,
    MOST_COLUMNS,
    ORDER,
    PERSONA,
    PREFERENCES,
    SESSION,
    SPEAKER,
    TEXT,
    USUAL_KEYS,
    cells,
    cells_of_strings,
    cells_of_talk,
    inner_columns,
    is_number,
    is_plain,
    listed_messages,
    mean_length,
    message_keys,
    named,
    plain,
)
from cbtrun.intake.harmless import harmless, quoted
from cbtrun.intake.speakers import known_part
from cbtrun.tables.row import Row, Table

FILE = "file"
OWN_KEYS = {("from", "value"): "ShareGPT", ("role", "content"): "OpenAI messages"}
"""Keys of a message -> whose format has them."""


@dataclass(frozen=True)
class RowShape:
    """What rows are, and which column is what."""

    kind: str
    """`turns`, `messages`, `exchanges` or `preferences`."""
    words: str
    """The format in words."""
    columns: Mapping[str, str]
    """Our name -> the file's column or key; `session` for what a row belongs to."""
    said: tuple[str, ...] = ()
    """What was chosen, and why, where it is not plain from a name."""
    nobody_named: bool = False
    """Whether turns alternate and have no speaker."""
    one_session: bool = False
    """Whether no column tells sessions apart, so that the file is one."""
    facts: Mapping[str, Any] = field(default_factory=dict)


Finder = Callable[[Table, Sequence[Row], Mapping[str, str]], RowShape | None]


def shape_of(table: Table, said: Mapping[str, str]) -> RowShape | None:
    """The shape of a table of sessions; none where its rows are none of them. said: our name -> column, as the user says."""
    rows = table.rows[:LOOKED_AT]
    finders: tuple[Finder, ...] = (_preferences, _messages, _turns, _talks_in_cells, _exchanges, _turns_of_nobody)
    return next((shape for find in finders if (shape := find(table, rows, said)) is not None), None)


def _plain_columns(table: Table) -> list[str]:
    return list(table.columns[:MOST_COLUMNS])


def _id_column(table: Table, taken: set[str]) -> str:
    """A column with a name of its own for each row; empty where there is none."""
    for column in named(_plain_columns(table), SESSION):
        held = cells(table.rows, column)
        if column not in taken and held and all(map(is_plain, held)) and len({*map(str, held)}) == len(table.rows):
            return column
    return ""


def _persona(table: Table, rows: Sequence[Row], taken: set[str]) -> dict[str, str]:
    for column in named(_plain_columns(table), PERSONA):
        held = cells(rows, column)
        if column not in taken and held and all(map(is_plain, held)) and mean_length(held) <= 40:
            return {"persona": column}
    return {}


def _keys(keys: tuple[str, str]) -> dict[str, str]:
    """What must be said of a message's keys."""
    return {
        ours: key for ours, key, usual in zip(("role", "content"), keys, USUAL_KEYS, strict=True) if key not in usual
    }


def _preferences(table: Table, rows: Sequence[Row], said: Mapping[str, str]) -> RowShape | None:
    pairs = [named(_plain_columns(table), pair) for pair in PREFERENCES]
    pair = next((found for found in pairs if len(found) == 2), None)
    if pair is None and not {"rejected"} <= {*said}:
        return None
    chosen, rejected = pair or (said.get("messages") or said.get("answer", ""), said["rejected"])
    prompt = next(
        iter(named(_plain_columns(table), ("prompt", "question", "input", "context", "query", "instruction"))), ""
    )
    messages = listed_messages(rows, chosen)
    keys = message_keys(messages, said)
    id_ = _id_column(table, {chosen, rejected, prompt})
    whose = {"session": id_} if id_ else {}
    if (keys or cells_of_talk(rows, chosen)) and not prompt:
        words = "preference set: chosen and rejected conversations"
        return RowShape(
            "preferences", words, {**whose, "messages": chosen, "rejected": rejected, **(_keys(keys) if keys else {})}
        )
    if prompt:
        words = "preference set: a prompt, a chosen and a rejected answer"
        columns = {**whose, "question": prompt, "answer": chosen, "rejected": rejected, **(_keys(keys) if keys else {})}
        return RowShape("preferences", words, columns)
    return None


def _messages(table: Table, rows: Sequence[Row], said: Mapping[str, str]) -> RowShape | None:
    """The column of messages: the one that is named so, else the one with most of them."""
    columns = _plain_columns(table)
    given = [said["messages"]] if "messages" in said else [*columns, *inner_columns(rows, columns)]
    found = {column: listed_messages(rows, column) for column in given}
    keyed = {column: keys for column, some in found.items() if (keys := message_keys(some, said))}
    if not keyed:
        return None
    column = max(keyed, key=lambda one: len(found[one]))
    others = [quoted(one) for one in keyed if one != column]
    told = (
        (f"messages are taken from {quoted(column)}, which has most; {', '.join(others)} has some too",)
        if others
        else ()
    )
    keys = keyed[column]
    id_ = _id_column(table, {column})
    words = f"{OWN_KEYS.get(keys, 'messages')}: a row a session, with a list of {{{keys[0]}, {keys[1]}}}"
    persona = _persona(table, rows, {column, id_})
    shape = {**({"session": id_} if id_ else {}), "messages": column, **_keys(keys), **persona}
    return RowShape("messages", harmless(words, 120), shape, told)


def _talks_in_cells(table: Table, rows: Sequence[Row], said: Mapping[str, str]) -> RowShape | None:
    """Whole conversations as texts, one in each row."""
    columns = [said["messages"]] if "messages" in said else _plain_columns(table)
    column = next((one for one in columns if cells_of_talk(rows, one)), None)
    if column is None:
        return None
    id_ = _id_column(table, {column})
    words = f"a row a session, its conversation as text in {quoted(column)}"
    persona = _persona(table, rows, {column, id_})
    return RowShape("messages", words, {**({"session": id_} if id_ else {}), "messages": column, **persona})


def _turns_of_nobody(table: Table, rows: Sequence[Row], said: Mapping[str, str]) -> RowShape | None:
    """Lists of texts, whose turns alternate."""
    columns = [said["messages"]] if "messages" in said else _plain_columns(table)
    lists = [one for one in columns if cells_of_strings(rows, one)]
    if len(lists) != 1:
        return None
    id_ = _id_column(table, {lists[0]})
    words = f"a row a session, with a list of what is said in {quoted(lists[0])}, nobody named"
    return RowShape("messages", words, {**({"session": id_} if id_ else {}), "messages": lists[0]}, nobody_named=True)


def _exchanges(table: Table, rows: Sequence[Row], said: Mapping[str, str]) -> RowShape | None:
    columns = _plain_columns(table)
    pairs = [(said.get("question", ""), said.get("answer", ""))] if "answer" in said else []
    pairs += [(found[0], found[1]) for pair in EXCHANGES if len(found := named(columns, pair)) == 2]
    for question, answer in pairs:
        asked, answered = cells(rows, question), cells(rows, answer)
        if not asked or not answered:
            continue
        if len(asked) * 2 < len(rows) and (other := named(columns, ("instruction",))):
            question = other[0]  # sets of instructions leave `input` empty where they need none
        words = f"a row an exchange: {quoted(question)} is asked, {quoted(answer)} answered"
        id_ = said.get("session") or _exchanges_of(table, question) or _id_column(table, {question, answer})
        return RowShape(
            "exchanges", words, {**({"session": id_} if id_ else {}), "question": question, "answer": answer}
        )
    return None


def _exchanges_of(table: Table, question: str) -> str:
    """The column that joins exchanges to sessions; empty where each is one by itself, or a question has several answers."""
    for column in named(_plain_columns(table), SESSION[: SESSION.index("id")]):
        held = [(str(row.cells.get(column)), str(row.cells.get(question))) for row in table.rows]
        if column != question and len({*held}) == len(held) and 1 < len({id_ for id_, _ in held}) < len(held):
            return column
    return ""


def _turns(table: Table, rows: Sequence[Row], said: Mapping[str, str]) -> RowShape | None:
    """Rows of one turn each: who speaks, what is said, in which session, in which order."""
    columns = _plain_columns(table)
    speaker = said.get("speaker") or _speaker_column(columns, rows)
    if not speaker:
        return None
    text = said.get("text") or _text_column([one for one in columns if one not in (speaker, FILE)], rows)
    if not text:
        return None
    session, told = _session_column(table, rows, {speaker, text}, said)
    found = {"session": session, "speaker": speaker, "text": text}
    order = said.get("order") or _order_column(table, found)
    persona = _persona(table, rows, {*found.values(), order})
    shape = {"session": session, **({"order": order} if order else {}), "speaker": speaker, "text": text, **persona}
    words = "a row a turn" if session != FILE or FILE not in table.columns else "a session a file, turn by turn"
    return RowShape("turns", words, shape, tuple(told), one_session=FILE not in table.columns and session == FILE)


def _speaker_column(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The column whose words are speakers'; one that is called so where no words are known."""
    known = [(share, column) for column in columns if (share := _share_of_speakers(cells(rows, column)))]
    if known:
        best = max(share for share, _ in known)
        return next(column for share, column in known if share == best)
    if "speaker" in columns and named(columns, TEXT):  # whoever calls it so means it, also where one alone speaks
        return "speaker"
    for column in named(columns, SPEAKER):
        held = cells(rows, column)
        if held and all(map(is_plain, held)) and 1 < len({*map(str, held)}) <= max(12, len(held) // 5):
            return column
    return ""


def _share_of_speakers(held: Sequence[Any]) -> float:
    """How much of a column is words for a therapist or patient; 0 unless both parts are there and few words are."""
    words = Counter(value for value in held if isinstance(value, str) and len(value) <= 40)
    if not words or len(words) > 40:
        return 0.0
    parts = {known_part(word) for word in words}
    told = sum(count for word, count in words.items() if known_part(word))
    return told / len(held) if {"therapist", "patient"} <= parts and told * 2 > len(held) else 0.0


def _text_column(columns: Sequence[str], rows: Sequence[Row]) -> str:
    lengths = {column: mean_length(cells(rows, column)) for column in columns}
    for column in named(columns, TEXT):
        if lengths[column] and (plain(column) in TEXT[:4] or lengths[column] >= 8):
            return column
    longest = max(lengths, key=lambda column: lengths[column], default="")
    return longest if longest and lengths[longest] >= 20 else ""


def _session_column(
    table: Table, rows: Sequence[Row], taken: set[str], said: Mapping[str, str]
) -> tuple[str, list[str]]:
    """The column that tells sessions apart; `file` where the file is one session."""
    if "session" in said:
        return said["session"], []
    if FILE in table.columns:
        return FILE, []
    columns = [column for column in _plain_columns(table) if column not in taken]
    first_names = SESSION[: SESSION.index("id")]
    ids = [column for column in named(columns, first_names) if cells(rows, column)]
    if ids:
        return ids[0], []
    for column in [*named(columns, SESSION), *columns]:
        held = [str(value) for value in cells(table.rows, column) if is_plain(value)]
        blocks = sum(one != other for one, other in zip(held, ["", *held], strict=False))
        if len(held) == len(table.rows) and 1 < len({*held}) <= len(held) // 3 and blocks == len({*held}):
            return column, [
                f"sessions are told apart by {quoted(column)}, whose values stand together (--column session=NAME)"
            ]
    return FILE, [
        "A GUESS: no column tells sessions apart, so the file is taken for one session (--column session=NAME)"
    ]


def _order_column(table: Table, found: Mapping[str, str]) -> str:
    """A column of numbers that differ within a session for each speaker, or repeat for annotators."""
    columns = [column for column in _plain_columns(table) if column not in found.values()]
    for column in named(columns, ORDER):
        held = [row.cells.get(column) for row in table.rows]
        if all(map(is_number, held)) and len({*map(str, held)}) > 1:
            return column
    return ""
