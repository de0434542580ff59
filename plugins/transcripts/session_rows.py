"""Sessions out of a table's rows: a row per turn, per exchange (question and answer), or per session with its messages.

Nothing is guessed and nothing is made up: what is no text is an error with its row, or left out and counted where the study
says `not_text: drop`; null is absent, wherever it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cbtrun.plugin import Problem, Session, SpecError, Table, Turn, digest, told
from cbtrun.plugin import TableRow as Row
from cbtrun.plugins.transcripts.cells import at_row, kept_rows, word
from cbtrun.plugins.transcripts.left_out import WHERE, LeftOut, LeftOutWhole
from cbtrun.plugins.transcripts.lines import Line, lines_of
from cbtrun.plugins.transcripts.mapping_schema import FILE
from cbtrun.plugins.transcripts.rejected_turn import rejected_turn
from cbtrun.plugins.transcripts.said import NotText, said_in
from cbtrun.plugins.transcripts.speakers import SKIP, TEXT, parts_of


def read_sessions(
    table: Table, options: Mapping[str, Any], path: Path, besides: Counter[str] | None = None
) -> tuple[list[Session], list[Problem]]:
    """The sessions of a table, and what is wrong with those that are not well formed.

    besides: takes the counts, by reason, of rows and of sessions that are left out whole; those of turns are sessions' flags.
    """
    sessions: list[Session] = []
    problems: list[Problem] = []
    gone: Counter[str] = Counter()
    groups = grouped_rows(table, options, path, problems)
    if not groups and not problems:
        problems += SpecError.at(path, "no row has what `where` wants").problems
    for id_, rows in groups.items():
        try:
            sessions.append(_session(id_, rows, options, path))
        except LeftOutWhole as why:
            gone[str(why)] += 1
        except SpecError as error:
            problems += error.problems
    if groups and not sessions and not problems:
        problems += SpecError.at(path, f"nothing is left of its {len(groups)} sessions: {', '.join(gone)}").problems
    gone[WHERE] = len(table.rows) - len(kept_rows(table, options.get("where") or {}))
    if besides is not None:
        besides.update({why: count for why, count in gone.items() if count})
    return sessions, problems


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
        is_of_set = bool(row.file) and FILE in row.cells  # one of several files, each with its sessions
        own = str(row.cells[FILE]) if is_of_set else str(number)
        name = id_ or (own if in_file[row.file] == 1 or not is_of_set else f"{own}-{row.line}")
        group = groups.setdefault(name, [])
        if group and is_of_set and group[0].file != row.file:
            what = f"session '{name}' stands in another file too, {group[0].file}, first on its line {group[0].line}"
            way_out = "where each file is one session, say `session: file`; else give the sessions other ids"
            problems += at_row(source, row, f"{what}; {way_out}").problems
            continue
        group.append(row)
    return groups


def _session(id_: str, rows: list[Row], options: Mapping[str, Any], path: Path) -> Session:
    tally = LeftOut()
    lines = lines_of(id_, rows, options, path)
    parts = parts_of(id_, lines, options, path)
    said = _with_text(id_, list(zip(parts, lines, strict=True)), path)
    turns = (_turn(id_, part, line, options, path, tally) for part, line in said)
    spoken = tuple(turn for turn in turns if turn is not None)
    for speaker in ("therapist", "patient"):
        if not any(turn.speaker == speaker for turn in spoken):
            if options.get("not_text") == "drop":
                raise LeftOutWhole(f"sessions left out in which the {speaker} says nothing")
            raise at_row(path, rows[0], f"session '{id_}': the {speaker} never speaks")
    facts = {name: _constant(id_, rows, column, path) for name, column in _facts(options).items()}
    rejected = rejected_turn(id_, rows, spoken, options, path, tally)
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


def _with_text(id_: str, lines: Sequence[tuple[str, Line]], source: object) -> list[tuple[str, Line]]:
    """The lines, those whose word is no speaker (`Note: ...`, or none at all) joined to the one before."""
    joined: list[tuple[str, Line]] = []
    for part, line in lines:
        if part != TEXT:
            joined.append((part, line))
            continue
        if not joined:
            raise at_row(
                source,
                line.row,
                f"session '{id_}': {told(line.speaker)} goes on with a turn, and nobody spoke before it",
            )
        speaker, before = joined[-1]
        if not isinstance(before.content, str) or not isinstance(line.content, str):
            raise at_row(
                source, line.row, f"session '{id_}': what goes on with the turn before is no text, or that is none"
            )
        more = f"\n{line.speaker}: {line.content}" if line.speaker else f" {line.content}"
        joined[-1] = (speaker, before._replace(content=f"{before.content}{more}"))
    return joined


def _turn(id_: str, part: str, line: Line, options: Mapping[str, Any], source: object, tally: LeftOut) -> Turn | None:
    """The turn that a line is; none for what is skipped, empty, or no text and to be dropped."""
    if part == SKIP:
        tally.skipped += 1
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


def _constant(id_: str, rows: list[Row], column: str, source: object) -> str:
    """The one value that a column has in all rows of a session; empty where it has none."""
    values = dict.fromkeys(word(row, column, source) for row in rows)
    if len(values) > 1:
        several = ", ".join(told(value, "") for value in values)
        raise at_row(source, rows[0], f"session '{id_}': column '{column}' has several values: {several}")
    return next(iter(values))
