"""What a paper must tell: models, patients, sample size, results in words, references, checklists, flow, statements."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.digests import digest
from cbtrun.contract.records import Interval
from cbtrun.contract.study_view import without_statements
from cbtrun.errors import StageError
from cbtrun.humans.agree import AgreementReport, Figure, OutcomeAgreement, PairwiseAgreement
from cbtrun.plugins.report.bibliography import bibtex
from cbtrun.plugins.report.checklists import CHART_ITEMS, TRIPOD_ITEMS, checklist_tables
from cbtrun.plugins.report.curves import Curve, Point
from cbtrun.plugins.report.flow import ArmFlow, flow, flow_table
from cbtrun.plugins.report.flow_figure import all_sessions, flow_plates, stops_of
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.limitations import _drawable
from cbtrun.plugins.report.methods import citations, methods_text
from cbtrun.plugins.report.models_told import _setting, models_sentences, models_told
from cbtrun.plugins.report.page import make_plates
from cbtrun.plugins.report.people_agreement import people_found, people_table
from cbtrun.plugins.report.results_told import apa_p, results_text
from cbtrun.plugins.report.sample_told import detectable
from tests.helpers.report_studies import made_up_study

SERVED = {
    "using": "openai",
    "model": "gpt-x-2026-01-01",
    "base_url": "https://user:word@api.example.org/v1?key=abc",
    "temperature": 0.7,
    "revision": "r7",
}
STATED = {"ethics": "Waived by the board", "funding": "None.", "data": "OSF abc", "sample_size": "A pilot of 10"}


@pytest.fixture(scope="module")
def given() -> ReportInput:
    """Three arms, a therapist behind a server, and what its authors state."""
    made = made_up_study(20)
    spec: dict[str, Any] = {**made.study, "statements": STATED}
    spec["models"] = {**spec["models"], "tiny": SERVED, "patient": {"using": "scripted-patient"}}
    return replace(made, study=spec)


def test_a_model_is_named_with_id_revision_host_sampling_and_dates_and_nothing_of_its_key(given: ReportInput) -> None:
    told = {one.name: one for one in models_told(given)}
    tiny = told["tiny"]
    assert (tiny.id, tiny.revision, tiny.host) == ("gpt-x-2026-01-01", "r7", "api.example.org")
    assert (tiny.sampling, tiny.dates) == ("temperature 0.7", "2026-11-23")
    assert tiny.roles == ("therapist", "base of tuned therapists")
    assert told["rater"].revision == "of cbtrun 0.1.0"
    words = " ".join(models_sentences(given))
    assert "word@" not in words
    assert "abc" not in words


def test_methods_tell_patients_reason_of_size_registration_and_statements(given: ReportInput) -> None:
    told = " ".join(methods_text(given))
    assert (
        "The 20 patients of the set eval were made by the plugin sampled (from depression); they held the sessions."
        in told
    )
    assert "A pilot of 10. With 17 pairs, a two-sided t test at α = 0.05 detects d_z = 0.7" in told
    assert "The study was not pre-registered." in told
    assert "Ethics: Waived by the board." in told
    assert "Funding: None." in told


def test_the_least_effect_is_that_of_a_t_test(given: ReportInput) -> None:
    pairs = given.results.comparisons[0].model_copy(update={"n": 34})
    assert detectable(pairs) == pytest.approx(0.495, abs=0.005)  # G*Power 3.1: dz = 0.495 for n = 34 with power 0.80
    assert detectable(pairs.model_copy(update={"n": 1})) is None


def test_results_say_what_was_shown_and_what_was_not_as_the_apa_writes_it(given: ReportInput) -> None:
    assert results_text(given)[0].startswith(
        "On CTRS total (of 66), cbt scored higher than none (mean difference = 15.6, 95% CI ["
    )
    assert "p < .001, adjusted p < .001" in results_text(given)[0]
    total = given.results.comparisons[0]
    none = total.model_copy(update={"interval": Interval(low=-1, high=2, method="t"), "estimate": 0.5, "tests": ()})
    told = results_text(replace(given, results=given.results.model_copy(update={"comparisons": (none,)})))[0]
    assert "cbt and none were not shown to differ (mean difference = 0.50" in told
    assert [apa_p("p", 0.0412), apa_p("p", 0.0001), apa_p("p", 1.0)] == ["p = .041", "p < .001", "p = 1.000"]


def test_every_reference_is_an_entry_of_bibtex(given: ReportInput) -> None:
    text = bibtex([*citations(given), "Young & Beck, manual {1980}, 50 %"])
    assert text.count("@misc{") == len(citations(given)) + 1
    assert "author = {{The cbtrun authors}}" in text
    assert "@misc{holm1979," in text
    assert r"note = {Young \& Beck, manual \{1980\}, 50 \%}" in text


def test_checklists_say_what_is_reported_where_and_what_is_yours(given: ReportInput) -> None:
    chart, tripod = checklist_tables(given)
    assert (len(chart.rows), len(tripod.rows)) == (len(CHART_ITEMS), len(TRIPOD_ITEMS)) == (30, 49)
    states = {row.cells[0]: row.cells[2:] for row in chart.rows}
    assert states["12c"] == ("reported", "statements: ethics", "–")
    assert states["12a"] == ("yours to add", "–", "interests under statements: in the study")
    assert states["8"][0] == "reported"
    assert states["11c"] == ("yours to add", "–", "the discussion")


def test_the_flow_counts_sessions_by_arm(given: ReportInput) -> None:
    found = {one.arm: (one.planned, one.held, one.rated, one.analysed) for one in flow(given)}
    assert found == {"untuned": (20, 20, 19, 17), "cbt": (20, 20, 18, 17), "supportive": (20, 20, 20, None)}


def test_the_flow_is_drawn_arm_by_arm_and_the_table_has_its_numbers(given: ReportInput) -> None:
    plate = next(flow_plates(given))
    for width in (760, 350):
        words = [one.get_text() for one in plate.draw(width).axes[0].texts]
        assert words[0] == "60 sessions planned"
        assert [words.count(one) for one in ("planned 20", "held 20", "rated 20", "analysed 17")] == [3, 3, 1, 2]
        assert "not in the finding" in words
        assert "excluded 0\nno partner 2" in words
    table = flow_table(given)
    assert table is not None
    assert [row.cells[0] for row in table.rows] == ["untuned", "cbt", "supportive"]
    assert make_plates(given).all()[0].name == "flow"


def test_a_flow_of_sessions_held_elsewhere_begins_with_what_there_is() -> None:
    imported = ArmFlow("all sessions", planned=None, held=8, excluded=1, rated=7, analysed=6)
    assert all_sessions([imported]) == "8 sessions"
    assert [one.words for one in stops_of(imported)] == ["held 8", "rated 7", "analysed 6"]
    assert [one.lost for one in stops_of(imported)] == [("no score 1",), ("excluded 1",), ()]


def test_statements_are_no_part_of_a_studys_digest(given: ReportInput) -> None:
    bare = {name: part for name, part in given.study.items() if name != "statements"}
    assert digest(without_statements(given.study)) == digest(bare)


def test_peoples_agreement_is_read_from_the_run_and_shown(given: ReportInput, tmp_path: Path) -> None:
    assert people_found(tmp_path) is None
    pair = PairwiseAgreement(
        name="icc_2_1", human_human=Figure(value=0.7), model_human=Figure(value=0.5), difference=Figure(value=-0.2)
    )
    one = OutcomeAgreement(
        outcome="ctrs.total",
        kind="total",
        title="Total",
        sessions=12,
        pairwise=(pair,),
        humans=None,
        models=(),
        note="so",
    )
    report = AgreementReport(
        ratings="ctrs", rubric="ctrs", rubric_digest="x", validation="", notes=(), humans=("a", "b"), models=("rater",),
        sessions=12, missing={}, outcomes=(one,),
    )  # fmt: skip
    (tmp_path / "agreement").mkdir()
    (tmp_path / "agreement" / "agreement.json").write_text(report.model_dump_json())
    table = people_table(replace(given, people=people_found(tmp_path)))
    assert table is not None
    assert table.rows[0].cells[:4] == ("CTRS total (of 66)", "12", "0.70 [no interval]", "0.50 [no interval]")
    (tmp_path / "agreement" / "agreement.json").write_text(json.dumps({"ratings": "ctrs"}))
    with pytest.raises(StageError, match="not what cbtrun agree writes"):
        people_found(tmp_path)


def test_a_curve_of_single_turns_is_not_drawn() -> None:
    lone = Point(1.0, "1", 1, 0.5, None)
    held = Point(2.0, "2", 9, 0.5, Interval(low=0.2, high=0.8, method="t"))
    assert _drawable(Curve("a", (lone, held))) is None
    assert _drawable(Curve("a", (lone, held, held))) == Curve("a", (held, held))


def test_a_setting_that_is_a_switch_is_told_in_words() -> None:
    settings: dict[str, Any] = {"temperature": 0.7, "seed": False, "thinking": True}
    assert [_setting(*one) for one in settings.items()] == ["temperature 0.7", "no seed", "thinking on"]
    assert _setting("seed", True) == "a seed for each draw"
