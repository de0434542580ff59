"""Sessions out of a table's rows: a row per turn, per exchange (question and answer), or per session with its messages.

Nothing is guessed and nothing is made up: what is no text is an error with its row, or left out and counted where the study
says `not_text: drop`; null is absent, wherever it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cbtrun.plugin import Problem, Session, SpecError, Table, Turn, digest, told
from cbtrun.plugin import TableRow as Row
from cbtrun.plugins.transcripts.cells import at_row, cell, kept_rows, word
from cbtrun.plugins.transcripts.repeated_utterances import refuse_repeats
from cbtrun.plugins.transcripts.said import NotText, said_in, word_of

ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text")
"""Keys of a message, where the study names none: OpenAI's, ShareGPT's, and what annotated sets have."""
USUAL_SPEAKERS = {
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "therapist", "counselor", "counsellor"), "therapist"),
    **dict.fromkeys(("user", "human", "patient", "client", "seeker"), "patient"),
    **dict.fromkeys(("system", "tool", "function", "developer"), "skip"),
}
"""What `speakers` is for rows of a question and an answer where the study does not say it."""


class Line(NamedTuple):
    """One thing said: where, by whom in the file's words, and its raw cell."""

    row: Row
    speaker: str
    content: Any


@dataclass
class LeftOut:
    """What was left out of a session, by reason."""

    empty: int = 0
    thoughts: int = 0
    not_text: Counter[str] = field(default_factory=Counter)

    def flags(self) -> tuple[str, ...]:
        """In the words that report and terminal show."""
        found = [f"empty turns left out: {self.empty}"] if self.empty else []
        found += [f"thoughts taken out of turns: {self.thoughts}"] if self.thoughts else []
        return (*found, *(f"turns that are {kind} left out: {count}" for kind, count in sorted(self.not_text.items())))


def read_sessions(table: Table, options: Mapping[str, Any], path: Path) -> tuple[list[Session], list[Problem]]:
    """The sessions of a table, and what is wrong with those that are not well formed."""
    sessions: list[Session] = []
    problems: list[Problem] = []
    groups = grouped_rows(table, options, path, problems)
    if not groups and not problems:
        problems += SpecError.at(path, "no row has what `where` wants").problems
    for id_, rows in groups.items():
        try:
            sessions.append(_session(id_, rows, options, path))
        except SpecError as error:
            problems += error.problems
    return sessions, problems


def left_out(sessions: Sequence[Session]) -> dict[str, int]:
    """The sessions' counts together; their flags are `WHY: COUNT`."""
    counts: dict[str, int] = {}
    for flag in (flag for one in sessions for flag in one.flags):
        why, _, count = flag.rpartition(": ")
        counts[why] = counts.get(why, 0) + int(count)
    return dict(sorted(counts.items()))


def grouped_rows(
    table: Table, options: Mapping[str, Any], source: Path, problems: list[Problem]
) -> dict[str, list[Row]]:
    """Id of each session -> its rows. Where a row is whole by itself, one without an id goes by its number, from 1."""
    columns = options["columns"]
    alone = "messages" in columns or "answer" in columns
    groups: dict[str, list[Row]] = {}
    rows = kept_rows(table, options.get("where") or {})
    in_file = Counter(row.file for row in rows)
    for number, row in enumerate(rows, start=1):
        try:
            id_ = word(row, columns["session"], source) if "session" in columns else ""
            if not id_ and not alone:
                raise at_row(source, row, f"no session in column '{columns['session']}'")
        except SpecError as error:
            problems += error.problems
            continue
        own = str(row.cells["file"]) if row.file else str(number)
        groups.setdefault(id_ or (own if in_file[row.file] == 1 or not row.file else f"{own}-{row.line}"), []).append(
            row
        )
    return groups


def _session(id_: str, rows: list[Row], options: Mapping[str, Any], path: Path) -> Session:
    tally = LeftOut()
    lines = list(_lines(id_, rows, options["columns"], path))
    spoken = tuple(turn for line in lines if (turn := _turn(id_, line, options, path, tally)) is not None)
    for speaker in ("therapist", "patient"):
        if not any(turn.speaker == speaker for turn in spoken):
            raise at_row(path, rows[0], f"session '{id_}': the {speaker} never speaks")
    facts = {name: _constant(id_, rows, column, path) for name, column in _facts(options).items()}
    rejected = _rejected(id_, rows, options, path)
    persona = _constant(id_, rows, options["columns"]["persona"], path) if "persona" in options["columns"] else ""
    labels = {name: facts["label", name] for name in options["labels"] if facts["label", name]}
    return Session(
        id=id_,
        persona=persona or None,
        draw=digest([id_, [[turn.speaker, turn.text] for turn in spoken]]),
        factors={name: facts["factor", name] for name in options["factors"] if facts["factor", name]},
        labels=labels | ({"rejected": rejected} if rejected else {}),
        turns=spoken,
        ended="imported",
        flags=tally.flags(),
    )


def _facts(options: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    factors = {("factor", name): column for name, column in options["factors"].items()}
    return factors | {("label", name): column for name, column in options["labels"].items()}


def _lines(id_: str, rows: list[Row], columns: Mapping[str, str], source: Path) -> Iterator[Line]:
    """What is said in a session, in order."""
    if "answer" in columns:
        yield from _exchanges(id_, rows, columns, source)
        return
    if "messages" in columns:
        if len(rows) > 1:
            raise at_row(source, rows[1], f"session '{id_}' stands on several lines")
        yield from messages_of(rows[0], columns["messages"], columns, source, f"session '{id_}': ")
        return
    refuse_repeats(id_, rows, columns, source)
    if "order" in columns:
        rows = sorted(rows, key=lambda row: _number(id_, row, columns["order"], source))
    for row in rows:
        speaker = word(row, columns["speaker"], source)
        if not speaker:
            raise at_row(source, row, f"session '{id_}': no speaker in column '{columns['speaker']}'")
        yield Line(row, speaker, cell(row, columns["text"]))


def _exchanges(id_: str, rows: list[Row], columns: Mapping[str, str], source: Path) -> Iterator[Line]:
    """Rows of what the patient says and what is answered; each may be a text or a list of messages."""
    seen: dict[str, Row] = {}
    for row in rows:
        first = seen.setdefault(str(cell(row, columns["question"])), row)
        if first is not row:
            what = f"session '{id_}': the question of line {first.line} stands here again"
            raise at_row(
                source, row, f"{what}; leave `session` (or `transcript`) out, so that each row is one of its own"
            )
        for name, speaker in (("question", "patient"), ("answer", "therapist")):
            value = cell(row, columns[name])
            if isinstance(value, list | tuple) and any(_key(one, columns, "role", ROLE_KEYS) for one in value):
                yield from messages_of(row, columns[name], columns, source, f"session '{id_}': ")
            else:
                yield Line(row, speaker, value)


def messages_of(row: Row, column: str, columns: Mapping[str, str], source: object, whose: str) -> Iterator[Line]:
    """Each message of a row's list."""
    messages = cell(row, column)
    role, content = columns.get("role", "role"), columns.get("content", "content")
    if not isinstance(messages, list | tuple) or not messages:
        raise at_row(source, row, f"{whose}column '{column}' must be a list of {{{role}, {content}}}")
    for number, message in enumerate(messages, start=1):
        role_key = _key(message, columns, "role", ROLE_KEYS)
        content_key = _key(message, columns, "content", CONTENT_KEYS)
        if role_key is None:
            has = f"it has: {', '.join(map(str, message))[:80]}" if isinstance(message, Mapping) else "it is no object"
            wanted = columns.get("role") or " or ".join(ROLE_KEYS)
            what = f"{whose}message {number} of column '{column}' must be a list of {{{role}, {content}}}"
            raise at_row(
                source, row, f"{what}: no key {wanted}; {has}. Name the keys: `columns: {{role: KEY, content: KEY}}`"
            )
        try:
            speaker = word_of(message[role_key])
        except NotText as error:
            raise at_row(source, row, f"{whose}the speaker of message {number} is {error}, not a text") from None
        yield Line(row, speaker, message.get(content_key) if content_key else None)


def _key(message: Any, columns: Mapping[str, str], ours: str, usual: Sequence[str]) -> str | None:
    """The key of a message that holds its speaker or its text: the one that the study names, or the first usual one."""
    keys = [columns[ours]] if ours in columns else usual
    return next((key for key in keys if isinstance(message, Mapping) and key in message), None)


def _turn(id_: str, line: Line, options: Mapping[str, Any], source: object, tally: LeftOut) -> Turn | None:
    """The turn that a line is; none for what is skipped, empty, or no text and to be dropped."""
    part = part_of(id_, line, options, source)
    if part == "skip":
        return None
    try:
        said = said_in(line.content)
    except NotText as error:
        if options.get("not_text") == "drop":
            tally.not_text[str(error)] += 1
            return None
        what = f"session '{id_}': what the {part} says is {error}, not a text"
        raise at_row(source, line.row, f"{what} (`not_text: drop` leaves such turns out and counts them)") from None
    tally.thoughts += said.thoughts
    tally.empty += not said.text
    return Turn.model_validate({"speaker": part, "text": said.text}) if said.text else None


def part_of(id_: str, line: Line, options: Mapping[str, Any], source: object) -> str:
    """`therapist`, `patient` or `skip`. Raises SpecError for a word that the study does not map."""
    speakers = options.get("speakers") or USUAL_SPEAKERS
    own = {"therapist": "therapist", "patient": "patient"} if "answer" in options["columns"] else {}
    part = speakers.get(line.speaker) or own.get(line.speaker)
    if part is None:
        known = ", ".join(speakers)
        what = f"session '{id_}': unknown speaker {told(line.speaker)}; `speakers` maps: {known}"
        raise at_row(source, line.row, what)
    return str(part)


def _rejected(id_: str, rows: list[Row], options: Mapping[str, Any], source: Path) -> str:
    """The last turn of the therapist that was liked less: a text, or the last one of a list of messages; empty without."""
    column = options["columns"].get("rejected")
    held = {str(cell(row, column)): row for row in rows if cell(row, column) is not None} if column else {}
    if not held:
        return ""
    row = next(iter(held.values()))
    if len(held) > 1:
        raise at_row(source, row, f"session '{id_}': column '{column}' has several values")
    value = cell(row, str(column))
    try:
        if not isinstance(value, list | tuple) or not any(
            _key(one, options["columns"], "role", ROLE_KEYS) for one in value
        ):
            return said_in(value).text
        lines = messages_of(row, str(column), options["columns"], source, f"session '{id_}': ")
        last = [line for line in lines if part_of(id_, line, options, source) == "therapist"][-1:]
        return said_in(last[0].content).text if last else ""
    except NotText as error:
        raise at_row(source, row, f"session '{id_}': column '{column}' holds {error}, not a text") from None


def _number(id_: str, row: Row, column: str, source: object) -> float:
    value = cell(row, column)
    if value is None or value == "":
        raise at_row(source, row, f"session '{id_}': nothing in column '{column}', which puts its turns in order")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise at_row(source, row, f"session '{id_}': {told(value)} in column '{column}' is not a number") from None


def _constant(id_: str, rows: list[Row], column: str, source: object) -> str:
    """The one value that a column has in all rows of a session; empty where it has none."""
    values = dict.fromkeys(word(row, column, source) for row in rows)
    if len(values) > 1:
        several = ", ".join(told(value, "") for value in values)
        raise at_row(source, rows[0], f"session '{id_}': column '{column}' has several values: {several}")
    return next(iter(values))
