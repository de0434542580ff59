"""Labels stand wherever people read; files for programs keep the names."""

from __future__ import annotations

import re

import pytest

from cbtrun.contract.labels import labels_of
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.labelled import labelled
from cbtrun.plugins.report.page import make_tables, render_page
from cbtrun.plugins.report.page_parts import Plates
from cbtrun.plugins.report.result_tables import tidy_comparisons, tidy_sessions
from cbtrun.plugins.report.transcripts import pack_sessions
from cbtrun.plugins.report.wording import contrast
from cbtrun.results.labelled import labelled_comparison
from cbtrun.statistics.sentences import sentence_of, usual_sentence
from tests.helpers.report_studies import made_up_study

LEVELS = {"cbt": "Tuned on CBT", "none": "As it came", "supportive": "Tuned on warm talk"}


@pytest.fixture(scope="module")
def given() -> ReportInput:
    """A made-up study in which all that can have a label has one."""
    plain = made_up_study(4, transcripts=False)
    arms = {name: {**arm, "label": f"Arm of {name.upper()}"} for name, arm in plain.study.blocks("arms").items()}
    factors = {"tuning": {"label": "Training", "levels": {**LEVELS, "none": {"label": LEVELS["none"]}}}}
    study = {**plain.study, "arms": arms, "factors": factors}
    study["ratings"]["ctrs"] = {
        **study["ratings"]["ctrs"],
        "item_labels": {"agenda": "Plan of the hour", "total": "CTRS sum"},
    }
    said = made_up_study(4, spec=study, transcripts=False)
    return labelled(said, labels_of(said.study))


def test_no_level_arm_or_factor_is_left_under_its_name_in_tables_and_sentences(given: ReportInput) -> None:
    tables = make_tables(given)
    cells = [
        cell
        for table in tables.all()
        if not table.name.startswith("checklist")
        for row in table.rows
        for cell in row.cells
    ]
    assert contrast(given.results.comparisons[0]) == "Tuned on CBT − As it came"
    assert [one for one in cells if re.search(r"(?<![-.])\b(cbt|supportive|tuning|untuned)\b", one)] == []


def test_sentences_speak_of_levels_and_factors_by_their_labels(given: ReportInput) -> None:
    """Of two levels, of several, of an interaction, of a subgroup."""
    labels = labels_of(given.named.study)
    one = given.named.results.comparisons[0]
    three = one.model_copy(update={"levels": ("cbt", "none", "supportive"), "estimate": None})
    depends = one.model_copy(update={"factor": "family", "levels": ("a", "b"), "moderated": ("cbt", "none")})
    among = one.model_copy(update={"where": {"tuning": ("cbt", "none"), "arm": ("cbt",)}})
    said = [
        labelled_comparison(made.model_copy(update={"sentence": sentence_of(made, usual_sentence)}), labels).sentence
        for made in (one, three, depends, among)
    ]
    assert re.match("`Tuned on CBT` scored [0-9.]+ points higher than `As it came`", said[0])
    assert said[1].startswith("The levels `Tuned on CBT`, `As it came`, `Tuned on warm talk` of Training")
    assert "difference between `Tuned on CBT` and `As it came`" in said[2]
    assert said[3].startswith("Among sessions with Training Tuned on CBT or As it came; arm Arm of CBT: `Tuned on CBT`")


def test_filters_of_the_page_lead_to_the_same_sessions(given: ReportInput) -> None:
    page = render_page(given, Plates((), (), (), (), (), (), ()), make_tables(given), pack_sessions(given), inline=True)
    assert "Tuned on CBT" in page
    assert "Plan of the hour" in page
    assert "CTRS sum" in page
    assert 'data-filter=\'{"Training": ["Tuned on CBT", "As it came"]}\'' in page.replace("&#34;", '"')


def test_the_studys_file_is_quoted_as_it_is_written(given: ReportInput) -> None:
    page = render_page(given, Plates((), (), (), (), (), (), ()), make_tables(given), pack_sessions(given), inline=True)
    assert "factor: tuning" in page


def test_files_for_programs_keep_the_names(given: ReportInput) -> None:
    assert "Tuned on CBT" not in tidy_comparisons(given.named) + tidy_sessions(given.named)
    assert ",cbt," in tidy_sessions(given.named)


def test_without_labels_the_input_is_what_it_was() -> None:
    plain = made_up_study(2)
    assert labelled(plain, labels_of(plain.study)) is plain
    assert plain.named is plain
