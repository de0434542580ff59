"""Who speaks a line: by the file's word for a speaker, or by the order in which speakers begin in each conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from cbtrun.plugin import told
from cbtrun.plugins.transcripts.cells import at_row
from cbtrun.plugins.transcripts.lines import Line

USUAL_SPEAKERS = {
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "therapist", "counselor", "counsellor"), "therapist"),
    **dict.fromkeys(("user", "human", "patient", "client", "seeker"), "patient"),
    **dict.fromkeys(("system", "tool", "function", "developer"), "skip"),
}
"""What `speakers` is for rows of a question and an answer where the study does not say it."""
SKIP, TEXT = "skip", "text"
"""A part that is left out, and one that goes on with the turn before: its word is no speaker."""


def parts_of(id_: str, lines: Sequence[Line], options: Mapping[str, Any], source: object) -> list[str]:
    """`therapist`, `patient`, `skip` or `text` of each line. Raises SpecError for a speaker whom the study does not map."""
    speakers = options.get("speakers") or USUAL_SPEAKERS
    if isinstance(speakers, Mapping):
        mapped = {str(name): str(part) for name, part in speakers.items()}
        own = {"therapist": "therapist", "patient": "patient"} if "answer" in options["columns"] else {}
        column = options["columns"].get("speaker")
        nobody = f"no speaker in column '{column}'" if column else "no speaker is named"
        return [_part(line, mapped, own) or _unknown(id_, line, mapped, nobody, source) for line in lines]
    return _by_order(id_, lines, list(speakers), source)


def _part(line: Line, mapped: Mapping[str, str], own: Mapping[str, str]) -> str | None:
    return mapped.get(line.speaker) or own.get(line.speaker) or _same_number(line.speaker, mapped)


def _unknown(id_: str, line: Line, mapped: Mapping[str, str], nobody: str, source: object) -> NoReturn:
    if not line.speaker:
        way_out = "leaves such turns out and counts them, and `text` lets them go on with the turn before"
        raise at_row(source, line.row, f"session '{id_}': {nobody}; `\"\": skip` in `speakers` {way_out}")
    what = f"session '{id_}': unknown speaker {told(line.speaker)}; `speakers` maps: {', '.join(mapped)}"
    raise at_row(source, line.row, what)


def _same_number(word: str, mapped: Mapping[str, str]) -> str | None:
    """The part of a speaker who is a number in another spelling: 1.0 where the study maps 1."""
    try:
        number = float(word)
        return next((part for name, part in mapped.items() if name.isdecimal() and int(name) == number), None)
    except ValueError:
        return None


def _by_order(id_: str, lines: Sequence[Line], order: Sequence[str], source: object) -> list[str]:
    """The first who speaks is the first of the order; where nobody is named at all, turns alternate."""
    own = [line.speaker for line in lines]
    if not any(own):
        return [order[at % len(order)] for at in range(len(lines))]
    heard = list(dict.fromkeys(own))
    for line in lines:
        if not line.speaker:
            raise at_row(source, line.row, f"session '{id_}': no speaker is named, and others of its turns have one")
        if heard.index(line.speaker) >= len(order):
            what = (
                f"session '{id_}': {told(line.speaker)} is speaker {heard.index(line.speaker) + 1} of this conversation"
            )
            raise at_row(
                source, line.row, f"{what}, and `speakers` names {len(order)} by their order: {', '.join(order)}"
            )
    return [order[heard.index(name)] for name in own]
