"""Scores are made once, kept as a file, and read once by whoever needs them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cbtrun.analysis.block import outcome_tables
from cbtrun.contract.records import Rating, Record, Session
from cbtrun.contract.study_view import StudyView
from cbtrun.files.record_list import RecordList, packed_line
from cbtrun.files.run_folder import RunFolder
from cbtrun.ratings.rubric import Rubric
from cbtrun.results.build import build_results
from cbtrun.run.tombstones import silent_rating
from cbtrun.scores.kept import kept_scores
from cbtrun.scores.making import make_scores
from cbtrun.scores.rated_sets import rated_set
from cbtrun.scores.score import Score
from cbtrun.scores.score_table import ScoreTable
from tests.helpers.rating_fakes import RUBRIC, a_session, score_table
from tests.helpers.totalled import MEAN, rating

NAMES = [f"s{at}" for at in range(6)]


class Counted(RecordList[Any]):
    """Records that count how often each was looked at."""

    def __init__(self, kind: type[Record], records: Iterable[Record]) -> None:
        super().__init__(kind, RecordList.unpack(kind, [packed_line(one) for one in records]).lines)
        self.looks: Counter[int] = Counter()

    def __getitem__(self, index: Any) -> Any:
        self.looks.update(range(len(self))[index] if isinstance(index, slice) else [index])
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[Any]:
        return (self[at] for at in range(len(self)))


def sessions() -> Counted:
    """Three personas, each at two levels."""
    return Counted(Session, (a_session(id=id, draw=id, persona=f"p{at // 2}", factors={"t": "ab"[at % 2]}) for at, id in enumerate(NAMES)))  # fmt: skip


def ratings(rubric: Rubric = RUBRIC) -> list[Rating]:
    """Two raters; one item of one session has no score."""
    gap = "not found"
    return [
        rating(gap if id == "s3" and rater == "b" else at, 6 - at, session=id, rater=rater, rubric=rubric)
        for at, id in enumerate(NAMES)
        for rater in "ab"
    ]


def test_an_analysis_with_items_reads_each_session_and_each_score_at_most_once() -> None:
    given, rated = sessions(), Counted(Rating, ratings())
    scores = Counted(Score, make_scores("s", rated, RUBRIC))
    context: Any = SimpleNamespace(
        options={"outcome": "s.total", "items": True, "where": {"t": ["a", "b"]}, "by": "t"},
        study=StudyView({}),
        sessions=lambda: given,
        scores=lambda _: ScoreTable(RUBRIC, "mean", scores),
    )
    tables = outcome_tables(context)
    assert [one.outcome for one in tables if not one.subgroup] == ["s.total", "s.agenda", "s.homework"]
    assert set(given.looks.values()) == set(rated.looks.values()) == set(scores.looks.values()) == {1}


def test_results_read_each_session_and_each_score_once_and_each_rating_once_for_its_words() -> None:
    given, rated = sessions(), Counted(Rating, ratings())
    scores = Counted(Score, score_table(ratings()))
    build_results({"study": "mine"}, "", given, {"s": rated_set(rated, ScoreTable(RUBRIC, "mean", scores))}, ())
    assert set(given.looks.values()) == set(rated.looks.values()) == set(scores.looks.values()) == {1}


def test_a_score_says_why_it_has_no_value_what_it_could_be_and_what_each_rating_gave() -> None:
    score = score_table(ratings()).of("total")["s3"]
    assert (score.value, score.reason) == (None, "not found")
    assert (score.lowest, score.highest) == ((6 + 3) / 2, (6 + 9) / 2)
    assert [(one.rater, one.value, one.reason) for one in score.singles] == [("a", 6, None), ("b", None, "not found")]


def test_an_item_without_a_score_may_have_any_of_its_scale() -> None:
    score = score_table(ratings()).of("agenda")["s3"]
    assert (score.value, score.prorated, score.lowest, score.highest) == (None, None, 0, 6)


@pytest.mark.parametrize("rubric", [RUBRIC, MEAN])
def test_a_session_that_was_forgotten_keeps_its_scores(rubric: Rubric) -> None:
    given = ratings(rubric)
    silent = [silent_rating(one, frozenset()) for one in given]
    assert list(score_table(silent, rubric)) == list(score_table(given, rubric))


def test_kept_scores_are_left_alone_until_their_ratings_change(tmp_path: Path) -> None:
    def kept(given: list[Rating], of: str) -> tuple[bytes, int]:
        path = kept_scores(RunFolder(tmp_path), "s", given, of, RUBRIC, "mean")
        assert path == tmp_path / "scores" / "s.jsonl"
        return path.read_bytes(), path.stat().st_mtime_ns

    first = kept(ratings(), "one")
    assert kept([], "one") == first
    assert kept(ratings()[:4], "two")[0] != first[0]
    assert kept(ratings(), "one")[0] == first[0]


def test_a_scores_file_that_somebody_changed_is_made_again(tmp_path: Path) -> None:
    path = kept_scores(RunFolder(tmp_path), "s", ratings(), "one", RUBRIC, "mean")
    made = path.read_bytes()
    path.write_bytes(made.replace(b'"value":6.0', b'"value":5.0', 1))
    assert kept_scores(RunFolder(tmp_path), "s", ratings(), "one", RUBRIC, "mean").read_bytes() == made
