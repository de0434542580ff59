"""What a model was asked for a turn, and what it replied: shown by `cbtrun view` on request, and nowhere else.

The journal keeps replies and a digest of each request. The request is made again from the study, the persona and the turns
before, as the dialogue makes it; notes that a reminder or a closing ritual adds to the last message are told, not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cbtrun.plugin import (
    CbtrunError,
    KeptReply,
    Persona,
    RunFolder,
    Session,
    StageError,
    StudyView,
    replies_about,
    view_of,
)
from cbtrun.plugins.dialogue.prompts import patient_system, therapist_system, view
from cbtrun.plugins.report.page import calls_template
from cbtrun.plugins.report.plain_text import plain
from cbtrun.plugins.report.run_files import RunFiles
from cbtrun.plugins.report.thinking_page import shows_words


@dataclass(frozen=True)
class TurnCall:
    """One turn with its request and its replies."""

    number: int
    speaker: str
    request: tuple[tuple[str, str], ...]
    """(role, words); empty for sessions that no model held here."""
    replies: tuple[tuple[str, str], ...]
    """(what is known of the reply, its words)."""


def calls_page(run: RunFiles, number: str, wanted: str) -> str | None:
    """The page of one session by its id, or without one the list of all; none for an unknown session.

    Raises StageError where the run's own report shows no words of its sessions.
    """
    if not shows_words(run):
        raise StageError("the report of this run shows no words of its sessions, and so no request or reply")
    sessions = run.sessions()
    listed = [plain(one.id) for one in sessions]
    session = next((one for one in sessions if plain(one.id) == wanted), None)
    if not wanted:
        return calls_template(run=run, number=number, listed=listed, session=None, turns=())
    if session is None:
        return None
    kept = replies_about(RunFolder(run.folder).journal, session.id, *([session.persona] if session.persona else []))
    turns = turn_calls(view_of(run.study), run.persona(session.persona), session, kept)
    return calls_template(run=run, number=number, listed=(), session=plain(session.id), turns=turns)


def turn_calls(
    study: StudyView, persona: Persona | None, session: Session, kept: Sequence[KeptReply]
) -> list[TurnCall]:
    """Every turn with what its speaker's model was asked and replied."""
    mine = [one for one in kept if one.arm in ("", session.arm)]
    found = []
    for at, turn in enumerate(session.turns):
        system = _system(study, persona, session, turn.speaker)
        asked = () if system is None else view(turn.speaker, system, session.turns[:at])
        replies = [
            one for one in mine if one.role == turn.speaker and turn.text and one.text.strip().startswith(turn.text)
        ]
        found.append(
            TurnCall(
                at + 1,
                turn.speaker.capitalize(),
                tuple((one.role, plain(one.content)) for one in asked),
                tuple((_known(one), plain(one.text)) for one in replies),
            )
        )
    return found


def _system(study: StudyView, persona: Persona | None, session: Session, speaker: str) -> str | None:
    """The instruction of a side; none where no dialogue of ours made it, or a course added what earlier sessions left."""
    arm, options = study.arms.get(session.arm or ""), study.sessions.options
    if study.sessions.using != "dialogue" or arm is None or session.number > 1:
        return None
    turns = study.sessions.max_turns or 24
    try:
        if speaker == "therapist":
            return therapist_system(arm.system or str(options.get("system", "")), turns)
        return patient_system(str(options.get("patient_system", "")), persona, turns) if persona else None
    except CbtrunError:  # a template of somebody's that can no longer be filled
        return None


def _known(one: KeptReply) -> str:
    when = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%M:%S") if one.at else ""
    served = f"answered as {one.served}" if one.served else ""
    counts = f"{one.tokens_in} tokens in, {one.tokens_out} out, {one.finish}, {one.seconds:.2f} s"
    parts = (f"model {one.model}", served, counts, when, f"request {one.key[:16]}")
    return plain("; ".join(part for part in parts if part))
