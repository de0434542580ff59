"""The block that reads a file of sessions, as `sessions: {using: import}` or as a corpus, with what is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.intake.annotators import chosen_rows
from cbtrun.intake.columns import cell
from cbtrun.intake.directions import Directions
from cbtrun.intake.facts import Facts, facts_of, known_groups
from cbtrun.intake.file_names import pattern_of
from cbtrun.intake.harmless import counted, quoted, some_of
from cbtrun.intake.look import Looked, format_of, look
from cbtrun.intake.opened import Seen
from cbtrun.intake.people_scores import PeopleScores
from cbtrun.intake.proposal import Block, Proposal
from cbtrun.intake.said_in_rows import are_plain_exchanges, has_no_text, has_one_sided, speakers_in
from cbtrun.intake.shape import RowShape
from cbtrun.intake.speakers import Speakers
from cbtrun.tables.row import Row

CONTROLS = ["shuffled", "swapped", "no-homework", "placebo"]


@dataclass
class Told:
    """What is told on the way."""

    said: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    whys: dict[str, str] = field(default_factory=dict)


def session_proposal(seen: Seen, shape: RowShape, asked: Directions, scores: PeopleScores | None) -> Proposal:
    """What is proposed for a file of sessions."""
    to = asked.to or ("tune" if shape.kind == "preferences" else "rate")
    told = Told([*seen.said, *seen.looked.said, *shape.said], [*seen.looked.left_out])
    looked, names = _with_names(seen.looked, shape)
    columns = {**shape.columns, **asked.columns}
    rows, where = _kept(looked, shape, columns, asked, told)
    speakers = None if shape.nobody_named else _speakers(rows, columns, asked, looked.path, told)
    facts = _facts(looked, rows, columns, asked, to)
    path = _as_session(looked.path) if shape.one_session else looked.path
    written = {key: getattr(looked.writing, key) for key in ("delimiter", "encoding", "records", "file_name", "sheet")}
    options: dict[str, Any] = {
        "using": "files" if to == "tune" else "import",
        "path": str(path),
        **written,
        "columns": _columns_for(to, columns),
        "speakers": _alternating(asked, looked.path, told)
        if shape.nobody_named
        else dict(speakers.parts if speakers else {}),
        "where": dict(where),
        "not_text": "drop" if _something_must_go(rows, columns, speakers, shape) else "",
        "factors": dict(facts.factors),
        "labels": dict(facts.labels),
        "controls": CONTROLS if to == "check" else [],
    }
    options = {key: value for key, value in options.items() if value}
    _say_whys(told, options, names, guessed=speakers is not None and speakers.guessed, by_guess=bool(seen.looked.said))
    _say_unused(told, looked, {*columns.values(), *where, *facts.factors.values(), *facts.labels.values()})
    block = Block("corpus", "these", options, told.whys) if to == "tune" else Block("sessions", "", options, told.whys)
    more = f", {counted(len(looked.files), 'file')}" if looked.is_folder else ""
    words = f"{format_of(looked)}: {shape.words}{more}"
    return Proposal(seen.looked.path, to, words, block, tuple(told.said), tuple(told.left_out), facts, scores=scores)


def _speakers(
    rows: Sequence[Row], columns: Mapping[str, str], asked: Directions, path: Path, told: Told
) -> Speakers | None:
    """Who is who; none for a question and an answer as texts, whose speakers need no words."""
    if are_plain_exchanges(rows, columns):
        told.said.append(f"{quoted(columns['question'])} is the patient's, {quoted(columns['answer'])} the therapist's")
        return None
    speakers = speakers_in(rows, columns, asked, path)
    told.said += speakers.reasons
    told.left_out += [f"{counted(turns, 'turn')} of {quoted(word, 24)}" for word, turns in speakers.skipped.items()]
    return speakers


def _something_must_go(
    rows: Sequence[Row], columns: Mapping[str, str], speakers: Speakers | None, shape: RowShape
) -> bool:
    """Whether the study must declare that something is left out: what is no text, a session in which one side says nothing."""
    if shape.nobody_named:
        return False
    return has_no_text(rows, columns) or has_one_sided(rows, columns, speakers.parts if speakers else {})


def _alternating(asked: Directions, path: Path, told: Told) -> list[str]:
    """Who begins and who comes second. Raises SpecError where the user does not say it: nothing in the file does."""
    if not asked.begins:
        what = "turns are listed without their speakers, so that nobody can know who begins: say --begins patient, or --begins therapist"
        raise SpecError.at(path, what)
    told.said.append(f"the {asked.begins} begins each session, as you say, and turns alternate")
    return [asked.begins, "patient" if asked.begins == "therapist" else "therapist"]


def _say_whys(told: Told, options: Mapping[str, Any], names: Sequence[str], *, guessed: bool, by_guess: bool) -> None:
    """The comments behind options that are not plain. by_guess: whether the encoding is a guess."""
    if guessed:
        told.whys["speakers"] = "A GUESS, by who asks more: look"
    if "encoding" in options and by_guess:
        told.whys["encoding"] = "a guess: look at the words"
    if "not_text" in options:
        told.whys["not_text"] = "what is no text, and sessions in which one side says nothing, are left out and counted"
    if "factors" in options and names:
        told.whys["factors"] = "what the names of the files tell; call it what it is"


def _say_unused(told: Told, looked: Looked, used: set[str]) -> None:
    """Columns that nothing is taken from."""
    of_names = looked.writing.file_name
    unused = [one for one in looked.table.columns if one not in used and one != "file" and f"{{{one}}}" not in of_names]
    if unused:
        verb = "is" if len(unused) == 1 else "are"
        told.left_out.append(f"{counted(len(unused), 'column')} that {verb} not read: {some_of(unused)}")


def _with_names(looked: Looked, shape: RowShape) -> tuple[Looked, tuple[str, ...]]:
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
    looked: Looked, shape: RowShape, columns: Mapping[str, str], asked: Directions, told: Told
) -> tuple[Sequence[Row], Mapping[str, str]]:
    """The rows that a study reads, and the `where` that takes them."""
    rows = looked.table.rows
    if asked.where:
        kept = [row for row in rows if all(str(cell(row, name)) == value for name, value in asked.where.items())]
        told.left_out.append(f"{counted(len(rows) - len(kept), 'row')} that --where does not take")
        return kept, asked.where
    chosen = chosen_rows(looked.table, columns) if shape.kind == "turns" and not shape.one_session else None
    if chosen is None:
        return rows, {}
    told.said.append(chosen.said)
    told.left_out.append(chosen.left_out)
    return [
        row for row in rows if all(str(row.cells.get(name)) == value for name, value in chosen.where.items())
    ], chosen.where


def _columns_for(to: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Our names as the stage has them: what a row belongs to is a `transcript` of a corpus."""
    if to == "tune":
        return {("transcript" if ours == "session" else ours): theirs for ours, theirs in columns.items()}
    return {ours: theirs for ours, theirs in columns.items() if ours != "rejected"}


def _facts(looked: Looked, rows: Sequence[Row], columns: Mapping[str, str], asked: Directions, to: str) -> Facts:
    """Factors and labels; for the check of a rater, the one label that tells good from poor."""
    if to == "tune":
        return Facts()
    numbers = {one for one in ("number", "number2", "number3") if f"{{{one}}}" in looked.writing.file_name}
    found = facts_of(looked.table, rows, {**columns, **{one: one for one in numbers}}, asked.label)
    if to != "check":
        return found
    return known_groups(found, asked, looked.path)
