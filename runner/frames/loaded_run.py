"""A run as Python sees it: its data frames, and what stands around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from cbtrun.errors import StageError
from cbtrun.frames.door import at_the_door, shown
from cbtrun.frames.frame_columns import frame_columns
from cbtrun.frames.frame_table import table_of
from cbtrun.frames.library import Library, data_frame

if TYPE_CHECKING:
    from cbtrun.frames.run_records import RunRecords
    from cbtrun.results.records import Results

F = TypeVar("F")
"""The data frame of the library: pandas.DataFrame or polars.DataFrame."""
Rows = Callable[[], Iterable[Mapping[str, Any]]]


class Run(Generic[F]):
    """A run of a study. `load_run` and `run` give it; docs/python.md has every frame with its columns.

    Each frame is read when it is first looked at and kept then: a change of yours in it is yours alone. A run that is
    still at work is loaded again to see more. Raises StageError for what was not made yet, or is not as cbtrun wrote it.
    """

    def __init__(
        self, path: Path, rows: Mapping[str, Rows], library: Library, records: RunRecords | None = None
    ) -> None:
        """path: the run folder, or an export. rows: frame -> its rows. records: of the folder; none for an export."""
        self.path = path
        """The run folder, or the export."""
        self._rows, self._library, self._records = rows, library, records
        self._frames: dict[str, F] = {}
        self.ended: Mapping[str, Any] | None = None
        """How the run ended that `cbtrun.run` made, as `cbtrun run --json` says it; none for one that was loaded."""

    @property
    def sessions(self) -> F:
        """A row a session that was held; at the end one for each unit that failed. `session` is the key of all frames."""
        return self._frame("sessions")

    @property
    def turns(self) -> F:
        """A row a turn: who spoke, and what."""
        return self._frame("turns")

    @property
    def ratings(self) -> F:
        """A row an item of each rating: score or reason, rationale, evidence."""
        return self._frame("ratings")

    @property
    def scores(self) -> F:
        """A row a session and outcome: the value that analyses use, or why there is none."""
        return self._frame("scores")

    @property
    def groups(self) -> F:
        """A row an outcome and level: n, mean with its interval, what is missing."""
        return self._frame("groups")

    @property
    def comparisons(self) -> F:
        """A row a declared comparison: estimate with its interval, effect size, p."""
        return self._frame("comparisons")

    @property
    def calls(self) -> F:
        """A row a reply of a model: tokens, cost, time; then a row a call that failed."""
        return self._frame("calls")

    @property
    def failures(self) -> F:
        """A row a unit that could not be finished, of whatever stage."""
        return self._frame("failures")

    @property
    def training_steps(self) -> F:
        """A row a step of a training by reinforcement: reward, witnesses, KL; no rows where nothing learnt so."""
        return self._frame("training_steps")

    @property
    def name(self) -> str:
        """Of the study; of an export its file's."""
        return str(self._records.lock.get("study") or self.path.name) if self._records else self.path.name

    @property
    def state(self) -> str:
        """`finished`, `not finished` or `running`, as `cbtrun status` has it, now; `export` for an export."""
        if self._records is None:
            return "export"
        from cbtrun.run.run_list import run_state

        return run_state(self._records.folder.path).state

    @property
    def to_do(self) -> tuple[str, ...]:
        """Ids of the stages that are not done, now; a stage with failed units is not."""
        from cbtrun.run.run_list import stages_of

        return tuple(stages_of(self._of_folder("stages").folder)[1])

    @property
    def study(self) -> dict[str, Any]:
        """The study as it ran, defaults filled in: `resolved` of study.lock.yaml."""
        return dict(self._of_folder("study").study)

    @cached_property
    def results(self) -> dict[str, Any]:
        """results.json: all that was found, every test and effect size too; schemas/results.schema.json describes it."""
        from cbtrun.results.records import results_document

        found: Results = self._of_folder("results").made_results()
        return results_document(found)

    @property
    def report(self) -> Path | None:
        """The report's page; none where there is none."""
        page = self._of_folder("report").folder.path / "report.html"
        return page if page.is_file() else None

    def _frame(self, name: str) -> F:
        if name not in self._frames:
            if name not in self._rows:
                raise StageError(
                    f"{self.path}: an export holds calls alone, no {name}; load the folder of a run for them"
                )
            with at_the_door():
                self._frames[name] = cast(F, data_frame(table_of(name, self._rows[name]()), self._library))
        return self._frames[name]

    def _of_folder(self, what: str) -> RunRecords:
        if self._records is None:
            raise StageError(f"{self.path}: an export holds calls alone, no {what}; load the folder of a run for it")
        return self._records

    def __repr__(self) -> str:
        there = [name for name in frame_columns() if name in self._rows]
        return f"<Run {shown(self.name)!r} in {self.path}: {self.state}; {self._library} frames {', '.join(there)}>"
