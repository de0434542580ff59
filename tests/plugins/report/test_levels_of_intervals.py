"""The level of an interval is its own wherever it stands, and methods name things as papers do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from cbtrun.contexts import Promise
from cbtrun.contract import records
from cbtrun.contract.records import Bounds, Comparison, Interval
from cbtrun.plugins.report import wording
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.methods import citations, methods_text
from cbtrun.plugins.report.page import make_tables, render_page
from cbtrun.plugins.report.page_parts import Plates
from cbtrun.plugins.report.plates import forest_plates
from cbtrun.plugins.report.result_tables import comparisons_table, tidy_comparisons
from cbtrun.plugins.report.transcripts import pack_sessions
from cbtrun.plugins.report.wording import bracket_words
from tests.helpers.report_studies import made_up_study


def a_report(*changes: dict[str, Any], **more: Any) -> ReportInput:
    """A made-up study whose comparisons are changed in turn."""
    given = made_up_study(6, figures=(), tables=("csv",))
    found = list(given.results.comparisons)
    for at, change in enumerate(changes):
        found[at] = found[at].model_copy(update=change)
    kept = found[: len(changes)] if more.pop("only", False) else found
    return replace(given, results=given.results.model_copy(update={"comparisons": tuple(kept)}), **more)


def alike(**more: Any) -> dict[str, Any]:
    """What makes a comparison one of equivalence."""
    span = Interval(low=-0.9, high=1.0, level=0.9, method="paired t")
    tests = (records.Test(name="tost", statistic=-7.3, df=5, p=0.0004, p_adjusted=0.001),)
    return {"design": "equivalence", "estimate": 0.06, "interval": span, "tests": tests, "margin": 4.0, **more}


def page_of(given: ReportInput) -> str:
    """The words of the page, without its figures, which take long to draw."""
    none = Plates(groups=(), contrasts=(), items=(), breakdown=(), training=())
    page = render_page(given, none, make_tables(given), pack_sessions(given), inline=True)
    body = re.sub(r"<(script|style|svg)[\s\S]*?</\1>", " ", page)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body))


def test_ninety_per_cent_never_stands_under_ninety_five() -> None:
    given = a_report(alike(), {"outcome": "ctrs.total"})
    table = comparisons_table(given)
    assert "Difference [CI]" in table.columns  # several levels: each says its own
    at = table.columns.index("Difference [CI]")
    assert table.rows[0].cells[at].endswith("(90 %)")
    assert all(row.cells[at].endswith("(95 %)") for row in table.rows[1:])
    told = page_of(given)
    assert "brackets are the 90 % interval of the difference and the 95 % interval of the effect size" in told
    (plate,) = [one for one in forest_plates(given) if one.name == "contrasts"]
    assert "bar: interval, its level in brackets" in plate.caption
    assert "those of main are 90 % intervals" in told


def test_one_level_stands_in_the_head_and_in_the_figure() -> None:
    only = a_report(alike(), only=True)
    assert "Difference [90 % CI]" in comparisons_table(only).columns
    (plate,) = [one for one in forest_plates(only) if one.name == "contrasts"]
    assert "bar: 90 % interval" in plate.caption
    assert "Difference [95 % CI]" in comparisons_table(made_up_study(6)).columns


def test_brackets_of_one_level_are_named_once() -> None:
    assert bracket_words(made_up_study(6).results.comparisons[0]) == "brackets are 95 % intervals"


def test_the_interval_of_the_family_stands_beside_the_adjusted_p_with_its_level() -> None:
    span = Interval(low=-1.2, high=8.4, level=1 - 0.05 / 3, method="paired t, together with its family of 3")
    given = a_report({"interval_adjusted": span}, {"held_back": "a primary outcome of the study was not shown"})
    table = comparisons_table(given)
    assert table.columns[-2:] == ("Adjusted p", "CI with its family")
    assert [row.cells[-1] for row in table.rows] == ["[−1.2, 8.4] (98.33 %)", "held back", "–"]
    assert "difference with its family" in tidy_comparisons(given)
    assert ",0.9833" in tidy_comparisons(given)


def test_the_first_screen_says_how_many_there_would_be_and_how_far_what_is_missing_could_move_it() -> None:
    told = page_of(a_report({"possible": 12, "worst_case": Bounds(low=-13.0, high=14.5, values=5)}))
    opening = told[: told.index("Scores by group", 900)]
    assert re.search(r"of 12; unit: pair of one persona", opening)
    assert re.search(r"Were all that is missing at its worst\s*−13\.0 to 14\.5", opening)
    assert "is few: the interval is wide" in opening


def test_only_a_registered_study_says_that_nothing_was_added_or_left_out() -> None:
    assert "none was added" not in page_of(a_report())
    kept = Promise("Analysed as registered on a day.")
    assert "none was added or left out" in page_of(a_report(promise=kept))
    broken = Promise("Registered.", ("analysis/main: registered as a, now b",))
    assert "none was added" not in page_of(a_report(promise=broken))


RAW = (
    "dz_reliable",
    "kendalls_w",
    "tost",
    "odds_ratio",
    "satterthwaite",
    "rm-anova",
    "d_total",
    "eta_squared",
    "pairwise",
)


def test_methods_have_no_raw_names_and_tell_each_analysis_once() -> None:
    sizes = tuple(
        records.Effect(name=name, value=0.5) for name in ("dz", "dz_reliable", "kendalls_w", "odds_ratio", "d_total")
    )
    tests = tuple(
        records.Test(name=name, statistic=1, p=0.2) for name in ("rm-anova", "friedman", "tost", "satterthwaite")
    )
    whole = {"levels": ("cbt", "warm", "none"), "design": "omnibus", "effects": sizes, "tests": tests}
    pair = {"levels": ("cbt", "none"), "design": "pairwise", "outcome": "ctrs.total"}
    told = " ".join(methods_text(a_report(whole, pair)))
    assert not [name for name in RAW if name in told]
    assert told.count("Analysis main (") == 1
    assert (
        "for cbt, warm, none and every pair of them, tested by repeated-measures ANOVA, Friedman, two one-sided" in told
    )
    assert "The same comparison was made for 1 item." in told
    assert "comparisons rest on complete cases" in told
    assert "intention to treat" not in told.lower()


@pytest.mark.parametrize("name", ["cliffs-thing", "their_test"])
def test_a_plugin_s_own_test_is_named_in_words(name: str) -> None:
    assert wording.test_name(name) == name.replace("-", " ").replace("_", " ")


def test_methods_say_over_what_p_was_adjusted_and_cite_it() -> None:
    given = a_report({"held_back": "why", "interval_adjusted": Interval(low=0, high=1, level=0.98, method="t")})
    told = " ".join(methods_text(given))
    assert "The declared outcomes of all analyses were one family (adjusted by Holm, 3 comparisons)" in told
    cited = " ".join(citations(given))
    assert all(name in cited for name in ("Holm", "Strassburger", "Westfall"))


def test_a_test_of_interaction_is_named_by_what_it_is_between() -> None:
    shape = {
        "moderated": ("cbt", "none"),
        "factor": "persona.risk",
        "levels": ("none", "some"),
        "design": "interaction",
    }
    given = a_report({}, {**shape, "outcome": "ctrs.total"})
    assert any("cbt − none by persona.risk" in row.cells[0] for row in comparisons_table(given).rows)
    assert "Whether it depends on persona.risk was tested before" in " ".join(methods_text(given))


def test_a_model_of_ratings_counts_sessions_as_its_sentence_does() -> None:
    one: Comparison = made_up_study(6).results.comparisons[0]
    given = a_report({"unit_of_analysis": "rating", "n": 64})
    at = comparisons_table(given).columns.index("n")
    sessions = sum(group.n for group in one.groups)
    assert comparisons_table(given).rows[0].cells[at] == f"{sessions} (64 ratings)"
