"""What has to be done about a stage: nothing, its work, its work from kept replies alone, or a word to the user.

Three things decide: whether it was finished for the same study and inputs, whether its output is still as it was written,
and whether the code that decides it is still the same. New code is no reason to pay again: what talks to models is done
again from the journal alone, and what was trained is kept until the user says `--redo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cbtrun.journal.journal import StageMark
from cbtrun.version import __version__

CHANGED = "was changed since it was written"


@dataclass(frozen=True)
class Due:
    """What has to be done, and why where it is not its ordinary work."""

    what: Literal["nothing", "work", "replay", "keep"]
    """`replay`: from kept replies and embedded models; `keep`: nothing, and the user is told."""
    why: str = ""


def due(
    kept: StageMark | None, now: StageMark, output: str | None, *, trains: bool, talks: bool, redo: bool = False
) -> Due:
    """What has to be done about a stage.

    kept: its mark, if it was finished. now: fingerprint and code as they are. output: digest of what lies in the folder.
    trains: it is a training. talks: it asks models. redo: the user wants it done by today's code.
    """
    if redo or kept is None or output is None:
        return Due("work")
    if kept.output != output:
        return Due("work", CHANGED)
    if (
        not kept.code
    ):  # an earlier version noted no code, and its fingerprint had another shape: nothing is paid on a guess
        return Due("replay", f"was made by an earlier version than {__version__}") if talks else Due("work")
    if kept.fingerprint != now.fingerprint:
        return Due("work")
    if kept.code == now.code:
        return Due("nothing")
    made = f"was made by other code (cbtrun {kept.version}, {kept.code[:8]}; now {__version__}, {now.code[:8]})"
    if trains:
        return Due("keep", made)
    return Due("replay", made) if talks else Due("work")
