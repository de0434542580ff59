"""What was left out of sessions, by reason: nothing of a file goes without being counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cbtrun.plugin import Session

WHERE = "rows left out by `where`"


class LeftOutWhole(Exception):
    """A session of which nothing can be used, for a reason: only where the study lets such go (`not_text: drop`)."""


@dataclass
class LeftOut:
    """What was left out of one session."""

    empty: int = 0
    thoughts: int = 0
    skipped: int = 0
    pairs: int = 0
    not_text: Counter[str] = field(default_factory=Counter)

    def flags(self) -> tuple[str, ...]:
        """In the words that report and terminal show, `WHY: COUNT`."""
        counts = {
            "empty turns left out": self.empty,
            "thoughts taken out of turns": self.thoughts,
            "turns of skipped speakers left out": self.skipped,
            "rejected turns left out that answer something else": self.pairs,
            **{f"turns that are {kind} left out": count for kind, count in sorted(self.not_text.items())},
        }
        return tuple(f"{why}: {count}" for why, count in counts.items() if count)


def left_out(sessions: Sequence[Session], besides: Counter[str] | None = None) -> dict[str, int]:
    """The sessions' counts together, with those of rows and sessions that are no session's; flags are `WHY: COUNT`."""
    counts = Counter(besides)
    for flag in (flag for one in sessions for flag in one.flags):
        why, _, count = flag.rpartition(": ")
        counts[why] += int(count)
    return dict(sorted(counts.items()))
