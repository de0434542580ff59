"""What may be wrong with ratings is seen, and said in plain words."""

from collections.abc import Sequence

import pytest

from cbtrun.contract.records import ItemScore, Rating, Session
from cbtrun.ratings.model_families import family, model_family
from cbtrun.ratings.norms import norms_of
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.ratings.rubric_file import read_rubric
from cbtrun.results.diagnostics import diagnostics_of
from cbtrun.results.records import Diagnostic
from cbtrun.results.session_facts import session_facts
from tests.helpers.four_items import FOUR, rating, sessions
from tests.helpers.places import RUBRICS
from tests.helpers.rating_fakes import rated_set


def seen(
    given: Sequence[Session], ratings: Sequence[Rating], study: dict[str, object] | None = None
) -> dict[tuple[str, str], Diagnostic]:
    """(name, about) -> diagnostic."""
    rated = rated_set(ratings, FOUR)
    found = diagnostics_of("s", rated, session_facts(given, {"s": rated}, 1), {"seed": 1, **(study or {})})
    return {(one.name, one.about): one for one in found}


def test_an_item_with_most_scores_at_the_top_is_warned_about() -> None:
    found = seen(sessions(10), [rating(f"s{at}", (6, at % 5, 1, 1)) for at in range(10)])
    assert found["ceiling", "one"].value == 1
    assert "100% of scores are at the top" in found["ceiling", "one"].warning
    assert found["ceiling", "two"].warning == ""


def test_items_that_move_together_are_called_a_halo_and_independent_ones_are_not() -> None:
    together = seen(sessions(12), [rating(f"s{at}", [at % 6] * 4) for at in range(12)])
    apart = seen(sessions(16), [rating(f"s{at}", (at % 2, at // 2 % 2, at // 4 % 2, at // 8 % 2)) for at in range(16)])
    assert together["halo", "items"].value == pytest.approx(1)
    assert "one factor holds 100%" in together["halo", "items"].warning
    assert apart["halo", "items"].value == pytest.approx(0.25)
    assert apart["halo", "items"].warning == ""


def test_scores_that_grow_with_words_are_warned_about() -> None:
    found = seen(sessions(12, words=range(5, 17)), [rating(f"s{at}", (at // 2, 1, 1, 1)) for at in range(12)])
    assert "Longer sessions score higher" in found["length", "words of the therapist"].warning


def test_quotes_from_the_start_alone_are_warned_about() -> None:
    found = seen(sessions(10), [rating(f"s{at}", (1, 2, 3, at % 6), turn=1) for at in range(10)])
    assert "100% of all quotes stand in the first third" in found["evidence_position", "first third"].warning
    assert found["evidence_position", "last third"].warning == ""


def test_scores_that_rise_over_the_run_are_called_drift() -> None:
    from cbtrun.contract.digests import derive_seed
    from cbtrun.ratings.order import asking_place

    given = sessions(20)
    order = sorted(given, key=lambda one: asking_place(one, 1, derive_seed(1, "ratings.s")))
    ratings = [rating(one.id, (at // 4, 1, 1, 1)) for at, one in enumerate(order)]
    found = seen(given, ratings)
    assert "Scores of r rise over the run" in found["drift", "r"].warning
    assert "follow the score given just before" in found["order", "r"].warning
    shuffled = seen(given, [rating(one.id, (at // 4, 1, 1, 1)) for at, one in enumerate(given)])
    assert shuffled["drift", "r"].warning == ""


def test_a_rater_of_the_therapists_family_is_warned_about_with_the_difference() -> None:
    study = {
        "models": {
            "r": {"using": "openai", "model": "Qwen/Qwen3-32B"},
            "base": {"using": "transformers", "model": "Qwen/Qwen2.5-7B-Instruct"},
            "other": {"using": "openai", "model": "gpt-4o"},
        },
        "tune": {"tuned": {"base": "base"}},
        "arms": {"own": {"therapist": "tuned"}, "else": {"therapist": "other"}},
    }
    ratings = [rating(f"s{at}", (4 if at % 2 == 0 else 2, 1, 1, 1)) for at in range(10)]
    found = seen(sessions(10, arms=("own", "else")), ratings, study)
    assert found["self_preference", "r"].value == 2
    assert "same family (Qwen)" in found["self_preference", "r"].warning


def test_unscored_and_absent_items_are_counted_by_arm() -> None:
    given = sessions(10, arms=("x", "y"))
    ratings = [rating(f"s{at}", (None if at % 2 else 1, 1, 1, 1), absent=at % 2 == 0) for at in range(10)]
    found = seen(given, ratings)
    assert (found["unscored", "x"].value, found["unscored", "y"].value) == (0, 0.25)
    assert "25% of item scores are missing in y" in found["unscored", "y"].warning
    assert (found["absent", "x"].value, found["absent", "y"].value) == (1, 0)
    assert "In x 100% of items were scored `absent`" in found["absent", "x"].warning


def test_words_that_unblind_are_warned_about_unless_they_were_masked() -> None:
    flagged = [
        rating(f"s{at}", (1, 1, 1, at % 6)).model_copy(update={"flags": ("unblinding: turn 1 says qwen",)})
        for at in range(8)
    ]
    shown = seen(sessions(8), flagged)["unblinding", "shown to the raters"]
    masked = seen(sessions(8), flagged, {"ratings": {"s": {"mask_identity": True}}})["unblinding", "masked"]
    assert "8 of 8 sessions hold words that tell which model speaks" in shown.warning
    assert (masked.value, masked.warning) == (1, "")


def test_a_few_sessions_are_too_few_for_what_needs_spread() -> None:
    names = {name for name, _ in seen(sessions(2), [rating(f"s{at}", (1, 2, 3, 4)) for at in range(2)])}
    assert not names & {"halo", "length", "drift", "order", "evidence_position"}


def test_human_norms_of_the_ctrs_name_every_item_and_their_source() -> None:
    norms, ctrs = norms_of("ctrs"), read_rubric(RUBRICS / "ctrs.yaml")
    assert norms is not None
    assert set(norms.outcomes) == {"total", *(item.id for item in ctrs.items)}
    assert (norms.n, norms.outcomes["total"].mean, norms.outcomes["total"].sd) == (1264, 31.04, 11.10)
    assert sum(norm.mean for id, norm in norms.outcomes.items() if id != "total") == pytest.approx(31.04, abs=0.02)
    assert "Goldberg" in norms.source


def test_a_mean_total_far_from_human_therapists_is_warned_about() -> None:
    ctrs = read_rubric(RUBRICS / "ctrs.yaml")
    ratings = [
        Rating(
            session=f"s{at}",
            set="ctrs",
            rubric="ctrs",
            rubric_version=ctrs.version,
            rubric_digest=rubric_digest(ctrs),
            rater="r",
            scores=tuple(ItemScore(item=item.id, score=5) for item in ctrs.items),
        )
        for at in range(3)
    ]
    rated = rated_set(ratings, ctrs)
    facts = session_facts(sessions(3), {"ctrs": rated}, 0)
    (found,) = [one for one in diagnostics_of("ctrs", rated, facts, {}) if one.name == "norm"]
    assert found.value == pytest.approx((55 - 31.04) / 11.10)
    assert "2.2 SD above that of human therapists" in found.warning


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o-mini", "OpenAI GPT"),
        ("claude-3-5-sonnet", "Claude"),
        ("Qwen/Qwen2.5-7B", "Qwen"),
        ("meta-llama/Llama-3.1-8B", "Llama"),
        ("cbtrun:tiny", None),
        ("", None),
    ],
)
def test_families_are_told_by_name(name: str, expected: str | None) -> None:
    assert family(name) == expected


def test_a_tuned_model_is_of_its_bases_family() -> None:
    study = {"models": {"base": {"model": "mistralai/Mistral-7B"}}, "tune": {"job": {"base": "base"}}}
    assert model_family(study, "job@2") == "Mistral"


def test_a_rank_correlation_with_ties_is_scipys() -> None:
    from scipy.stats import spearmanr

    from cbtrun.results.diagnostics import _spearman

    pairs = [(1.0, 2.0), (1.0, 3.0), (2.0, 2.0), (3.0, 9.0), (4.0, 5.0), (4.0, 5.0), (6.0, 1.0), (7.0, 8.0), (8.0, 8.0)]
    found = _spearman(pairs)
    assert found is not None
    assert found[0] == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic, abs=1e-12)
