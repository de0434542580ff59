"""A finished run as a gate sees it: each session's value on an outcome by arm and patient, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cbtrun.contract.digests import digest
from cbtrun.contract.records import Persona, Rating, Session
from cbtrun.errors import StageError
from cbtrun.files.record_list import RecordList
from cbtrun.files.run_folder import RunFolder
from cbtrun.gate.asked import ALL
from cbtrun.ratings.reasons import NOT_APPLICABLE, reason_kind
from cbtrun.ratings.rubric import Rubric
from cbtrun.results.records import Results, results_in
from cbtrun.run.failures import failures_of
from cbtrun.run.inputs import output_path
from cbtrun.scores.as_written import scores_as_written
from cbtrun.scores.making import make_scores
from cbtrun.scores.score import Score
from cbtrun.study.spec import Study

NOT_RATED = "not rated"
FAILED = "the session failed"
NO_SESSION = "no session was held"


@dataclass(frozen=True)
class Value:
    """One session, or one that should have been, on one outcome."""

    unit: str
    """The persona; the session where it has none."""
    session: str
    points: float | None
    """None where it is missing."""
    reason: str = ""
    """Why it is missing."""
    lowest: float | None = None
    """Where it is missing: the lowest that it could be, as far as its items tell."""
    highest: float | None = None
    words: str = ""
    """Digest of what was said."""


@dataclass(frozen=True)
class Place:
    """A session without its words."""

    id: str
    arm: str
    unit: str
    number: int
    repeat: int
    words: str


class JudgedRun:
    """One run folder with results. Raises StageError where it has none, or files are not as cbtrun wrote them."""

    def __init__(self, folder: RunFolder, study: Study) -> None:
        """study: as the run has it."""
        if not folder.results.exists():
            raise StageError(f"{folder.path}: there is no results.json; finish the run first")
        self.folder = folder
        self.study = study

    @cached_property
    def results(self) -> Results:
        """What it found."""
        return results_in(self.folder.results)

    @cached_property
    def places(self) -> list[Place]:
        """Every session that was held."""
        path = output_path(self.folder, "sessions", "")
        return [_place(one) for one in RecordList.read(path, Session)] if path.exists() else []

    @cached_property
    def personas(self) -> dict[str, str]:
        """Patient that sessions are held with -> digest of all that is known of them."""
        path = output_path(self.folder, "personas", self.study.evaluation_set() or "-")
        return {one.id: digest(one) for one in RecordList.read(path, Persona)} if path.exists() else {}

    @property
    def units(self) -> dict[str, str]:
        """Whoever a session was held with -> what must be equal for two runs to share them; sessions without a patient by id."""
        return self.personas | {one.unit: "" for one in self.places if one.unit not in self.personas}

    @property
    def arms(self) -> list[str]:
        """In the study's order; one of all sessions where it has none."""
        return [*self.study.arms] or [ALL]

    def rubrics(self) -> dict[str, Rubric]:
        """Rating set -> its rubric."""
        by_name = self.study.rubrics()
        return {one.name: by_name[one.rubric] for one in self.study.rating_sets.values() if one.rubric in by_name}

    def values(self, outcome: str, arm: str) -> list[Value]:
        """Every session of an arm on an outcome, those of which it was not asked left out, and those that are lacking."""
        name, _, inside = outcome.partition(".")
        scores = self._scores(name).get(inside, {})
        held = [one for one in self.places if one.arm == arm]
        found = [_value(one, scores.get(one.id)) for one in held]
        return [one for one in found if one.reason != NOT_APPLICABLE] + self._lacking(arm, {one.unit for one in held})

    def _scores(self, name: str) -> Mapping[str, Mapping[str, Score]]:
        """Outcome -> session -> score."""
        if name not in self._by_set:
            found: dict[str, dict[str, Score]] = {}
            for one in self._read(name):
                found.setdefault(one.outcome, {})[one.session] = one
            self._by_set[name] = found
        return self._by_set[name]

    @cached_property
    def _by_set(self) -> dict[str, Mapping[str, Mapping[str, Score]]]:
        return {}

    def _read(self, name: str) -> Sequence[Score]:
        written = scores_as_written(self.folder, name)
        path = output_path(self.folder, "ratings", name)
        if written is not None or not path.exists():
            return written or []
        rubric, block = self.rubrics()[name], self.study.rating_sets[name]
        return make_scores(name, RecordList.read(path, Rating), rubric, block.aggregate)

    def _lacking(self, arm: str, held: set[str]) -> list[Value]:
        """Sessions that should have been: units that failed, and patients whom nobody spoke with."""
        units = [one.unit for one in failures_of(self.folder) if one.stage == "sessions"]
        of_arm = [one for one in units if one.partition("/")[0].partition("@")[0] == arm]
        failed = [Value(_patient(one, self.personas), one, None, FAILED) for one in of_arm if "/" in one]
        known = held | {one.unit for one in failed}
        alone = [one for one in self.personas if one not in known] if arm in self.study.arms else []
        return failed + [Value(one, f"{arm}/{one}", None, NO_SESSION) for one in alone]


def missing_words(values: Sequence[Value]) -> str:
    """`2 not rated, 1 the session failed`; empty where nothing is missing."""
    counts = Counter(reason_kind(one.reason) for one in values if one.points is None)
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))


def _place(session: Session) -> Place:
    words = digest([[turn.speaker, turn.text] for turn in session.turns])
    return Place(session.id, session.arm or ALL, session.persona or session.id, session.number, session.repeat, words)


def _value(place: Place, score: Score | None) -> Value:
    if score is None:
        return Value(place.unit, place.id, None, NOT_RATED, words=place.words)
    why = score.reason or ""
    if score.value is None and reason_kind(why) == NOT_APPLICABLE:
        why = NOT_APPLICABLE
    return Value(place.unit, place.id, score.value, why, score.lowest, score.highest, place.words)


def _patient(unit: str, personas: Mapping[str, str]) -> str:
    return next((part for part in unit.split("/")[1:] if part in personas), unit)
