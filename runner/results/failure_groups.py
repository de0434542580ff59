"""Units that could not be finished, told by kind: a hundred failures that say the same are one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cbtrun.calls.breaker import kind_of
from cbtrun.contract.records import Failure

WORDS = {"sessions": "sessions", "ratings": "ratings", "personas": "personas", "corpus": "transcripts"}
"""Block -> what its units are."""


@dataclass(frozen=True)
class FailureGroup:
    """Failures of one stage that say the same."""

    stage: str
    units: tuple[str, ...]
    reason: str
    """Of the first: others may differ in numbers and ids of requests."""

    def __str__(self) -> str:
        """In words: one unit by its name, several by their number."""
        who = self.units[0] if len(self.units) == 1 else self._many()
        return f"{self.stage}{_spaced(who, len(self.units))}: {self.reason}"

    def _many(self) -> str:
        block = self.stage.partition(".")[0]
        if block == "ratings":  # a unit is one rating: by whom, and which
            sessions = {unit.rpartition(", rater ")[0] for unit in self.units}
            if len(sessions) == len(self.units):
                return f"{len(sessions)} sessions"
        return f"{len(self.units)} {WORDS.get(block, 'units')}"


def failure_groups(failures: Sequence[Failure]) -> list[FailureGroup]:
    """Failures by stage and kind, in the order in which they came."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        groups.setdefault((failure.stage, kind_of(failure.reason)), []).append(failure)
    return [
        FailureGroup(stage, tuple(one.unit for one in group), group[0].reason) for (stage, _), group in groups.items()
    ]


def _spaced(who: str, count: int) -> str:
    return f": {who}" if count > 1 else f" {who}" if who else ""
