"""What a run says while it works: how far each stage is, to observers, to the log and to whoever asks for its status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from typing import TYPE_CHECKING

from cbtrun.contexts import StageContext, StageNote
from cbtrun.contract.pace import Counted
from cbtrun.run.running import ProgressFile

if TYPE_CHECKING:
    from cbtrun.calls.tally import Tally
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.run.run_log import RunLog
    from cbtrun.study.graph import Stage


class Telling:
    """The voice of one run; several threads may speak."""

    def __init__(self, folder: RunFolder, registry: Registry, books: RLock, *, rehearsal: bool) -> None:
        self._folder, self._registry, self.books, self._rehearsal = folder, registry, books, rehearsal
        self._progress = ProgressFile(folder.progress)
        self.log: RunLog | None = None
        """Where stages, warnings and failures are noted; none where nobody is to look them up."""
        self.to_come: dict[str, None] = {}
        """Ids of the stages that were not looked at yet, in their order."""
        self.elsewhere: Callable[[], str] | None = None
        """What is at work on other machines, in words; none where all is here."""

    def tell(self, note: StageNote, observer: str) -> None:
        """Say how far a stage is. observer: the hook that hears it."""
        self._folder.check_hold()  # before anything is written where the folder was
        with self.books:
            self.to_come.pop(note.stage, None)
            note = replace(note, to_come=tuple(self.to_come), usd=0.0 if self._rehearsal else note.usd)
            self._registry.tell(observer, note)
            if self.log is not None and observer != "stage_advanced":
                clock = self._progress.running.clocks.get(note.stage)
                self.log.note(note, clock.seconds() if clock else 0.0)
            self._progress.show(note)

    def teller(self, stage: Stage, tally: Tally, context: StageContext) -> Callable[[int, int | None, str], None]:
        """What a stage's context tells its units to: done, in all (none where that is not known), more in words."""
        steady = Counted()

        def advanced(done: int, total: int | None, detail: str) -> None:
            there = self.elsewhere() if self.elsewhere is not None and stage.block not in ("analysis", "report") else ""
            told = "; ".join(part for part in (detail, there) if part)
            note = note_of(stage, "running", done, tally, total, told)
            pace = context.pace
            counted, left = (pace.counted, pace.left()) if pace is not None else ("", steady.left(done, total))
            self.tell(replace(note, counted=counted, left=left), "stage_advanced")

        return advanced


def note_of(stage: Stage, state: str, done: int, tally: Tally, total: int | None = None, detail: str = "") -> StageNote:
    """How far a stage is, with what its calls came to."""
    tokens = tally.tokens_in + tally.tokens_out
    moved = f"{tally.moved.total()} calls moved to another engine or server" if tally.moved else ""
    detail = "; ".join(part for part in (detail, moved, *tally.waits.values()) if part)
    return StageNote(
        stage.id, state, done, total, detail, tally.made, tally.replayed, tokens, tally.usd, tally.retries.total()
    )
