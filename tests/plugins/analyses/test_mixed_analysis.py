"""What `using: mixed` takes as one tuning, one rater and one persona, which ratings it uses, and what it says of its fit."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cbtrun.analysis.block import tuning_notes, tuning_of
from cbtrun.analysis.table import AnalysisTable, LevelledSession, Row, analysis_table
from cbtrun.contract.records import Comparison, Session, Turn
from cbtrun.contract.study_view import StudyView
from cbtrun.plugins.analyses.mixed import compare_mixed
from cbtrun.plugins.analyses.mixed_terms import observations
from cbtrun.plugins.analyses.paired import compare_pairs
from cbtrun.scores.score import Score, SingleScore

OPTIONS = {"factor": "level", "levels": ["A", "B"]}

# Personas p0 to p14 of each tuning, in order; from R: lmer(value ~ level + (1|persona) + (0 + isA|seed)) and
# lmer(value ~ level + (1|persona) + (1|seed)), emmeans with Satterthwaite's degrees of freedom.
FIVE_TUNINGS = (
    (28, 24, 29, 31, 33, 32, 29, 27, 34, 37, 28, 26, 26, 35, 29),
    (33, 30, 32, 36, 36, 33, 34, 30, 40, 41, 32, 32, 30, 40, 36),
    (27, 26, 31, 29, 35, 28, 28, 26, 35, 36, 36, 28, 29, 37, 29),
    (35, 30, 34, 36, 39, 34, 33, 33, 37, 38, 37, 29, 30, 37, 37),
    (30, 28, 34, 33, 35, 36, 30, 31, 36, 38, 35, 33, 30, 36, 31),
)
UNTUNED = (27, 25, 30, 30, 32, 29, 27, 28, 31, 35, 35, 27, 24, 38, 31)
ONE_PROMPT = (
    (28, 24, 26, 28, 30, 29, 29, 25, 31, 37, 27, 25, 25, 31, 27),
    (34, 34, 34, 34, 42, 38, 31, 36, 37, 36, 35, 30, 35, 38, 35),
    (36, 27, 34, 36, 40, 36, 34, 33, 42, 45, 35, 30, 38, 38, 35),
    (32, 26, 33, 35, 34, 32, 34, 33, 36, 38, 35, 28, 29, 35, 33),
)
OTHER_PROMPT = (
    (24, 23, 24, 28, 31, 27, 26, 25, 29, 35, 28, 23, 25, 29, 26),
    (30, 28, 31, 35, 39, 35, 30, 29, 36, 37, 33, 26, 34, 40, 32),
    (31, 31, 35, 36, 35, 35, 32, 35, 36, 36, 32, 33, 30, 34, 33),
    (27, 32, 29, 34, 36, 30, 31, 23, 32, 37, 26, 24, 29, 34, 28),
)


def _tuned(level: str, job: str | None, values: Sequence[Sequence[float]]) -> list[Row]:
    return [
        _row(f"{level}{seed}{at}", level, f"p{at}", value, tuning=None if job is None else f"{job}@{seed}")
        for seed, of_tuning in enumerate(values)
        for at, value in enumerate(of_tuning)
    ]


def _row(session: str, level: str, persona: str, value: float | None, **more: Any) -> Row:
    return Row(session, f"arm-{level}", persona, 1, {"level": level}, value, None, value, value, **more)


def _compared(rows: Sequence[Row], **options: Any) -> Comparison:
    return compare_mixed("x", {**OPTIONS, **options}, AnalysisTable("x.total", tuple(rows)))[0]


def test_an_untuned_level_has_no_tuning_effect() -> None:
    found = _compared([*_tuned("A", "job", FIVE_TUNINGS), *_tuned("B", None, [UNTUNED])])
    assert found.estimate == pytest.approx(2.573333, rel=1e-6)
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.02494106, 5.171608), abs=1e-4)
    assert (found.tests[0].df, found.tests[0].p) == pytest.approx((5.972294, 0.05161969), rel=1e-4)
    assert found.covers == ("persona", "seed")


def test_levels_that_share_adapters_share_their_tuning_effects() -> None:
    found = _compared([*_tuned("A", "job", ONE_PROMPT), *_tuned("B", "job", OTHER_PROMPT)])
    assert found.estimate == pytest.approx(2.15, rel=1e-6)
    assert (found.interval.low, found.interval.high) == pytest.approx((1.380557, 2.919443), rel=1e-5)
    assert (found.tests[0].df, found.tests[0].p) == pytest.approx((101, 2.381697e-07), rel=1e-3)
    assert found.covers == ("persona",)  # how tunings differ in what the prompt does to them is not in the interval


def test_other_tunings_of_shared_adapters_are_covered_where_the_model_lets_them_favour_a_level() -> None:
    rows = [*_tuned("A", "job", ONE_PROMPT), *_tuned("B", "job", OTHER_PROMPT)]
    found = _compared(rows, random=["persona", "seed", "seed:level"])
    assert "seed:level" in found.variance
    assert found.covers == ("persona", "seed")


def test_a_level_with_one_tuning_each_has_no_tuning_term() -> None:
    found = _compared([*_tuned("A", "one", ONE_PROMPT[:1]), *_tuned("B", "other", OTHER_PROMPT[:1])])
    assert "seed" not in found.variance
    assert "seed" not in found.covers
    assert any("`seed` left out: each compared level has one of its own" in note for note in found.notes)


def test_imported_seeds_are_of_their_own_arm_and_an_empty_one_is_none() -> None:
    rows = [
        Row(f"{arm}{seed}", arm, "p", 1, {"level": "A", "seed": seed}, 1.0, None)
        for arm, seed in (("x", "1"), ("y", "1"), (None, "1"), (None, ""))
    ]
    assert [one.terms["seed"] for one in observations("A", rows)] == [None, "A@1", "x@1", "y@1"]


STUDY = StudyView(
    {
        "models": {"tiny": {"using": "transformers"}},
        "tune": {
            "one": {"using": "sft", "base": "tiny", "seeds": [7]},
            "many": {"using": "sft", "base": "tiny", "seeds": [1, 2]},
        },
        "arms": {
            "plain": {"therapist": "tiny", "factors": {"level": "A"}},
            "one": {"therapist": "one", "factors": {"level": "B"}},
            "many": {"therapist": "many", "factors": {"level": "C"}},
            "prompted": {"therapist": "many", "factors": {"level": "D"}},
            "second": {"therapist": "many@2", "factors": {"level": "E"}},
        },
    }
)


@pytest.mark.parametrize(
    ("arm", "seed", "expected"),
    [
        ("plain", None, None),
        ("one", None, "one@7"),
        ("many", "1", "many@1"),
        ("prompted", "1", "many@1"),
        ("second", None, "many@2"),
        (None, "1", None),
    ],
)
def test_a_tuning_is_job_and_seed_whatever_the_arm_is_called(
    arm: str | None, seed: str | None, expected: str | None
) -> None:
    session = Session(
        id="s",
        arm=arm,
        draw="s",
        factors={"seed": seed} if seed else {},
        turns=(Turn(speaker="therapist", text="Hello."),),
        ended="x",
    )
    assert tuning_of(STUDY, session) == expected


def _rated(session: str, level: str, persona: str, values: Mapping[str, float | None]) -> tuple[LevelledSession, Score]:
    missing = [rater for rater, value in values.items() if value is None]
    mean = None if missing else sum(value or 0.0 for value in values.values()) / len(values)
    singles = tuple(SingleScore(rater=rater, value=value) for rater, value in values.items())
    score = Score(
        session=session, set="x", outcome="total", value=mean, reason="unscored" if missing else None, singles=singles
    )
    return LevelledSession(session, None, persona, 1, {"level": level}), score


def _partly_rated() -> list[tuple[LevelledSession, Score]]:
    """Ten personas at two levels by raters r and s; r has no value of two sessions of A, s none of one."""
    made = []
    for at in range(10):
        for level in "AB":
            values: dict[str, float | None] = {"r": 30.0 + at + (level == "A") + at % 3, "s": 28.0 + at + at * 7 % 5}
            if level == "A" and at in (2, 5):
                values["r"] = None
            if level == "A" and at == 6:
                values["s"] = None
            made.append(_rated(f"{level}{at}", level, f"p{at}", values))
    return made


def test_every_rating_with_a_value_is_used_where_another_leaves_the_session_without() -> None:
    made = _partly_rated()
    table = analysis_table("x.total", [session for session, _ in made], {score.session: score for _, score in made})
    found = compare_mixed("x", OPTIONS, table)[0]
    assert "37 ratings of 20 sessions" in found.checks
    assert (found.n, [(group.n, group.missing) for group in found.groups]) == (20, [(10, 0), (10, 0)])
    assert any(note.startswith("3 sessions lack the value of a rating; their others are used") for note in found.notes)
    assert compare_pairs("x", OPTIONS, table, 1).n == 7  # which pairs the sessions' own values, none of these


def test_a_single_rating_that_is_left_keeps_its_rater() -> None:
    made = _partly_rated()
    table = analysis_table("x.total", [session for session, _ in made], {score.session: score for _, score in made})
    raters = {row.session: [one.terms["rater"] for one in observations("A", [row])] for row in table.rows}
    assert (raters["A2"], raters["A6"], raters["B2"]) == (["s"], ["r"], ["r", "s"])


def test_raters_who_rated_one_session_each_are_told_apart() -> None:
    made = [_rated(f"A{at}", "A", f"p{at}", {"rs"[at % 2]: 30.0 + at}) for at in range(4)]
    table = analysis_table("x.total", [session for session, _ in made], {score.session: score for _, score in made})
    assert [one.terms["rater"] for one in observations("A", table.rows)] == ["r", "s", "r", "s"]


def test_a_session_left_out_for_a_flag_brings_no_rating() -> None:
    session, score = _rated("A0", "A", "p0", {"r": 30.0, "s": None})
    flagged = session._replace(flags=("patient-broke-role: turn 3",))
    table = analysis_table("x.total", [flagged], {"A0": score}, excluded_flags=["patient-broke-role"])
    assert observations("A", table.rows) == []


OPPOSED = ((2, 9), (9, 1), (4, 7), (8, 3), (1, 8), (7, 2), (6, 6), (3, 9), (9, 4), (5, 6))


def test_personas_opposed_to_themselves_get_the_error_of_the_paired_t_test() -> None:
    rows = [_row(f"{level}{at}", level, f"p{at}", float(pair[side])) for at, pair in enumerate(OPPOSED)
            for side, level in enumerate("AB")]  # fmt: skip
    table = AnalysisTable("x.total", tuple(rows))
    paired, found = compare_pairs("x", OPTIONS, table, 1), compare_mixed("x", OPTIONS, table)[0]
    assert found.tests[0].df == pytest.approx(9, rel=1e-4)
    assert found.tests[0].p == pytest.approx(paired.tests[0].p, rel=1e-4)
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (paired.interval.low, paired.interval.high), rel=1e-4
    )
    assert found.variance["persona"] == 0 < found.variance["persona:level"]
    assert any("(negative correlation)" in note for note in found.notes)


def test_a_declared_model_without_persona_level_is_fitted_as_declared_and_named_singular() -> None:
    rows = [_row(f"{level}{at}", level, f"p{at}", float(pair[side])) for at, pair in enumerate(OPPOSED)
            for side, level in enumerate("AB")]  # fmt: skip
    found = _compared(rows, random=["persona"])
    assert found.tests[0].df == pytest.approx(18)
    assert any("variance of `persona` is estimated as 0 (singular fit)" in note for note in found.notes)


def _by_raters(count: int) -> list[Row]:
    """Twelve personas; every rater likes another level, and each session has noise of its own."""
    rows = []
    for at in range(12):
        for side, level in enumerate("AB"):
            ratings = {
                (f"r{rater}", 1): 30.0 + at + 3 * ((rater + side) % 2) + (at * 5 + rater * 7 + side * 3) % 4
                for rater in range(count)
            }
            rows.append(_row(f"{level}{at}", level, f"p{at}", sum(ratings.values()) / count, ratings=ratings))
    return rows


def test_three_raters_may_favour_a_level_by_default_and_two_are_named_as_these_two() -> None:
    three, two = _compared(_by_raters(3)), _compared(_by_raters(2))
    assert three.variance["rater:level"] > 0
    assert three.covers == ("persona", "rater")
    assert "rater:level" not in two.variance
    assert two.covers == ("persona",)
    assert any("results hold for these two" in note for note in two.notes)


def test_two_raters_may_favour_a_level_on_request() -> None:
    found = _compared(_by_raters(2), random=["persona", "rater", "rater:level"])
    assert found.covers == ("persona", "rater")
    assert found.tests[0].df < 1.1  # they like opposite levels: a paired comparison of two


def test_notes_say_of_each_tuning_whether_the_interval_covers_others() -> None:
    def notes(first: str, second: str, covers: tuple[str, ...]) -> str:
        rows = [
            _row(f"{level}{at}", level, f"p{at}", float(at * 3 % 5)) for level in (first, second) for at in range(5)
        ]
        found = compare_mixed("x", {**OPTIONS, "levels": [first, second]}, AnalysisTable("x.total", tuple(rows)))[0]
        return " ".join(tuning_notes(STUDY, found.model_copy(update={"covers": covers}), averaged="seed" not in covers))

    assert "the interval does not cover how tunings differ" in notes("A", "B", ())
    assert "averaged within each persona" in notes("A", "C", ())
    assert notes("A", "C", ("seed",)) == ""
    assert "how much tunings differ is known from the other levels alone" in notes("B", "C", ("seed",))
