"""What has to be done about a stage: nothing, its work, its work from kept replies alone, or a word to the user.

Three things decide: whether it was finished for the same study and inputs, whether its output is still as it was written,
and whether the code that decides it is still the same. New code is no reason to pay again: what talks to models is done
again from the journal alone, and what was trained is kept until the user says `--redo`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cbtrun.journal.journal import StageMark
from cbtrun.version import __version__

CHANGED = "what it had written was changed since"
STUDY_CHANGED = "what the study says for it, or what it reads, has changed"
MISSING = "what it had written is missing"
REPLAYED = "replayed "
"""Before the code of a stage that was answered from the journal alone, its models not opened."""


@dataclass(frozen=True)
class Due:
    """What has to be done, and why where it is not its ordinary work."""

    what: Literal["nothing", "work", "replay", "keep"]
    """`replay`: from kept replies and embedded models; `keep`: nothing, and the user is told."""
    why: str = ""


@dataclass(frozen=True)
class Asked:
    """What else decides what is due about a stage."""

    trains: bool = False
    """It is a training."""
    talks: bool = False
    """It asks models."""
    redo: bool = False
    """The user wants it done by today's code."""
    same_study: bool = False
    """The study says what it said when the run folder was last used."""


def due(kept: StageMark | None, now: StageMark, output: str | None, asked: Asked) -> Due:
    """What has to be done about a stage.

    kept: its mark, if it was finished. now: fingerprint and code as they are. output: digest of what lies in the folder.
    """
    if asked.redo:
        return Due("work", "--redo")
    if kept is None:
        return Due("work")
    if output is None:
        return Due("work", MISSING)
    if kept.output != output:
        return Due("work", CHANGED)
    if (
        not kept.code
    ):  # an earlier version noted no code, and its fingerprint had another shape: nothing is paid on a guess
        made = f"was made by an earlier version than {__version__}"
        return Due("replay" if asked.talks else "work", made)
    if kept.fingerprint != now.fingerprint:
        if not asked.same_study or (kept.version, kept.code) == (__version__, now.code):
            return Due("work", STUDY_CHANGED)
    elif kept.code == now.code:
        return Due("nothing")
    if kept.code.startswith(REPLAYED):
        return _not_paid_again("was replayed from its journal, without its models", asked)
    made = f"was made by other code (cbtrun {kept.version}, {kept.code[:8]}; now {__version__}, {now.code[:8]})"
    return _not_paid_again(made, asked)


def as_offline(kept: StageMark | None) -> StageMark | None:
    """A mark as an offline run sees it, to which a stage that was replayed is as good as one that was made."""
    return None if kept is None else replace(kept, code=kept.code.removeprefix(REPLAYED))


def _not_paid_again(why: str, asked: Asked) -> Due:
    """What costs nothing is done again, what was trained is kept, what talks to models is done from kept replies."""
    if asked.trains:
        return Due("keep", why)
    return Due("replay" if asked.talks else "work", why)


WAYS = {
    "work": "will be done again",
    "replay": "will be done again from kept replies, without a new call",
    "keep": "will be kept as it is",
}


def foreseen_line(stage: str, wanted: Due, again: Sequence[str]) -> str:
    """A line on a finished stage that is not left as it is; empty where it is, as far as can be told beforehand.

    again: those of the stages that it reads which are done again.
    """
    if wanted.what in WAYS:
        it = "it " if wanted.why.startswith("was ") else ""
        return f"{stage} {WAYS[wanted.what]}: {it}{wanted.why}"
    return f"{stage} will be done again if {' or '.join(again)} comes out otherwise" if again else ""
