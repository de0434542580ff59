"""What can go wrong, and whose turn it is.

    CbtrunError            the user can mend it: no traceback, exit 2 (or the code the class names)
    ├── SpecError          the study file, or a file it names
    │   ├── ConsentMissing words of real people would have left this machine
    │   └── CopiedRun      a copy of a run folder would have paid for what the original may have paid for
    ├── PluginError        a plugin is unknown, broken or not allowed to load
    ├── ModelError         a model could not be opened, or refused a request for good
    │   └── Refusal        ... and would refuse any other request too
    ├── StageError         a stage cannot go on with what it was given
    │   └── WouldAsk       a stage that is done again from kept replies alone would need a new one
    ├── StatisticsError    the numbers do not fit the method
    └── StopRun            a limit was reached or a server is down; the same command goes on (exit 4)
        ├── AccessRefused  a server takes no call of ours: a key, an address or a setting is wrong (exit 2)
        └── WrongModel     the tuned model that would speak is not the one that was trained (exit 3)

    ServerTrouble          worth another try; never reaches the user as it is
    ├── RateLimited        the server says 429
    └── ServerFault        5xx, timeout, dropped connection, half a body

Anything else is our bug: it crashes loudly with a traceback and exit 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands: a file (or a command-line option) and, where known, line and column from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True)
class Problem:
    """One thing wrong: place, path inside the document (`sessions/using`), and what is wrong and allowed."""

    place: Place
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path}: {self.what}" if self.path else f"{self.place}: {self.what}"


def blame(error: Exception, plugin: str, block: str = "") -> None:
    """Note on an error whose plugin raised it, and for which block; the first note stands."""
    if not any("the plugin `" in note for note in getattr(error, "__notes__", ())):
        error.add_note(
            f"in the block `{block}`, done by the plugin `{plugin}`" if block else f"in the plugin `{plugin}`"
        )


class CbtrunError(Exception):
    """The base of every error the user can mend."""

    exit_code = 2


class SpecError(CbtrunError):
    """One or more problems in a study or in a file it names, all of them at once, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        super().__init__("\n".join([*map(str, self.problems), f"{count}; nothing was run."]))

    @classmethod
    def at(
        cls, file: str | Path, what: str, *, line: int | None = None, column: int | None = None, path: str = ""
    ) -> SpecError:
        """A SpecError of a single problem."""
        return cls([Problem(Place(str(file), line, column), path, what)])


class ConsentMissing(SpecError):
    """Words of real people would have been sent to a remote model without consent. Ends the run: no unit goes on without."""


class CopiedRun(SpecError):
    """The run folder is a copy, and nobody has said yet that it is the one to go on in. Ends the run before a paid call."""


class PluginError(CbtrunError):
    """A plugin is unknown, broken or not allowed to load."""


class ModelError(CbtrunError):
    """A model could not be opened, or refused a request in a way that asking again cannot mend."""


class Refusal(ModelError):
    """A server refuses what any other request to the model would meet too: it knows no such model, address or rubric."""

    def __init__(self, what: str, *, sure: bool = True) -> None:
        """sure: it cannot be about this one request; else it counts once it was met several times."""
        super().__init__(what)
        self.sure = sure


class StageError(CbtrunError):
    """A stage cannot go on with what it was given."""


class WouldAsk(StageError):
    """New code asks what was not asked before: the stage stays as it is until the user says --redo. Ends the stage."""


class StatisticsError(CbtrunError):
    """The numbers do not fit the method: too few, not finite, or the wrong design."""


class StopRun(CbtrunError):
    """A limit was reached or a server is down: what is done is kept and the same command goes on."""

    exit_code = 4


class AccessRefused(StopRun):
    """A server refuses whatever we ask: its key, its address or a setting is wrong. Asking on would only fail on."""

    exit_code = 2


class WrongModel(StopRun):
    """A tuned model that would speak is another one than was trained: nothing is said with it."""

    exit_code = 3


class ServerTrouble(Exception):
    """Something at a server that another try may mend. A model plugin raises it; the runner decides about tries."""


class RateLimited(ServerTrouble):
    """The server says 429."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        """retry_after: seconds that the server asked us to wait; none when it did not say."""
        super().__init__(what)
        self.retry_after = retry_after


class ServerFault(ServerTrouble):
    """The server failed: 5xx, timeout, dropped connection, half a body."""


class NotSent(ServerFault):
    """The server was not reached: for certain it has heard nothing."""
