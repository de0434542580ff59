"""What models thought, beside the turns that they said: shown by `cbtrun view` on request, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cbtrun.plugin import RunFolder, Session, StageError, Thought, thinkers, thoughts_about
from cbtrun.plugins.report.notices import HIDDEN_WORDS
from cbtrun.plugins.report.page import thinking_template
from cbtrun.plugins.report.plain_text import plain
from cbtrun.plugins.report.run_files import RunFiles


@dataclass(frozen=True)
class ThoughtTurn:
    """A turn, and what stood before it."""

    number: int
    speaker: str
    text: str
    thoughts: tuple[tuple[int, str], ...]
    """(tokens, words) of each reply with thoughts whose words the turn has."""


@dataclass(frozen=True)
class RatedThought:
    """What a rater thought about the session."""

    model: str
    tokens: int
    words: str


def thinking_page(run: RunFiles, number: str, wanted: str) -> str | None:
    """The page of one session by its id, or without one the list of all that have thoughts; none for an unknown session.

    Raises StageError where the run's own report shows no words of its sessions.
    """
    if not shows_words(run):
        raise StageError("the report of this run shows no words of its sessions, and so nothing of what was thought")
    journal, sessions = RunFolder(run.folder).journal, run.sessions()
    if not wanted:
        thought_about = thinkers(journal)
        listed = [plain(one.id) for one in sessions if {one.id, one.persona} & thought_about]
        return thinking_template(run=run, number=number, listed=listed, session=None, turns=(), rated=())
    session = next((one for one in sessions if plain(one.id) == wanted), None)
    if session is None:
        return None
    found = thoughts_about(journal, session.id, *([session.persona] if session.persona else []))
    rated = [RatedThought(plain(one.model), one.tokens, plain(one.thinking)) for one in found if one.role == "rater"]
    turns = thought_turns(session, found)
    return thinking_template(run=run, number=number, listed=(), session=plain(session.id), turns=turns, rated=rated)


def thought_turns(session: Session, found: Sequence[Thought]) -> list[ThoughtTurn]:
    """The turns of a session with the thoughts of those replies that they are; a turn may have lost its end mark."""
    return [
        ThoughtTurn(
            number,
            turn.speaker.capitalize(),
            plain(turn.text),
            tuple(
                dict.fromkeys(
                    (one.tokens, plain(one.thinking))
                    for one in found
                    if one.role == turn.speaker and turn.text and one.text.strip().startswith(turn.text)
                )
            ),
        )
        for number, turn in enumerate(session.turns, start=1)
    ]


def shows_words(run: RunFiles) -> bool:
    """Whether the run's own report shows what was said: where it does not, real people may be in it."""
    report = run.study.get("report")
    option = report.get("transcripts") if isinstance(report, dict) else None
    if isinstance(option, bool):
        return option
    page = Path(run.folder) / "report.html"
    if page.is_file():
        return HIDDEN_WORDS not in page.read_text(encoding="utf-8", errors="replace")
    return run.study.get("contains") == "none"
