"""The therapist's last turn that was liked less, out of a pair: a text, a list of messages, or text with speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cbtrun.plugin import TableRow as Row
from cbtrun.plugin import Turn
from cbtrun.plugins.transcripts.cells import at_row, cell
from cbtrun.plugins.transcripts.left_out import LeftOut
from cbtrun.plugins.transcripts.lines import is_messages, is_spoken, messages_of
from cbtrun.plugins.transcripts.said import NotText, said_in
from cbtrun.plugins.transcripts.speakers import parts_of


def rejected_turn(
    id_: str, rows: Sequence[Row], chosen: Sequence[Turn], options: Mapping[str, Any], source: object, tally: LeftOut
) -> str:
    """The text of it; empty without. chosen: the session's turns, which end with the one that was preferred.

    Both answer the same: where the liked less is a whole conversation, it must say the same before its last turn. Raises
    SpecError, or counts it where the study says `not_text: drop`.
    """
    column = options["columns"].get("rejected")
    held = {str(cell(row, column)): row for row in rows if cell(row, column) is not None} if column else {}
    if not held:
        return ""
    row = next(iter(held.values()))
    if len(held) > 1:
        raise at_row(source, row, f"session '{id_}': column '{column}' has several values")
    try:
        before, text = _turns(id_, row, str(column), options, source)
    except NotText as error:
        if options.get("not_text") == "drop":
            tally.not_text[str(error)] += 1
            return ""
        raise at_row(source, row, f"session '{id_}': column '{column}' holds {error}, not a text") from None
    if not text:
        return ""
    if chosen[-1].speaker != "therapist":
        what = f"session '{id_}': it ends with the patient; a pair ends with the therapist's turn that was preferred"
        raise at_row(source, row, what)
    if before and before != [(turn.speaker, turn.text) for turn in chosen[:-1]]:
        if options.get("not_text") == "drop":
            tally.pairs += 1
            return ""
        what = f"session '{id_}': column '{column}' says something else than the session before its last turn"
        raise at_row(
            source, row, f"{what}, so that both do not answer the same (`not_text: drop` leaves such pairs out)"
        )
    return text


def _turns(
    id_: str, row: Row, column: str, options: Mapping[str, Any], source: object
) -> tuple[list[tuple[str, str]], str]:
    """What is said before the last turn of the therapist, if anything, and that turn; empty without one."""
    value = cell(row, column)
    if not is_messages(value, options) and not is_spoken(row, value, options):
        return [], said_in(value).text
    lines = list(messages_of(row, column, options, source, f"session '{id_}': "))
    parts = parts_of(id_, lines, options, source)
    said = [(part, said_in(line.content).text) for part, line in zip(parts, lines, strict=True) if part != "skip"]
    said = [(part, text) for part, text in said if text]
    if not said or said[-1][0] != "therapist":
        what = f"session '{id_}': column '{column}' does not end with a turn of the therapist"
        raise at_row(source, row, what)
    return said[:-1], said[-1][1]
