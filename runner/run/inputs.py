"""What the stages have written, read back for the stages that need it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cbtrun.contract.digests import file_digest
from cbtrun.contract.records import Adapter, Comparison, Persona, Rating, Record, Session, Transcript
from cbtrun.contract.stage_kinds import STAGES
from cbtrun.contract.study_view import view_of
from cbtrun.errors import StageError
from cbtrun.files.plain_files import inside
from cbtrun.files.record_list import RecordList
from cbtrun.files.run_folder import RunFolder
from cbtrun.results.records import Results, results_in
from cbtrun.run.tombstones import stood_for, tombstones
from cbtrun.scores.kept import kept_scores
from cbtrun.scores.rated_sets import RatedSet, rated_set
from cbtrun.scores.score import Score
from cbtrun.scores.score_table import ScoreTable

if TYPE_CHECKING:
    from pathlib import Path

    from cbtrun.people.source import PeopleSource
    from cbtrun.ratings.rubric import Rubric

R = TypeVar("R", bound=Record)


def output_path(folder: RunFolder, block: str, name: str) -> Path:
    """The file that holds the output of a stage."""
    return inside(folder.path, STAGES[block].output.format(name=name))


class Inputs:
    """The outputs of earlier stages, read once each."""

    def __init__(
        self,
        folder: RunFolder,
        study: Mapping[str, Any],
        rubrics: Mapping[str, Rubric],
        people: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        """study: the resolved study; rubrics: by the name or path that it uses; people: its blocks with absolute paths."""
        self._folder = folder
        self._study = view_of(study)
        self._rubrics = rubrics
        self._read: dict[tuple[str, str], RecordList[Any]] = {}
        self._scores: dict[str, ScoreTable] = {}
        self._people = people

    def personas(self, name: str) -> RecordList[Persona]:
        """The personas of a set; each is read anew when it is looked at."""
        return self._lines("personas", name, Persona)

    def corpus(self, name: str) -> list[Transcript]:
        """The transcripts of a corpus."""
        return self._records("corpus", name, Transcript)

    def adapters(self, name: str) -> list[Adapter]:
        """The adapters of a tune job."""
        return self._records("tune", name, Adapter)

    def sessions(self) -> RecordList[Session]:
        """Every session; each is read anew when it is looked at."""
        return self._lines("sessions", "", Session)

    def ratings(self, name: str) -> RecordList[Rating]:
        """The ratings of a set; each is read anew when it is looked at."""
        return self._lines("ratings", name, Rating)

    def comparisons(self) -> list[Comparison]:
        """The answers of every analysis that was made."""
        there = [name for name in self._study.analyses if output_path(self._folder, "analysis", name).exists()]
        return [one for name in there for one in self._records("analysis", name, Comparison)]

    def scores(self, name: str) -> ScoreTable:
        """Every score of a rating set; they are made first where they are not those of its ratings."""
        ratings, rating_set = self.ratings(name), self._study.rating_sets[name]
        rubric, aggregate = self.rubric(rating_set.rubric), rating_set.aggregate
        if name not in self._scores:
            # Ratings that lost the words of a forgotten session stand for those that they were.
            of = stood_for(tombstones(self._folder), file_digest(output_path(self._folder, "ratings", name)))
            path = kept_scores(self._folder, name, ratings, of, rubric, aggregate)
            self._scores[name] = ScoreTable(rubric, aggregate, RecordList.read(path, Score))
        return self._scores[name]

    def people(self, name: str, ratings: str) -> PeopleSource:
        """What some people gave. ratings: the rating set whose rubric they used. Raises SpecError for files that do not fit."""
        from cbtrun.people.source import REHEARSED, PeopleSource, read_source

        if self._study.stand_ins:
            return PeopleSource(name, fault=REHEARSED)
        rubric = self.rubric(self._study.rating_sets[ratings].rubric)
        return read_source(name, self._people[name], rubric, self.sessions())

    def rated(self) -> dict[str, RatedSet]:
        """Every rating set that was made, with one value for each session and outcome."""
        sets = self._study.rating_sets.values()
        there = [one for one in sets if output_path(self._folder, "ratings", one.name).exists()]
        return {one.name: rated_set(self.ratings(one.name), self.scores(one.name)) for one in there}

    def results(self) -> Results:
        """What the study found, as results.json has it."""
        return results_in(self._folder.results)

    def rubric(self, name: str) -> Rubric:
        """A rubric by the name or path that the study uses."""
        return self._rubrics[name]

    def forget(self, block: str, name: str) -> None:
        """Read a stage's output again the next time: it was just written."""
        self._read.pop((block, name), None)
        if block == "ratings":
            self._scores.pop(name, None)

    def _records(self, block: str, name: str, kind: type[R]) -> list[R]:
        return list(self._lines(block, name, kind))

    def _lines(self, block: str, name: str, kind: type[R]) -> RecordList[R]:
        if (block, name) not in self._read:
            path = output_path(self._folder, block, name)
            if not path.exists():
                raise StageError(f"{f'{block}.{name}'.rstrip('.')} was not made")
            self._read[block, name] = RecordList.read(path, kind)
        return cast("RecordList[R]", self._read[block, name])
