"""The report: one page that says what was found, and files beside it."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from cbtrun.contract.records import Failure, Interval, ItemScore, Quote, Turn
from cbtrun.plugins.report.cost import cost_table
from cbtrun.plugins.report.diagnostics import warnings
from cbtrun.plugins.report.figure_style import save_figure
from cbtrun.plugins.report.html import OPTIONS
from cbtrun.plugins.report.inputs import (
    Environment,
    ReportInput,
    TrainingPoint,
    grouped_levels,
    main_grouping,
    may_show_transcripts,
)
from cbtrun.plugins.report.limitations import _measured
from cbtrun.plugins.report.page import make_tables, render_page
from cbtrun.plugins.report.page_parts import Plates
from cbtrun.plugins.report.persona_groups import persona_plates, persona_table
from cbtrun.plugins.report.plates import forest_plates, groups_plates
from cbtrun.plugins.report.reliability import agreement_table, reliability_table
from cbtrun.plugins.report.tables import Row, Table, is_too_wide_for_a_phone
from cbtrun.plugins.report.training import training_log
from cbtrun.plugins.report.transcripts import pack_sessions
from cbtrun.plugins.report.write import write_all
from cbtrun.reliability.records import Coefficient, Reliability
from cbtrun.statistics.sentences import sentence_of
from tests.helpers.report_studies import made_up_study

NO_SCORES = ("models", "flow", "checklist", "limitations", "exclusions", "fidelity", "phq9", "persona-balance")
"""Tables that hold no rubric's scores: each has a note of its own."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportInput, Path]:
    """A study of 24 sessions and the folder of its report."""
    given = made_up_study(8, figures=("svg",))
    folder = tmp_path_factory.mktemp("report")
    assert write_all(given, folder)[0] == folder / "report.html"
    return given, folder


@pytest.fixture(scope="module")
def page(written: tuple[ReportInput, Path]) -> str:
    """The text of the report's page."""
    return (written[1] / "report.html").read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Ids, links and what a page would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            if name in ("src", "srcset", "poster") or (name == "href" and tag == "link"):
                self.fetched.append(value or "")


def test_page_fetches_nothing(page: str) -> None:
    assert [one for one in Outline(page).fetched if not one.startswith("data:")] == []
    assert "default-src 'none'" in unescape(page)
    assert not re.search(r"@import|url\((?!#)", page)


def test_every_id_is_there_once(page: str) -> None:
    ids = Outline(page).ids
    assert sorted(ids) == sorted(set(ids))


def test_links_within_the_page_lead_somewhere(page: str) -> None:
    outline = Outline(page)
    targets = [
        link[1:]
        for link in outline.links
        if link.startswith("#") and not link.startswith(("#session=", "#sessions=", "#pair="))
    ]
    assert set(targets) <= set(outline.ids)


def test_dots_of_the_figure_lead_to_their_sessions(written: tuple[ReportInput, Path], page: str) -> None:
    links = {link.removeprefix("#session=") for link in Outline(page).links if link.startswith("#session=")}
    assert links == {session.id for session in written[0].sessions}


def test_headline_is_the_first_declared_comparison_with_interval_and_n(
    written: tuple[ReportInput, Path], page: str
) -> None:
    told = _words(page)
    assert written[0].results.comparisons[0].sentence in told
    assert f"n{written[0].results.comparisons[0].n} unit: pair of one persona" in told


def test_page_says_once_that_it_is_not_a_treatment(page: str) -> None:
    assert page.count("research software, not a treatment") == 1


def test_every_figure_and_table_of_scores_carries_the_validation_note(page: str) -> None:
    for figure in re.findall(r"<figure.*?</figure>", page, flags=re.S):
        counts_alone = "training" in figure or 'id="figure-flow"' in figure
        assert counts_alone or "not validated for CBT against clinicians" in figure
    tables = re.findall(r'<table id="table-(\w+)"', page)
    assert {"groups", "items", "comparisons"} <= set(tables)
    for part in page.split('<table id="table-')[1:]:
        assert (
            part.startswith(("cost", "diagnostics", *NO_SCORES))
            or "not validated for CBT against clinicians" in part.split("<table")[0]
        )


def test_numbers_of_the_page_are_those_of_the_results(written: tuple[ReportInput, Path], page: str) -> None:
    total, told = written[0].results.ratings["ctrs"].outcomes[0], re.sub(r"</?span[^>]*>", "", page)
    for group in total.groups["tuning"]:
        span = group.interval
        assert span is not None
        assert f"{group.mean:.1f} [{span.low:.1f}, {span.high:.1f}]" in told


def test_missing_scores_are_told_with_their_reason() -> None:
    given = made_up_study(30)
    told = _words(_page(given))
    missing = given.results.ratings["ctrs"].outcomes[0].groups["all"][0].missing
    assert missing > 0
    assert f"{missing} of 90 sessions" in told
    assert re.search(r"\d missing: quote not found \(\d\)", told)


def test_embedded_models_are_called_toys() -> None:
    given = made_up_study(4)
    told = _words(_page(replace(given, embedded=("author", "patient", "rater"))))
    assert "The models author, patient and rater came with cbtrun and are toys: these results show" in told
    assert "The model rater came with cbtrun and is a toy" in _words(_page(replace(given, embedded=("rater",))))
    assert "not anything about therapy" not in _page(given)


def test_a_difference_under_a_point_has_its_decimals_wherever_it_stands() -> None:
    given = made_up_study(6)
    found = given.results.comparisons[0]
    span = Interval(low=-3.456, high=4.956, method="t")
    small = found.model_copy(
        update={"estimate": 0.75, "interval": span, "factor": "courses", "levels": ("58", "5"), "sentence": ""}
    )
    small = small.model_copy(update={"sentence": sentence_of(small)})
    others = given.results.comparisons[1:]
    told = _words(_page(replace(given, results=given.results.model_copy(update={"comparisons": (small, *others)}))))
    # 95 % CI of -3.46 to 4.96 holds 0, so nothing was shown
    not_shown = "courses 58 was not shown to score higher or lower than courses 5"
    assert f"{not_shown} (difference 0.75 points, 95 % CI −3.46 to 4.96; n = 4 pairs" in told
    assert "Difference, courses 58 − courses 5 0.75 [−3.46, 4.96]" in told
    assert told.count("0.75 [−3.46, 4.96]") == 3  # the finding, the first screen's forest and the table of comparisons


def test_failures_are_told() -> None:
    given = made_up_study(4)
    failure = Failure(stage="sessions", unit="cbt-p001-1", reason="the server is down")
    counts = given.results.counts.model_copy(update={"failures": {"sessions": 1}})
    results = given.results.model_copy(update={"counts": counts})
    assert "1 unit of sessions could not be finished" in _page(replace(given, failures=(failure,), results=results))


def test_methods_text_names_rubric_tests_seed_and_citations(page: str) -> None:
    told = _words(page.split('id="methods-text"')[1].split("</section>")[0])
    for words in (
        "Cognitive Therapy Rating Scale",
        "paired t and Wilcoxon",
        "seed 2412",
        "Young, J. E., & Beck",
        "Holm",
    ):
        assert words in told


def test_a_study_of_nothing_but_its_name_still_has_a_report(tmp_path: Path) -> None:
    given = made_up_study(2, figures=())
    results = given.results.model_copy(update={"ratings": {}, "comparisons": (), "assumptions": {}})
    empty = replace(given, study={"study": "bare"}, results=results, sessions=(), rated={}, training={})
    write_all(empty, tmp_path)
    assert "0 sessions" not in (tmp_path / "tables" / "sessions.csv").read_text()
    assert main_grouping(empty) == "all"


def test_the_same_study_gives_the_same_page() -> None:
    assert _page(made_up_study(4)) == _page(made_up_study(4))


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_the_same_figure_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    plate = next(groups_plates(made_up_study(4)))
    first = save_figure(plate, tmp_path, (kind,))[0].read_bytes()
    assert save_figure(plate, tmp_path, (kind,))[0].read_bytes() == first


# Who the patients are, how scores repeat, what others found --------------------------------------------------------


def test_persona_groups_hold_every_session_once() -> None:
    given = made_up_study(20)
    table = persona_table(given)
    assert table is not None
    for attribute in ("severity", "engagement", "risk"):
        rows = [row.cells for row in table.rows if row.cells[0].startswith(attribute)]
        assert sum(int(cells[2]) + int(cells[3]) for cells in rows) == 60
    assert not [row for row in table.rows if row.cells[0].startswith("disclosure")]


def test_a_study_without_personas_has_no_persona_groups() -> None:
    given = replace(made_up_study(4), personas={})
    assert persona_table(given) is None
    assert list(persona_plates(given)) == []


def test_variance_of_repeated_ratings_is_shown_and_low_reliability_is_told() -> None:
    given = made_up_study(4)
    noisy = given.results.comparisons[0].model_copy(
        update={"variance": {"rater": 4.0, "session": 2.0, "reliability": 0.4}}
    )
    noisy_study = replace(given, results=given.results.model_copy(update={"comparisons": (noisy,)}))
    table = reliability_table(noisy_study)
    assert table is not None
    assert table.rows[0].cells == ("CTRS total", "4", "4.00", "2.00", "0.40")
    assert any("repeat poorly (reliability 0.40)" in one.text for one in warnings(noisy_study))
    assert reliability_table(given) is None


def test_agreement_of_raters_is_shown_with_intervals() -> None:
    given = made_up_study(4)
    span = Interval(low=0.41, high=0.83, method="F")
    found = Reliability(
        outcome="ctrs.total",
        kind="total",
        title="Total",
        between="raters",
        columns=("a", "b"),
        sessions=12,
        complete=12,
        missing=0,
        coefficients=(Coefficient(name="icc_2_1", value=0.667, interval=span, n=12),),
    )
    rated = given.results.ratings["ctrs"].model_copy(update={"reliability": (found,)})
    twice = replace(given, results=given.results.model_copy(update={"ratings": {"ctrs": rated}}))
    table = agreement_table(twice)
    assert table is not None
    assert table.columns[-1] == "ICC(2,1) [95 % CI]"
    assert table.rows[0].cells == ("CTRS total", "raters", "12", "0.67 [0.41, 0.83]")


def test_several_contrasts_stand_under_headings_of_their_own() -> None:
    given = made_up_study(4)
    first = given.results.comparisons[0]
    other = first.model_copy(
        update={"analysis": "second", "levels": ("cbt", "supportive"), "estimate": None, "interval": None}
    )
    again = first.model_copy(update={"analysis": "third"})
    page = _page(replace(given, results=given.results.model_copy(update={"comparisons": (first, other, again)})))
    headings = re.findall(r'<tr class="block"><th colspan="\d">([^<]*)</th></tr>', page)
    assert headings == ["cbt − none (main)", "cbt − supportive", "cbt − none (third)"]


def test_contrasts_of_several_outcomes_stand_under_headings_in_the_forest() -> None:
    given = made_up_study(4)
    agenda = given.results.comparisons[1]
    other = agenda.model_copy(update={"analysis": "second", "levels": ("cbt", "supportive")})
    homework = given.results.comparisons[2]
    several = replace(given, results=given.results.model_copy(update={"comparisons": (agenda, homework, other)}))
    plate = next(one for one in forest_plates(several) if one.name == "item-contrasts")
    labels = plate.draw(760).axes[0].get_yticklabels()
    assert [one.get_text() for one in labels] == [
        "cbt − none",
        "Agenda (of 6)",
        "Homework (of 6)",
        "cbt − supportive",
        "Agenda (of 6)",
    ]
    assert [one.get_fontweight() for one in labels] == ["bold", "normal", "normal", "bold", "normal"]


def test_contrasts_of_one_outcome_are_named_by_their_levels() -> None:
    given = made_up_study(4)
    total = given.results.comparisons[0]
    other = total.model_copy(update={"analysis": "second", "levels": ("cbt", "supportive")})
    both = replace(given, results=given.results.model_copy(update={"comparisons": (total, other)}))
    (plate,) = forest_plates(both)
    axes = plate.draw(760).axes[0]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["cbt − none", "cbt − supportive"]
    assert axes.get_xlabel() == "difference in CTRS total, points of 66"


def test_a_level_keeps_its_place_and_colour_in_every_figure() -> None:
    given = made_up_study(6)  # sessions begin with the arm untuned, the analysis names cbt first
    order = grouped_levels(given, "tuning")
    assert order[:2] == ("cbt", "none")
    assert tuple(_measured(given)) == order


# Files beside the page -----------------------------------------------------------------------------------------


def test_tidy_tables_hold_the_numbers_unrounded(written: tuple[ReportInput, Path]) -> None:
    given, folder = written
    with (folder / "tables" / "groups.csv").open(newline="") as file:
        rows = {(row["outcome"], row["grouping"], row["level"]): row for row in csv.DictReader(file)}
    group = given.results.ratings["ctrs"].outcomes[0].groups["tuning"][0]
    assert float(rows["ctrs.total", "tuning", "cbt"]["mean"]) == group.mean
    with (folder / "tables" / "sessions.csv").open(newline="") as file:
        sessions = list(csv.DictReader(file))
    assert [row["session"] for row in sessions] == [session.id for session in given.sessions]


def test_every_table_comes_as_csv_markdown_and_latex(written: tuple[ReportInput, Path]) -> None:
    tables = {path.name for path in (written[1] / "tables").iterdir()}
    assert {"items.md", "items.tex", "groups.md", "comparisons.tex", "comparisons.csv"} <= tables
    assert {Path(name).stem for name in tables if name.endswith(".md")} == {
        Path(name).stem for name in tables if name.endswith(".csv")
    } - {"sessions"}


def test_only_the_wanted_formats_are_written(tmp_path: Path) -> None:
    given = made_up_study(4, figures=("png",), tables=("markdown",))
    write_all(replace(given, results=given.results.model_copy(update={"comparisons": ()}), training={}), tmp_path)
    endings = {path.suffix for folder in ("tables", "figures") for path in (tmp_path / folder).iterdir()}
    assert endings == {".png", ".md"}


def test_figures_carry_their_fonts(written: tuple[ReportInput, Path]) -> None:
    for path in (written[1] / "figures").glob("*.svg"):
        assert "<text" not in path.read_text()


# Words of sessions ---------------------------------------------------------------------------------------------


def test_transcripts_are_shown_for_simulated_and_hidden_for_real_people() -> None:
    assert may_show_transcripts("auto", real_people=False)
    assert not may_show_transcripts("auto", real_people=True)
    assert may_show_transcripts(option=True, real_people=True)
    assert not may_show_transcripts(option=False, real_people=False)


def test_no_word_of_a_real_person_is_in_any_file_of_the_report(tmp_path: Path) -> None:
    given = _with_words(made_up_study(4, spec={"contains": "real-people"}, figures=("svg",)), "Zanzibar confession")
    for path in write_all(given, tmp_path):
        content = path.read_bytes()
        assert b"Zanzibar" not in content, path
    for session in _unpacked(given).values():
        assert session["turns"] is None
        assert "Zanzibar" not in json.dumps(session)
    assert "Words of the sessions are not shown" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_words_evidence_and_rationale_are_packed_where_they_may_be_shown() -> None:
    given = _with_words(made_up_study(4), "Zanzibar confession")
    session = _unpacked(given)[given.sessions[0].id]
    assert session["turns"][0] == ["t", "Zanzibar confession"]
    assert session["ratings"][0]["scores"][0] == ["agenda", 3.0, "", "Zanzibar confession", [[1, "Zanzibar"]], False]


def test_hostile_text_is_packed_as_text_and_never_ends_the_script() -> None:
    hostile = '</script><script>alert("x")</script>\x00\ud800\u202e' + "a" * 100_000
    given = _with_words(made_up_study(2), hostile)
    assert "alert(" not in _page(given)
    assert _unpacked(given)[given.sessions[0].id]["turns"][0][1].startswith("</script><script>alert")


def test_hostile_names_are_escaped() -> None:
    given = made_up_study(4, spec={"title": "<img src=x onerror=alert(1)> $x$ \ud800"})
    hostile = '"><script>alert(2)</script>'
    sessions = tuple(one.model_copy(update={"ended": hostile, "flags": (hostile,)}) for one in given.sessions)
    page = _page(replace(given, sessions=sessions))
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; $x$ \ufffd" in page


def test_many_sessions_go_into_a_folder_beside_the_page(tmp_path: Path) -> None:
    given = _without_figures(made_up_study(4, figures=(), max_page_sessions=5))
    paths = write_all(given, tmp_path)
    beside = [path for path in paths if path.parent.name == "report_transcripts"]
    assert [path.name for path in beside] == ["0000.js", "0001.js"]  # sessions, and who sat there
    assert 'id="chunk-0"' not in (tmp_path / "report.html").read_text(encoding="utf-8")
    write_all(_without_figures(made_up_study(4, figures=())), tmp_path)
    assert not (tmp_path / "report_transcripts").exists()


def test_pack_is_cut_into_chunks_that_hold_every_session_once() -> None:
    given = _with_words(made_up_study(30), "long " * 4000)
    pack = pack_sessions(given)
    assert len(pack.chunks) > 1
    assert set(_unpacked(given)) == {session.id for session in given.sessions} == set(pack.chunk_of)


# Options and logs ----------------------------------------------------------------------------------------------


def test_every_option_has_a_description_and_a_default_that_fits_it() -> None:
    jsonschema.Draft202012Validator.check_schema(OPTIONS)
    later = {"card"}  # a default would change the digest of every study that was registered before it
    defaults = {name: option["default"] for name, option in OPTIONS["properties"].items() if name not in later}
    jsonschema.validate(defaults, OPTIONS)
    assert all(option["description"].endswith(".") for option in OPTIONS["properties"].values())


def test_training_log_is_the_mean_over_seeds(tmp_path: Path) -> None:
    for seed, loss in ((1, 2.0), (2, 4.0)):
        (tmp_path / f"seed-{seed}").mkdir()
        (tmp_path / f"seed-{seed}" / "training-log.jsonl").write_text(json.dumps({"step": 1, "loss": loss}) + "\n")
        (tmp_path / f"seed-{seed}" / "speed.jsonl").write_text(
            "".join(
                json.dumps({"step": 1, "tokens_per_second": speed * seed}) + "\n" for speed in (5, 10)
            )  # done twice
        )
    assert training_log(tmp_path) == (TrainingPoint(1, 3.0, tokens_per_second=15.0),)
    assert training_log(tmp_path / "nothing") == ()


def _page(given: ReportInput) -> str:
    """The page without its figures, which take most of the time."""
    return render_page(given, Plates((), (), (), (), ()), make_tables(given), pack_sessions(given), inline=True)


def _without_figures(given: ReportInput) -> ReportInput:
    """The study without scores, so that there is nothing to draw."""
    results = given.results.model_copy(update={"ratings": {}, "comparisons": ()})
    return replace(given, results=results, rated={}, training={})


def _with_words(given: ReportInput, words: str) -> ReportInput:
    """The study with the same words in every first turn, its flags, rationales and quotes."""
    first = Turn(speaker="therapist", text=words)
    sessions = tuple(
        one.model_copy(
            update={"turns": (first, *one.turns[1:]), "flags": (f"odd: {words}",), "labels": {"note": words}}
        )
        for one in given.sessions
    )
    score = ItemScore(item="agenda", score=3, rationale=words, evidence=(Quote(turn=1, text=words[:8]),))
    lost = ItemScore(item="feedback", score=None, reason=f"evidence not found: {words}")
    rated = given.rated["ctrs"]
    ratings = [one.model_copy(update={"scores": (score, lost, *one.scores[2:])}) for one in rated.ratings]
    return replace(given, sessions=sessions, rated={"ctrs": replace(rated, ratings=ratings)})


def _unpacked(given: ReportInput) -> dict[str, dict[str, object]]:
    """Every packed session."""
    chunks = [json.loads(gzip.decompress(base64.b64decode(chunk))) for chunk in pack_sessions(given).chunks[:-1]]
    return {id_: session for chunk in chunks for id_, session in chunk.items()}


def _words(page: str) -> str:
    """The page's text without markup, spaces joined."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())


def test_a_table_too_wide_for_a_phone_gives_every_number_a_line_with_its_name() -> None:
    rows = (Row(("a", "x" * 20, "1.00 [0.50, 1.50]", "2.00 [1.50, 2.50]", "3.00 [2.50, 3.50]")),)
    wide = Table("wide", "Wide", ("Outcome", "Group", "Mean", "Median", "Difference"), rows, 2)
    assert is_too_wide_for_a_phone(wide)
    assert not is_too_wide_for_a_phone(replace(wide, columns=wide.columns[:3]))


def test_costs_stand_in_the_page_and_in_no_file(written: tuple[ReportInput, Path], page: str) -> None:
    given, folder = written
    assert 'id="table-cost"' in page
    assert given.environment.stages[0].model in page[page.index('id="table-cost"') :]
    assert not list((folder / "tables").glob("cost*"))
    assert cost_table(replace(given, environment=Environment())) is None


def test_costs_tell_of_batches_and_caches_where_a_stage_had_them(written: tuple[ReportInput, Path]) -> None:
    given = written[0]
    plain = cost_table(given)
    stages = [replace(one, cached=one.tokens_in // 2, batched=one.calls) for one in given.environment.stages[-1:]]
    bought = cost_table(replace(given, environment=replace(given.environment, stages=tuple(stages))))
    assert plain
    assert bought
    assert not {"In batches", "From caches"} & set(plain.columns)
    row = dict(zip(bought.columns, bought.rows[0].cells, strict=True))
    assert (row["In batches"], row["From caches"]) == (row["Calls"], "50%")


def test_what_a_published_value_comes_to_stands_below_its_row() -> None:
    given = made_up_study(4, figures=())
    entry = {"outcome": "ctrs.total", "factor": "tuning", "levels": {"cbt": {"mean": 30}}, "source": "Somebody 2024"}
    page = _page(replace(given, study={**given.study, "compare_with": {"x": entry}}))
    table = page[page.index('id="table-published"') :].split("</table>")[0]
    assert "In a word</th>" not in table
    assert "<b>In a word:</b>" in table
