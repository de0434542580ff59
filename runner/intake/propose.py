"""The mapping that a file suggests: format, columns, speakers, what else it tells, and what would be left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.intake.annotators import chosen_rows
from cbtrun.intake.columns import LOOKED_AT, cell, is_absent, message_keys
from cbtrun.intake.facts import Facts, facts_of, is_known_order
from cbtrun.intake.file_names import pattern_of
from cbtrun.intake.harmless import counted, harmless, quoted
from cbtrun.intake.look import Looked, format_of, look, separators
from cbtrun.intake.nested import at_records, records_in
from cbtrun.intake.people_scores import PeopleScores, people_scores
from cbtrun.intake.persona_formats import person_columns
from cbtrun.intake.proposal import Asked, Block, Proposal
from cbtrun.intake.shape import Shape, shape_of
from cbtrun.intake.speakers import Speakers, speakers_of, talks_of
from cbtrun.ratings.rubric import Rubric
from cbtrun.tables.row import Row, Writing

SAID_IN = {"messages": "messages", "turns": "text", "exchanges": "answer", "preferences": "answer"}


@dataclass(frozen=True)
class Seen:
    """A file with its shape."""

    looked: Looked
    shape: Shape | None
    said: tuple[str, ...] = ()


def propose(path: Path, asked: Asked, writing: Writing, rubrics: Mapping[str, Rubric]) -> Proposal:
    """What is proposed for a file, folder or pattern.

    Raises SpecError with what to say where something cannot be known: the format, the columns, who is the therapist.
    """
    seen = _seen(path, asked, writing)
    persons = person_columns(seen.looked.table)
    if asked.to == "personas" or (persons and seen.shape is None and not asked.to):
        return _of_persons(seen, persons, asked)
    scores = people_scores(seen.looked.table, rubrics, (seen.shape.columns.get("session", "") if seen.shape else ""))
    if seen.shape is None:
        raise SpecError.at(path, _no_sessions(seen.looked, scores))
    return _of_sessions(seen, seen.shape, asked, scores)


def _seen(path: Path, asked: Asked, writing: Writing) -> Seen:
    """A file and its shape, by the separator and the records that give one."""
    try:
        looked = look(path, writing)
    except SpecError as error:
        marks = separators(error)
        fitting = [(mark, seen) for mark in marks if (seen := _under(path, asked, writing, mark)) is not None]
        if len(fitting) != 1:
            raise
        mark, seen = fitting[0]
        told = (
            f"A GUESS: columns are parted by {mark!r}, under which they have names that are known (--delimiter says it)"
        )
        return replace(seen, said=(told, *seen.said))
    return _with_shape(looked, asked)


def _under(path: Path, asked: Asked, writing: Writing, mark: str) -> Seen | None:
    try:
        seen = _with_shape(look(path, replace(writing, delimiter=mark)), asked)
    except SpecError:
        return None
    return seen if seen.shape or person_columns(seen.looked.table) else None


def _with_shape(looked: Looked, asked: Asked) -> Seen:
    shape = shape_of(looked.table, asked.columns)
    if shape is None and not looked.writing.records and (records := records_in(looked.table.rows, asked.columns)):
        table, writing = at_records(looked.path, looked.writing, records)
        looked = replace(looked, table=table, writing=writing)
        told = f"sessions are found at {harmless(writing.records)} inside the document"
        return Seen(looked, shape_of(table, asked.columns), (told,))
    return Seen(looked, shape)


def _no_sessions(looked: Looked, scores: PeopleScores | None) -> str:
    """What a file is that holds no sessions, and the way out."""
    columns = ", ".join(harmless(one, 30) for one in looked.table.columns[:12])
    if scores is not None:
        return (
            f"holds {scores.words}, and nothing that is said. Give the sessions that were rated, and this file beside them: "
            f"cbtrun import SESSIONS --to agree --ratings {looked.path} -o study.yaml"
        )
    whole = [
        column
        for column in looked.table.columns
        if any(
            isinstance(one := row.cells.get(column), str) and one.count("\n") > 2 and ":" in one
            for row in looked.table.rows[:5]
        )
    ]
    hint = (
        f" Column {quoted(whole[0])} seems to hold whole conversations as one text: write each to a file of its own and give the folder."
        if whole
        else ""
    )
    return (
        f"nothing in it is known as a session, a transcript or a person; it has: {columns}.{hint} Say which column is what: "
        "--column session=NAME --column speaker=NAME --column text=NAME, or messages=NAME, or question=NAME and answer=NAME"
    )


def _of_persons(seen: Seen, persons: tuple[str, dict[str, Any]] | None, asked: Asked) -> Proposal:
    looked = seen.looked
    if looked.is_folder or looked.writing != Writing(encoding=looked.writing.encoding):
        what = "persons are read from one file of UTF-8, with a person a row"
        raise SpecError.at(looked.path, what)
    if looked.writing.encoding:
        raise SpecError.at(
            looked.path, f"persons are read from UTF-8; this seems to be {looked.writing.encoding}: save it anew"
        )
    if persons is None and "text" not in asked.columns:
        columns = ", ".join(harmless(one, 30) for one in looked.table.columns[:12])
        raise SpecError.at(
            looked.path, f"nothing tells of a person; it has: {columns}. Say what does: --column text=NAME"
        )
    name, columns = persons or ("a person a row", {})
    options = {"using": "files", "path": str(looked.path), "columns": {**columns, **asked.columns}}
    left = [one for one in looked.table.columns if one not in _flat(options["columns"])]
    left_out = (
        (f"{counted(len(left), 'column')} not told of the person: {', '.join(map(harmless, left[:8]))}",)
        if left
        else ()
    )
    block = Block("personas", "clients", options)
    return Proposal(looked.path, "personas", f"{format_of(looked.files[0])}: {name}", block, seen.said, left_out)


def _flat(columns: Mapping[str, Any]) -> set[str]:
    return {one for value in columns.values() for one in ([value] if isinstance(value, str) else value)}


def _of_sessions(seen: Seen, shape: Shape, asked: Asked, scores: PeopleScores | None) -> Proposal:
    looked, said, left_out = seen.looked, [*seen.said, *seen.looked.said, *shape.said], [*seen.looked.left_out]
    to = asked.to or ("tune" if shape.kind == "preferences" else "rate")
    looked, names = _with_names(looked, shape)
    columns = {**shape.columns, **asked.columns}
    rows, where = _kept(looked, shape, columns, asked, said, left_out)
    speakers = None if _plain_exchanges(rows, columns) else _speakers(rows, columns, asked, looked.path)
    if speakers is not None:
        said += speakers.reasons
        left_out += [f"{counted(turns, 'turn')} of {quoted(word, 24)}" for word, turns in speakers.skipped.items()]
    else:
        said.append(f"{quoted(columns['question'])} is the patient's, {quoted(columns['answer'])} the therapist's")
    drops = _not_text(rows, columns)
    facts = _facts(looked, rows, columns, asked, to, names)
    path = _as_session(looked.path) if shape.one_session else looked.path
    options: dict[str, Any] = {"using": "files" if to == "tune" else "import", "path": str(path)}
    options |= {key: value for key in ("delimiter", "encoding", "records") if (value := getattr(looked.writing, key))}
    options |= {"file_name": looked.writing.file_name} if looked.writing.file_name else {}
    options["columns"] = _columns_for(to, columns)
    options |= {"speakers": dict(speakers.parts)} if speakers is not None else {}
    options |= {"where": dict(where)} if where else {}
    options |= {"not_text": "drop"} if drops else {}
    if to != "tune":
        options |= {key: dict(value) for key, value in (("factors", facts.factors), ("labels", facts.labels)) if value}
    options |= {"controls": ["shuffled", "swapped", "no-homework", "placebo"]} if to == "check" else {}
    whys = {"speakers": "A GUESS, by who asks more: look" if speakers and speakers.guessed else ""}
    whys |= {"encoding": "a guess: look at the words" if seen.looked.said else ""}
    whys |= {"not_text": "cells that hold no text are left out and counted" if drops else ""}
    if names:
        whys["factors"] = "what the names of the files tell; call it what it is"
    block = Block("corpus" if to == "tune" else "sessions", "these" if to == "tune" else "", options, _told(whys))
    words = f"{format_of(looked.files[0])}: {shape.words}" + (
        f", {counted(len(looked.files), 'file')}" if looked.is_folder else ""
    )
    return Proposal(seen.looked.path, to, words, block, tuple(said), tuple(left_out), facts, scores=scores)


def _told(whys: Mapping[str, str]) -> dict[str, str]:
    return {key: why for key, why in whys.items() if why}


def _with_names(looked: Looked, shape: Shape) -> tuple[Looked, tuple[str, ...]]:
    """The same with what the files' names tell as columns; the columns that are labels."""
    if not looked.is_folder or looked.writing.file_name or shape.columns.get("session") != "file":
        return looked, ()
    pattern = pattern_of(looked.path, looked.files)
    if pattern is None or {*pattern.fields} & {*looked.table.columns}:
        return looked, ()
    again = look(looked.path, replace(looked.writing, file_name=pattern.file_name))
    return replace(again, said=looked.said, left_out=looked.left_out), pattern.fields


def _as_session(path: Path) -> Path:
    """A pattern that means one file alone: a study reads it as a session, and its name as the session's."""
    return path.with_name(f"{path.name[:-1]}[{path.name[-1]}]")


def _kept(
    looked: Looked, shape: Shape, columns: Mapping[str, str], asked: Asked, said: list[str], left_out: list[str]
) -> tuple[Sequence[Row], Mapping[str, str]]:
    """The rows that a study reads, and the `where` that takes them."""
    rows = looked.table.rows
    if asked.where:
        kept = [row for row in rows if all(str(cell(row, name)) == value for name, value in asked.where.items())]
        left_out.append(f"{counted(len(rows) - len(kept), 'row')} that --where does not take")
        return kept, asked.where
    chosen = chosen_rows(looked.table, columns) if shape.kind == "turns" and not shape.one_session else None
    if chosen is None:
        return rows, {}
    said.append(chosen.said)
    left_out.append(chosen.left_out)
    return [
        row for row in rows if all(str(row.cells.get(name)) == value for name, value in chosen.where.items())
    ], chosen.where


def _columns_for(to: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Our names as the stage has them: what a row belongs to is a `transcript` of a corpus."""
    if to == "tune":
        return {("transcript" if ours == "session" else ours): theirs for ours, theirs in columns.items()}
    return {ours: theirs for ours, theirs in columns.items() if ours != "rejected"}


def _said(rows: Sequence[Row], columns: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """(speaker, what is said) as cells and messages hold it."""
    if "text" in columns:
        yield from ((str(cell(row, columns["speaker"])), cell(row, columns["text"])) for row in rows)
        return
    lists = [columns[name] for name in ("messages", "question", "answer") if name in columns]
    for row in rows:
        for column in lists:
            messages = cell(row, column)
            keys = message_keys(messages, columns) if isinstance(messages, list | tuple) else None
            for one in messages if keys else []:
                yield str(one.get(keys[0])), one.get(keys[1])  # type: ignore[index]


def _plain_exchanges(rows: Sequence[Row], columns: Mapping[str, str]) -> bool:
    """Whether rows are a question and an answer as texts, whose speakers need no words."""
    return "answer" in columns and not any(_said(rows[:LOOKED_AT], columns))


def _speakers(rows: Sequence[Row], columns: Mapping[str, str], asked: Asked, path: Path) -> Speakers:
    said = ((speaker, text if isinstance(text, str) else "") for speaker, text in _said(rows, columns))
    return speakers_of(talks_of(said), asked.speakers, path)


def _not_text(rows: Sequence[Row], columns: Mapping[str, str]) -> bool:
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


def _facts(
    looked: Looked, rows: Sequence[Row], columns: Mapping[str, str], asked: Asked, to: str, names: Sequence[str]
) -> Facts:
    """Factors and labels; for the check of a rater, the one label that tells good from poor."""
    if to == "tune":
        return Facts()
    found = facts_of(looked.table, rows, columns, asked.label)
    numbers = {name: column for name, column in found.labels.items() if column.startswith("number") and names}
    found = replace(found, labels={name: column for name, column in found.labels.items() if name not in numbers})
    if to != "check":
        return found
    return _known_groups(found, asked, looked.path, names)


def _known_groups(found: Facts, asked: Asked, path: Path, names: Sequence[str]) -> Facts:
    factors = {name: column for name, column in found.factors.items() if asked.label in ("", column)}
    pairs = {name: found.levels[name] for name in factors if len(found.levels[name]) == 2}
    known = [name for name in pairs if is_known_order(pairs[name]) or asked.better in pairs[name]]
    if len(known) != 1:
        has = (
            "; ".join(
                f"{harmless(name, 30)}: {', '.join(map(harmless, levels))}" for name, levels in found.levels.items()
            )
            or "none"
        )
        what = (
            "which sessions are good and which are poor cannot be known. Say it: --label COLUMN --better LEVEL. "
            f"Columns with few levels: {has}"
        )
        raise SpecError.at(path, what)
    name = known[0]
    levels = pairs[name]
    if asked.better in levels:
        levels = (asked.better, next(one for one in levels if one != asked.better))
    return Facts({name: factors[name]}, found.labels, {name: levels}, {name: found.counts[name]})
