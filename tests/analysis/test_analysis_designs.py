"""Every design from sessions and ratings to stored comparisons, through the plugin's own hook."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from cbtrun.contract.records import Comparison, ItemScore, Rating, Session, Turn
from cbtrun.contract.study_view import StudyView
from cbtrun.errors import StatisticsError
from cbtrun.plugins.analyses import equivalence, factorial, independent, mixed, omnibus, ordinal, paired
from cbtrun.ratings.rubric import Item, Rubric, Total, rubric_digest
from cbtrun.scores.score_table import ScoreTable
from cbtrun.statistics.mixed import fit_mixed
from tests.helpers.rating_fakes import score_table

PLUGINS = {
    "independent": independent,
    "paired": paired,
    "omnibus": omnibus,
    "equivalence": equivalence,
    "ordinal": ordinal,
    "factorial": factorial,
    "mixed": mixed,
}
RUBRIC = Rubric(
    name="mini",
    title="Mini",
    version="1",
    source="invented for these tests",
    licence="ours",
    validation="none",
    items=(
        Item(id="agenda", name="Agenda", asks="Is there one?", low=0, high=6),
        Item(id="empathy", name="Empathy", asks="Is there any?", low=0, high=6),
    ),
    total=Total(low=0, high=12),
)


@dataclass
class FakeContext:
    """The part of a stage's context that analyses use."""

    options: Mapping[str, Any]
    sessions_: list[Session]
    ratings_: list[Rating]
    study: StudyView = field(default_factory=lambda: StudyView({}))
    name: str = "main"
    seed: int = 7

    def sessions(self) -> list[Session]:
        return self.sessions_

    def scores(self, name: str) -> ScoreTable:
        assert name == "mini"
        return score_table(self.ratings_, RUBRIC, name=name)

    def personas(self, name: str) -> list[Any]:
        raise AssertionError(f"nobody asked for persona attributes of {name}")

    def advance(self, done: int, total: int | None = None) -> None:
        """Nothing is shown."""


def _rating(session: str, scores: tuple[float | None, float | None], rater: str = "judge", repeat: int = 1) -> Rating:
    made = tuple(
        ItemScore(item=item.id, score=score, reason=None if score is not None else "refused")
        for item, score in zip(RUBRIC.items, scores, strict=True)
    )
    digest = rubric_digest(RUBRIC)
    return Rating(
        session=session,
        set="mini",
        rubric="mini",
        rubric_version="1",
        rubric_digest=digest,
        rater=rater,
        repeat=repeat,
        scores=made,
    )


def _session(arm: str, persona: str | None, repeat: int = 1, flags: tuple[str, ...] = (), **factors: str) -> Session:
    id_ = f"{arm}/{persona}/{repeat}/{factors.get('seed', '')}"
    turns = (Turn(speaker="therapist", text="Hello."),)
    return Session(
        id=id_,
        arm=arm,
        persona=persona,
        repeat=repeat,
        draw=id_,
        factors={"tuning": arm, **factors},
        turns=turns,
        ended="x",
        flags=flags,
    )


def _draw(rng: random.Random, lift: float) -> tuple[float, float]:
    return tuple(float(min(6, max(0, round(rng.gauss(3 + lift, 1.2))))) for _ in range(2))  # type: ignore[return-value]


def _world(
    arms: Mapping[str, float],
    personas: int = 12,
    raters: int = 1,
    repeats: int = 1,
    shared: bool = True,
    seeds: int = 0,
) -> tuple[list[Session], list[Rating]]:
    """Sessions of every arm with every persona (or with personas of its own), rated; arm -> lift of its item scores."""
    rng = random.Random(5)
    sessions, ratings = [], []
    for arm, lift in arms.items():
        for at in range(personas):
            for repeat in range(1, repeats + 1):
                for seed in range(1, seeds + 1) or [0]:
                    persona = f"p{at:02}" if shared else f"{arm}-p{at:02}"
                    session = _session(arm, persona, repeat, **({"seed": str(seed)} if seed else {}))
                    sessions.append(session)
                    ratings += [_rating(session.id, _draw(rng, lift), f"judge{n}") for n in range(1, raters + 1)]
    return sessions, ratings


def _run(
    using: str, world: tuple[list[Session], list[Rating]], study: Mapping[str, Any] | None = None, **options: Any
) -> list[Comparison]:
    schema = PLUGINS[using].options_schema(stage="analysis")
    given = {"outcome": "mini.total", "items": False, **options}
    assert set(given) <= set(schema["properties"]), "an option that the schema does not know"
    defaults = {name: part["default"] for name, part in schema["properties"].items() if "default" in part}
    context = FakeContext({**defaults, **given}, *world, study=StudyView(study or {}))
    found: list[Comparison] = PLUGINS[using].analyse(context=context)
    for one in found:
        json.dumps(one.model_dump(), allow_nan=False)
        assert one.sentence.endswith(").")
    return found


TWO = {"cbt": 1.0, "none": 0.0}
THREE = {"cbt": 1.5, "supportive": 0.5, "none": 0.0}


@pytest.mark.parametrize("using", PLUGINS)
def test_every_option_has_a_description_and_other_stages_get_none(using: str) -> None:
    assert PLUGINS[using].options_schema(stage="sessions") is None
    for name, option in PLUGINS[using].options_schema(stage="analysis")["properties"].items():
        assert len(option.get("description", "")) > 15, name


def test_items_are_compared_too_and_p_is_adjusted_over_all_of_them_where_the_family_is_the_block() -> None:
    found = _run("paired", _world(TWO), factor="tuning", levels=["cbt", "none"], items=True, family="block")
    assert [one.outcome for one in found] == ["mini.total", "mini.agenda", "mini.empathy"]
    assert {(one.correction, one.family) for one in found} == {("holm", 3)}
    raw = sorted(one.tests[0].p for one in found)
    adjusted = sorted(one.tests[0].p_adjusted for one in found)
    assert adjusted[0] == pytest.approx(min(1, 3 * raw[0]), rel=1e-9)


def test_primary_outcome_can_stand_outside_the_family() -> None:
    found = _run("paired", _world(TWO), factor="tuning", levels=["cbt", "none"], items=True, family="outcome-alone")
    assert found[0].tests[0].p_adjusted == found[0].tests[0].p
    assert [one.family for one in found] == [1, 2, 2]


def test_no_correction_leaves_adjusted_p_out() -> None:
    found = _run("paired", _world(TWO), factor="tuning", levels=["cbt", "none"], correction="none")
    assert found[0].tests[0].p_adjusted is None
    assert "adjusted" not in found[0].sentence


def test_bootstrap_interval_is_seeded_and_close_to_the_t_interval() -> None:
    there = _run("paired", _world(TWO), factor="tuning", levels=["cbt", "none"])[0]
    again = _run("paired", _world(TWO), factor="tuning", levels=["cbt", "none"])[0]
    assert there == again
    assert there.bootstrap.low == pytest.approx(there.interval.low, abs=0.6)
    assert "studentised" in there.bootstrap.method


def test_repeated_ratings_give_variance_components_and_a_corrected_effect() -> None:
    found = _run("paired", _world(TWO, raters=3), factor="tuning", levels=["cbt", "none"])[0]
    assert set(found.variance) == {"session", "residual", "rater", "reliability"}
    corrected = {effect.name: effect.value for effect in found.effects}
    if found.variance["reliability"] > 0:
        expected = corrected["dz"] / found.variance["reliability"] ** 0.5
        assert corrected["dz_reliable"] == pytest.approx(expected)
    assert any("judge noise is inside the interval" in words for words in found.checks)


def test_missing_scores_give_worst_case_bounds_around_the_estimate() -> None:
    sessions, ratings = _world(TWO)
    ratings[0] = _rating(sessions[0].id, (None, 4.0))
    found = _run("paired", (sessions, ratings), factor="tuning", levels=["cbt", "none"])[0]
    assert (found.n, found.worst_case.values) == (11, 1)
    # The one unscored item can have any of 0 to 6 points, for one persona of twelve.
    assert found.worst_case.high - found.worst_case.low == pytest.approx(6 / 12)


def test_unrated_session_is_bounded_by_the_whole_scale() -> None:
    sessions, ratings = _world(TWO, shared=False)
    found = _run("independent", (sessions, ratings[1:]), factor="tuning", levels=["cbt", "none"])[0]
    assert found.worst_case.high - found.worst_case.low == pytest.approx(12 / 12)
    assert found.groups[0].reasons == {"not rated": 1}


def test_flagged_sessions_are_left_out_only_on_request_and_counted() -> None:
    sessions, ratings = _world(TWO)
    sessions[0] = sessions[0].model_copy(update={"flags": ("patient-broke-role: turn 3",)})
    kept = _run("paired", (sessions, ratings), factor="tuning", levels=["cbt", "none"])[0]
    left = _run(
        "paired", (sessions, ratings), factor="tuning", levels=["cbt", "none"], exclude_flags=["patient-broke-role"]
    )[0]
    assert (kept.n, left.n) == (12, 11)
    assert left.groups[0].reasons == {"excluded: patient-broke-role": 1}
    assert left.worst_case.low == pytest.approx(kept.estimate)


def test_the_study_s_own_exclusions_count_under_their_rule() -> None:
    sessions, ratings = _world(TWO)
    sessions[0] = sessions[0].model_copy(update={"flags": ("excluded: fewer than 6 turns",)})
    options = {"factor": "tuning", "levels": ["cbt", "none"]}
    assert _run("paired", (sessions, ratings), **options)[0].n == 12
    left = _run("paired", (sessions, ratings), **options, exclude_flags=["excluded"])[0]
    assert left.groups[0].reasons == {"excluded: fewer than 6 turns": 1}


def test_by_repeats_the_comparison_in_each_subgroup_and_names_it() -> None:
    sessions, ratings = _world(TWO)
    sessions = [one.model_copy(update={"labels": {"half": str(int(one.persona[1:]) % 2)}}) for one in sessions]
    found = _run("paired", (sessions, ratings), factor="tuning", levels=["cbt", "none"], by="half")
    assert [(one.design, one.subgroup, one.where) for one in found] == [
        ("paired", False, {}),
        ("interaction", False, {}),  # asked before its levels are read
        ("paired", True, {"half": ("0",)}),
        ("paired", True, {"half": ("1",)}),
    ]
    assert found[2].sentence.startswith("Among sessions with half 0: ")
    assert found[2].n + found[3].n == found[0].n


def test_subgroups_by_a_persona_s_attribute_come_from_the_study_s_persona_set(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Patient:
        id: str
        phq9: int
        gender: str = "x"
        risk: str = "none"
        engagement_style: str = "open"
        disclosure_style: str = "gradual"
        labels: Mapping[str, str] = field(default_factory=dict)

    patients = [Patient(f"p{at:02}", 4 if at < 5 else 15) for at in range(12)]
    monkeypatch.setattr(FakeContext, "personas", lambda _, name: patients if name == "eval" else [])
    study = {"sessions": {"personas": "eval"}}
    found = _run("paired", _world(TWO), study, factor="tuning", levels=["cbt", "none"], by="persona.severity")
    assert [(one.where, one.n) for one in found[2:]] == [
        ({"persona.severity": ("minimal",)}, 5),
        ({"persona.severity": ("moderately severe",)}, 7),
    ]


def test_where_names_its_subgroup_in_the_sentence() -> None:
    sessions, ratings = _world(THREE)
    found = _run(
        "paired", (sessions, ratings), factor="tuning", levels=["cbt", "none"], where={"arm": ["cbt", "none"]}
    )[0]
    assert found.sentence.startswith("Among sessions with arm cbt or none: ")


def test_one_tuning_seed_is_reported_as_n_of_one() -> None:
    study = {"tune": {"job": {"seeds": [1]}}, "arms": {"cbt": {"therapist": "job", "factors": {"tuning": "cbt"}}}}
    found = _run("paired", _world(TWO), study, factor="tuning", levels=["cbt", "none"])[0]
    assert any("n = 1 tuning of `job`" in note for note in found.notes)


def test_omnibus_within_personas_corrects_for_sphericity_and_compares_every_pair() -> None:
    found = _run("omnibus", _world(THREE), factor="tuning", levels=["cbt", "supportive", "none"], family="block")
    assert [one.design for one in found] == ["omnibus", "pairwise", "pairwise", "pairwise"]
    assert [test.name for test in found[0].tests] == ["rm-anova", "friedman"]
    assert found[0].tests[0].df < 2
    assert [one.levels for one in found[1:]] == [("cbt", "supportive"), ("cbt", "none"), ("supportive", "none")]
    assert all(one.family == 3 for one in found[1:])


@pytest.mark.parametrize(("pairwise", "correction"), [("games-howell",) * 2, ("tukey",) * 2, ("dunn", "holm")])
def test_omnibus_between_sessions_knows_its_pairwise_methods(pairwise: str, correction: str) -> None:
    world = _world(THREE, shared=False)
    options = {"factor": "tuning", "levels": ["cbt", "supportive", "none"], "compared": "between", "pairwise": pairwise}
    options["family"] = "block"
    found = _run("omnibus", world, **options)
    assert {(one.tests[0].name, one.correction) for one in found[1:]} == {(pairwise, correction)}
    assert found[1].tests[0].p_adjusted >= found[1].tests[0].p


def test_nemenyi_corrects_over_its_own_pairs() -> None:
    found = _run("omnibus", _world(THREE), factor="tuning", levels=["cbt", "supportive", "none"], pairwise="nemenyi")
    assert {(one.correction, one.family) for one in found[1:]} == {("nemenyi", 3)}


def test_equivalence_within_personas_uses_the_ninety_per_cent_interval() -> None:
    found = _run(
        "equivalence", _world({"cbt": 0.0, "none": 0.0}, 40), factor="tuning", levels=["cbt", "none"], margin=2
    )[0]
    assert found.interval.level == 0.9
    inside = found.interval.low > -2 and found.interval.high < 2
    assert inside == (found.tests[0].p < 0.05)
    assert "are equivalent within 2.0 points" in found.sentence


def test_equivalence_between_sessions_refuses_shared_personas() -> None:
    with pytest.raises(StatisticsError, match="not independent"):
        _run("equivalence", _world(TWO), factor="tuning", levels=["cbt", "none"], margin=2, compared="between")


def test_ordinal_gives_an_odds_ratio_clustered_by_persona() -> None:
    found = _run("ordinal", _world(TWO, 30), outcome="mini.agenda", factor="tuning", levels=["cbt", "none"])[0]
    odds = found.effects[0]
    assert (odds.name, found.unit_of_analysis) == ("odds_ratio", "session, clustered by persona")
    assert 1 < odds.interval.low < odds.value < odds.interval.high
    assert found.tests[0].df == 29


def test_ordinal_without_shared_personas_is_not_clustered() -> None:
    found = _run(
        "ordinal", _world(TWO, 30, shared=False), outcome="mini.agenda", factor="tuning", levels=["cbt", "none"]
    )[0]
    assert (found.unit_of_analysis, found.tests[0].df) == ("session", None)


def _crossed(shared: bool) -> tuple[list[Session], list[Rating]]:
    rng, sessions, ratings = random.Random(3), [], []
    for tuning, family in [(t, f) for t in ("cbt", "none") for f in ("llama", "qwen")]:
        for at in range(10):
            persona = f"p{at}" if shared else f"{tuning}{family}{at}"
            session = _session(f"{tuning}-{family}", persona).model_copy(
                update={"factors": {"tuning": tuning, "family": family}}
            )
            sessions.append(session)
            ratings.append(_rating(session.id, _draw(rng, 1.5 * (tuning == "cbt"))))
    return sessions, ratings


@pytest.mark.parametrize("compared", ["within-personas", "between"])
def test_factorial_gives_two_main_effects_and_their_interaction(compared: str) -> None:
    levels = {"tuning": ["cbt", "none"], "family": ["llama", "qwen"]}
    world = _crossed(compared == "within-personas")
    found = _run("factorial", world, factors=["tuning", "family"], levels=levels, compared=compared)
    assert [one.design for one in found] == ["factorial", "factorial", "factorial-interaction"]
    assert found[0].estimate == pytest.approx(found[0].groups[0].mean - found[0].groups[1].mean)
    assert found[0].interval.low > 0
    cells = {group.level: group.mean for group in found[2].groups}
    crossed = cells["cbt / llama"] - cells["cbt / qwen"] - cells["none / llama"] + cells["none / qwen"]
    assert found[2].estimate == pytest.approx(crossed)


def test_mixed_agrees_with_the_paired_t_where_the_data_are_balanced() -> None:
    world = _world(TWO, 15)
    by_pairs = _run("paired", world, factor="tuning", levels=["cbt", "none"])[0]
    found = _run("mixed", world, factor="tuning", levels=["cbt", "none"])[0]
    assert found.estimate == pytest.approx(by_pairs.estimate)
    if found.variance["persona"] > 0:
        assert found.tests[0].p == pytest.approx(by_pairs.tests[0].p, rel=1e-4)


def test_mixed_uses_every_rating_and_counts_it_within_its_session() -> None:
    found = _run("mixed", _world(TWO, 12, raters=2), factor="tuning", levels=["cbt", "none"])[0]
    assert (found.n, found.unit_of_analysis) == (24, "session, by its single ratings")
    assert "48 ratings of 24 sessions" in found.checks
    assert "n = 12 and 12 sessions" in found.sentence
    assert "random `session` added: several ratings a session" in found.notes
    assert {"persona", "rater", "session", "residual"} <= set(found.variance)


def test_mixed_counts_a_session_once_where_its_ratings_never_differ() -> None:
    sessions, ratings = _world(TWO, 12)
    copies = [one.model_copy(update={"rater": "second"}) for one in ratings]
    alone = _run("mixed", (sessions, ratings), factor="tuning", levels=["cbt", "none"])[0]
    found = _run("mixed", (sessions, [*ratings, *copies]), factor="tuning", levels=["cbt", "none"])[0]
    assert (found.n, found.estimate, found.interval) == (24, alone.estimate, alone.interval)
    assert any(note.startswith("all ratings of a session are the same") for note in found.notes)


def test_mixed_refuses_to_test_where_no_residual_is_left() -> None:
    values = [1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 7.0, 7.0]
    groups = [str(at // 2) for at in range(8)]
    fixed = np.array([[float(at < 4), float(at >= 4)] for at in range(8)])
    with pytest.raises(StatisticsError, match="group explain every value: no residual is left to test with"):
        fit_mixed(values, fixed, {"group": groups})


def test_mixed_takes_several_tuning_seeds_as_random() -> None:
    found = _run("mixed", _world(TWO, 10, seeds=3), factor="tuning", levels=["cbt", "none"])[0]
    assert "seed" in found.variance
    assert "random `seed` has 6 levels" not in " ".join(found.checks)


def test_mixed_of_three_levels_starts_with_the_f_test_of_all() -> None:
    found = _run("mixed", _world(THREE), factor="tuning", levels=["cbt", "supportive", "none"])
    assert [one.design for one in found] == ["omnibus", "mixed", "mixed", "mixed"]
    assert found[0].tests[0].df == 2


EDGES: dict[str, Callable[[], tuple[list[Session], list[Rating]]]] = {
    "nothing": lambda: ([], []),
    "one arm only": lambda: _world({"cbt": 0.0}),
    "one session each": lambda: _world(THREE, 1, shared=False),
    "nothing rated": lambda: (_world(THREE)[0], []),
    "no spread": lambda: (_world(THREE)[0], [_rating(one.id, (3, 3)) for one in _world(THREE)[0]]),
    "one arm unscored": lambda: (
        _world(THREE)[0],
        [
            _rating(one.id, (3, None) if one.arm == "none" else (3, float(at % 4)))
            for at, one in enumerate(_world(THREE)[0])
        ],
    ),
    "no persona": lambda: (
        [one.model_copy(update={"persona": None}) for one in _world(THREE)[0]],
        _world(THREE)[1],
    ),
}


def _share_personas(sessions: list[Session], factor: str) -> bool:
    seen: dict[str, set[str | None]] = {}
    for session in sessions:
        seen.setdefault(str(session.persona), set()).add(session.arm if factor == "arm" else session.factors[factor])
    return any(len(levels) > 1 for persona, levels in seen.items() if persona != "None")


def _designs() -> Iterator[tuple[str, dict[str, Any]]]:
    two, three = (
        {"factor": "tuning", "levels": ["cbt", "none"]},
        {"factor": "tuning", "levels": ["cbt", "supportive", "none"]},
    )
    yield "paired", two
    yield "independent", two
    yield "equivalence", {**two, "margin": 1}
    yield "equivalence", {**two, "margin": 1, "compared": "between"}
    yield "ordinal", {**two, "outcome": "mini.agenda"}
    yield "mixed", three
    yield "omnibus", three
    yield "omnibus", {**three, "pairwise": "nemenyi"}
    for pairwise in ("games-howell", "tukey", "dunn"):
        yield (
            "omnibus",
            {**three, "compared": "between", "pairwise": pairwise, "tests": ["anova", "welch-anova", "kruskal-wallis"]},
        )
    for compared in ("within-personas", "between"):
        yield (
            "factorial",
            {
                "factors": ["tuning", "arm"],
                "levels": {"tuning": ["cbt", "none"], "arm": ["cbt", "none"]},
                "compared": compared,
            },
        )


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(
    ("using", "options"), list(_designs()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_no_design_fails_or_stores_nan_at_the_edges(using: str, options: dict[str, Any], edge: str) -> None:
    world = EDGES[edge]()
    between = using == "independent" or options.get("compared") == "between"
    if between and _share_personas(world[0], "arm" if using == "factorial" else "tuning"):
        with pytest.raises(StatisticsError, match="not independent"):
            _run(using, world, **options)
        return
    found = _run(using, world, **options)
    assert found
    for one in found:
        if one.estimate is None and not one.tests:
            assert one.notes or one.checks, "nothing could be computed, and nothing says why"
