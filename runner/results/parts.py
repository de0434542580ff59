"""Results are made part by part: one that fails by a fault of ours is left out and told, and loses no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cbtrun.contract.records import Failure

T = TypeVar("T")
STAGE = "results"
"""Under which a part that could not be made is counted."""


@dataclass
class Parts:
    """What could not be made so far, and why."""

    failures: list[Failure] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    """To be raised once everything else is written."""

    def make(self, part: str, make: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
        """A part, or nothing. Every call was paid for by now: no fault may cost the other parts."""
        try:
            return make()
        except Exception as error:
            self.failures.append(Failure(stage=STAGE, unit=part, reason=f"{type(error).__name__}: {error}"))
            self.lose(part, error)
            return ()

    def lose(self, part: str, error: Exception) -> None:
        """Note the error of a part that is told of elsewhere."""
        error.add_note(f"{part} could not be made; everything else of the results was written")
        self.errors.append(error)

    def raise_first(self) -> None:
        """Raises the first error, if there is one."""
        if self.errors:
            raise self.errors[0]
