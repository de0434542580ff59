"""What lies in a run folder, read as it is for its frames: nothing is written, made again or computed a second way."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from cbtrun.contract.records import Failure, Persona, Rating, Record, Session
from cbtrun.contract.stage_kinds import stage_id
from cbtrun.errors import CbtrunError, Place, StageError
from cbtrun.files.record_list import RecordList
from cbtrun.results.records import Results, results_in
from cbtrun.run.failures import failures_of
from cbtrun.run.inputs import output_path
from cbtrun.run.run_list import stages_of
from cbtrun.run.study_lock import lock_of
from cbtrun.scores.as_written import scores_as_written
from cbtrun.scores.score import Score

if TYPE_CHECKING:
    from cbtrun.contract.labels import Labels
    from cbtrun.contract.study_view import StudyView
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.ratings.rubric import Rubric

R = TypeVar("R", bound=Record)


class IncompleteRun(UserWarning):
    """What was asked for is not all there: a run with failed units or scores that nobody gave, a rating set not made yet."""


class RunRecords:
    """The records of one run folder. Raises StageError for a file that is not as cbtrun wrote it, with its line."""

    def __init__(self, folder: RunFolder) -> None:
        """The folder as it is now; a run that is at work in it adds to it."""
        self.folder = folder
        self.lock = lock_of(folder)
        """study.lock.yaml."""

    @cached_property
    def study(self) -> StudyView:
        """The study as it ran, in the form that this version gives it."""
        from cbtrun.contract.study_view import StudyView
        from cbtrun.study.earlier_forms import modernised
        from cbtrun.study.spec import node_of

        node, _ = modernised(node_of(self.lock.get("resolved") or {}, Place(str(self.folder.lock_file))))
        return StudyView(node.plain())

    @cached_property
    def failures(self) -> list[Failure]:
        """What the last run could not finish."""
        return failures_of(self.folder)

    @cached_property
    def results(self) -> Results | None:
        """What the study found; none where the run has not come so far."""
        return results_in(self.folder.results) if self.folder.results.exists() else None

    @cached_property
    def labels(self) -> Labels:
        """What the report calls arms, levels and items."""
        from cbtrun.contract.labels import labels_of

        own = {name: {one.id: one.label for one in rubric.items if one.label} for name, rubric in self.rubrics.items()}
        return labels_of(self.study, own)

    @cached_property
    def rubrics(self) -> Mapping[str, Rubric]:
        """Rating set -> its rubric, of those whose file is at hand and is still the one that was rated with."""
        from cbtrun.ratings.rubric import rubric_digest
        from cbtrun.registry import load_registry
        from cbtrun.run.study_lock import study_of_run

        digests = {name: one.rubric.digest for name, one in (self.results.ratings if self.results else {}).items()}
        try:
            files = study_of_run(self.folder, load_registry()).rubrics()
        except CbtrunError:  # a rubric that is gone, a plugin that is not installed here
            return {}
        sets = {name: files.get(one.rubric) for name, one in self.study.rating_sets.items()}
        return {
            name: rubric
            for name, rubric in sets.items()
            if rubric is not None and digests.get(name, rubric_digest(rubric)) == rubric_digest(rubric)
        }

    @cached_property
    def persona_ids(self) -> frozenset[str]:
        """Ids of everybody who is in a persona set."""
        paths = [output_path(self.folder, "personas", name) for name in self.study.personas]
        return frozenset(one.id for path in paths if path.exists() for one in RecordList.read(path, Persona))

    @cached_property
    def session_ids(self) -> list[str]:
        """Ids of the sessions that were held, in their order; none where there are none yet."""
        path = output_path(self.folder, "sessions", "")
        return [one.id for one in RecordList.read(path, Session)] if path.exists() else []

    def sessions(self) -> Sequence[Session]:
        """Every session that was held."""
        return self._records("sessions", "", Session) if self.study.blocks("sessions") else []

    def rated_sets(self) -> list[str]:
        """The rating sets that were made, or failed. Warns of others; raises StageError where there is none of several."""
        asked = [*self.study.rating_sets]
        there = [name for name in asked if self._is_over("ratings", name)]
        lacking = [f"ratings.{name}" for name in asked if name not in there]
        if lacking and not there:
            raise self._not_made(lacking[0])
        if lacking:
            warnings.warn(
                IncompleteRun(f"{self.folder.path}: {', '.join(lacking)} not made yet: left out"), stacklevel=2
            )
        return there

    def ratings(self, name: str) -> Sequence[Rating]:
        """The ratings of a set."""
        return self._records("ratings", name, Rating)

    def scores(self, name: str) -> Sequence[Score]:
        """The scores of a set as the run wrote them; made from its ratings where it has not, or somebody changed the file."""
        from cbtrun.scores.making import make_scores

        if (written := scores_as_written(self.folder, name)) is not None:
            return written
        ratings = self.ratings(name)
        if not ratings:
            return []
        if name not in self.rubrics:
            raise StageError(
                f"{self.folder.path}: scores/{name}.jsonl is not as the run wrote it, and the rubric that it is made with is "
                "not at hand; run the study again"
            )
        return make_scores(name, ratings, self.rubrics[name], self.study.rating_sets[name].aggregate)

    def made_results(self) -> Results:
        """What the study found. Raises StageError where the run has not come so far."""
        if self.results is None:
            raise self._not_made("results")
        return self.results

    def _records(self, block: str, name: str, kind: type[R]) -> Sequence[R]:
        """A stage's records; none where it failed as a whole. Raises StageError where it was not done yet."""
        path = output_path(self.folder, block, name)
        if path.exists():
            return RecordList.read(path, kind)
        if self._is_over(block, name):
            return []
        raise self._not_made(stage_id(block, name))

    def _is_over(self, block: str, name: str) -> bool:
        """Whether a stage has written something, or has failed as a whole."""
        stage = stage_id(block, name)
        return output_path(self.folder, block, name).exists() or any(one.stage == stage for one in self.failures)

    def _not_made(self, stage: str) -> StageError:
        _, to_do = stages_of(self.folder)
        which = f" (to do: {', '.join(to_do)})" if to_do else ""
        return StageError(
            f"{self.folder.path}: {stage} was not made yet{which}; the command that began the run goes on"
        )
