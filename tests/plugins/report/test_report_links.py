"""Numbers of the report lead to the sessions behind them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from cbtrun.plugins.report.behind import behind, behind_comparison, rated_sessions, scored, unscored
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.page import make_tables
from cbtrun.plugins.report.page_parts import Tables
from cbtrun.plugins.report.result_tables import by_contrast
from cbtrun.plugins.report.tables import cell_link
from cbtrun.plugins.report.write import write_all
from tests.helpers.report_studies import made_up_study


@pytest.fixture(scope="module")
def given() -> ReportInput:
    """Three arms of 20 sessions, four of which have no total."""
    return made_up_study(20, figures=("svg", "pdf"))


@pytest.fixture(scope="module")
def folder(given: ReportInput, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder with the report of `given`."""
    made = tmp_path_factory.mktemp("links")
    write_all(given, made)
    return made


def shown(given: ReportInput, found: dict[str, str | list[str]]) -> list[str]:
    """Ids that the list of sessions shows under a filter, as its script does it."""
    rows = set(range(len(given.sessions)))
    if "rows" in found:
        runs = [run.split("-") for run in str(found["rows"]).split(",") if run]
        rows = {place for run in runs for place in range(int(run[0]), int(run[-1]) + 1)}
    kept = {name: [levels] if isinstance(levels, str) else levels for name, levels in found.items() if name != "rows"}
    return [
        one.id
        for place, one in enumerate(given.sessions)
        if place in rows and all({"arm": one.arm, **one.factors}[name] in levels for name, levels in kept.items())
    ]


def test_levels_alone_say_it_where_every_session_of_theirs_is_meant(given: ReportInput) -> None:
    assert behind(given, {"tuning": ["cbt", "none"]}) == {"tuning": ["cbt", "none"]}
    assert behind(given, {"all": "all"}) == {}


def test_scored_and_unscored_sessions_of_a_level_are_told_apart(given: ReportInput) -> None:
    values = given.rated["ctrs"].values["total"]
    at_level = [one.id for one in given.sessions if one.arm == "cbt"]
    with_value, without = (one(given, "ctrs.total", {"arm": "cbt"}) for one in (scored, unscored))
    assert shown(given, with_value) == [id_ for id_ in at_level if values[id_] is not None]
    assert shown(given, without) == [id_ for id_ in at_level if values[id_] is None]
    assert shown(given, without)


def test_a_paired_comparison_rests_on_personas_with_a_value_at_both_levels(given: ReportInput) -> None:
    one = given.results.comparisons[0]
    found = shown(given, behind_comparison(given, one))
    assert len(found) == 2 * one.n
    by_id = {session.id: session for session in given.sessions}
    assert {by_id[id_].factors["tuning"] for id_ in found} == {"cbt", "none"}


def test_sessions_that_an_analysis_leaves_out_are_not_behind_it(given: ReportInput) -> None:
    first = next(one for one in given.sessions if one.arm == "cbt")
    sessions = tuple(
        one.model_copy(update={"flags": ("loop: turn 3",)}) if one is first else one for one in given.sessions
    )
    block = {**given.study["analysis"]["main"], "exclude_flags": ["loop"]}
    flagged = replace(given, sessions=sessions, study={**given.study, "analysis": {"main": block}})
    assert first.id not in shown(flagged, behind_comparison(flagged, given.results.comparisons[0]))


def test_a_subgroup_by_persona_shows_its_personas_sessions(given: ReportInput) -> None:
    one = given.results.comparisons[0].model_copy(update={"where": {"persona.risk": ("none",)}})
    found = shown(given, behind_comparison(given, one))
    safe = {id_ for id_, persona in given.personas.items() if persona.risk == "none"}
    assert {session.persona for session in given.sessions if session.id in found} <= safe
    assert found


def test_sessions_rated_less_often_are_not_behind_an_agreement(given: ReportInput) -> None:
    assert shown(given, rated_sessions(given, "ctrs.total")) == [one.id for one in given.sessions]
    assert shown(given, rated_sessions(given, "ctrs.total", least=2)) == []


def test_every_number_of_scores_and_comparisons_is_linked(given: ReportInput) -> None:
    tables: Tables = make_tables(given)
    for table in (tables.groups, tables.comparisons, tables.items):
        for row in table.rows:
            for at in range(table.words, len(row.cells)):
                nothing = row.cells[at] == "–" or (table.columns[at] == "Missing" and row.cells[at] == "0")
                assert (cell_link(table, row, at) is None) == nothing, (table.name, row.cells, at)


def test_the_keyboard_stops_once_a_row(given: ReportInput) -> None:
    table = make_tables(given).groups
    row = next(one for one in table.rows if one.cells[3] == "0")
    stops = [link.stop for at in range(len(row.cells)) if (link := cell_link(table, row, at))]
    assert stops == [True, False, False, False]


def test_figures_lead_to_the_sessions_behind_their_marks(given: ReportInput, folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    for name in ("groups-ctrs-total", "contrasts", "items-ctrs", "persona-groups"):
        figure = page[page.index(f'id="figure-{name}"') :].split("</figure>")[0]
        links = re.findall(r'href="#sessions=([^"]*)"', figure)
        assert links, name
        assert all(shown(given, json.loads(unquote(unescape(one)))) for one in links)


def test_figures_in_files_lead_to_the_report_and_pdfs_nowhere(folder: Path) -> None:
    svg = (folder / "figures" / "contrasts.svg").read_text(encoding="utf-8")
    assert '"../report.html#sessions=' in svg
    assert '"#sessions=' not in svg
    assert b"/URI" not in (folder / "figures" / "contrasts.pdf").read_bytes()


def test_outcomes_of_one_contrast_stand_together(given: ReportInput) -> None:
    first, second, third = given.results.comparisons
    within = [one.model_copy(update={"where": {"family": ("a",)}}) for one in (first, second)]
    found = by_contrast([first, within[0], second, within[1], third])
    assert found == [first, second, third, *within]


def test_every_number_of_the_finding_and_of_the_warnings_is_a_link(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    finding = re.search(r'<p class="sentence" data-filter.*?</p>', page, re.DOTALL)
    warnings = re.search(r'<ul class="warnings">.*?</ul>', page, re.DOTALL)
    assert finding
    assert warnings
    left = re.sub(r"<a .*?</a>|<b>.*?</b>|95 % CI", "", finding[0].split(">", 1)[1])
    assert finding[0].count("<a ") >= 4
    assert re.findall(r"\d", left) == []
    counted = [line for line in warnings[0].split("<li>")[1:] if "of " in line and "<a " in line]
    assert counted
    assert all(re.findall(r"\d", re.sub(r"<a .*?</a>", "", line)) == [] for line in counted)
