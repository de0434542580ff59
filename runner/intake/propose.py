"""The mapping that a file suggests: sessions or persons, by the shape of its rows; or what to say where it suggests none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.intake.directions import Directions
from cbtrun.intake.facts import told_of_sessions
from cbtrun.intake.harmless import counted, some_of
from cbtrun.intake.look import Looked, format_of
from cbtrun.intake.opened import Seen, opened, refuse_unknown_columns
from cbtrun.intake.people_scores import PeopleScores, people_scores
from cbtrun.intake.persona_formats import person_columns
from cbtrun.intake.proposal import Block, Proposal
from cbtrun.intake.session_block import session_proposal
from cbtrun.ratings.rubric import Rubric
from cbtrun.tables.row import Writing


def propose(path: Path, asked: Directions, writing: Writing, rubrics: Mapping[str, Rubric]) -> Proposal:
    """What is proposed for a file, folder or pattern.

    Raises SpecError with what to say where something cannot be known: the format, the columns, who is the therapist.
    """
    seen = opened(path, asked, writing)
    refuse_unknown_columns(seen.looked, asked)
    persons = person_columns(seen.looked.table, sure=asked.to == "personas")
    if asked.to == "personas" or (persons and seen.shape is None and not asked.to):
        return _of_persons(seen, persons, asked)
    table, session = seen.looked.table, ""
    if seen.shape is not None:
        table, session = told_of_sessions(table, seen.shape.columns), seen.shape.columns.get("session", "")
    scores = people_scores(table, rubrics, session)
    if seen.shape is None:
        raise SpecError.at(path, _no_sessions(seen.looked, scores))
    return session_proposal(seen, seen.shape, asked, scores)


def _no_sessions(looked: Looked, scores: PeopleScores | None) -> str:
    """What a file is that holds no sessions, and the way out."""
    columns = some_of(looked.table.columns)
    if scores is not None:
        return (
            f"holds {scores.words}, and nothing that is said. Give the sessions that were rated, and this file beside them: "
            f"cbtrun import SESSIONS --to agree --ratings {looked.path} -o study.yaml"
        )
    return (
        f"nothing in it is known as a session, a transcript or a person; it has: {columns}. Say which column is what: "
        "--column session=NAME --column speaker=NAME --column text=NAME, or messages=NAME, or question=NAME and answer=NAME"
    )


def _of_persons(seen: Seen, persons: tuple[str, dict[str, Any]] | None, asked: Directions) -> Proposal:
    looked = seen.looked
    if looked.is_folder or looked.writing != Writing(encoding=looked.writing.encoding):
        what = "persons are read from one file of UTF-8, with a person a row"
        raise SpecError.at(looked.path, what)
    if looked.writing.encoding:
        raise SpecError.at(
            looked.path, f"persons are read from UTF-8; this seems to be {looked.writing.encoding}: save it anew"
        )
    if persons is None and "text" not in asked.columns:
        has = some_of(looked.table.columns)
        raise SpecError.at(looked.path, f"nothing tells of a person; it has: {has}. Say what does: --column text=NAME")
    name, columns = persons or ("a person a row", {})
    columns = {**columns, **asked.columns}
    options = {"using": "files", "path": str(looked.path), "columns": columns}
    left = [one for one in looked.table.columns if one not in _flat(columns)]
    left_out = (f"{counted(len(left), 'column')} not told of the person: {some_of(left)}",) if left else ()
    block = Block("personas", "clients", options)
    return Proposal(looked.path, "personas", f"{format_of(looked)}: {name}", block, seen.said, left_out)


def _flat(columns: Mapping[str, Any]) -> set[str]:
    return {one for value in columns.values() for one in ([value] if isinstance(value, str) else value)}
