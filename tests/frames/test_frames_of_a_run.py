"""The frames of a run say what its files say, also of what is missing, in pandas as in polars."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

import cbtrun
from cbtrun.frames.frame_columns import FrameColumns, frame_columns
from cbtrun.testing.projects import StudyProject
from tests.helpers.gaps_study import GAPS, PLUGIN
from tests.helpers.imported_study import STUDY, TRANSCRIPTS
from tests.helpers.places import RUBRICS

Make = Callable[[Mapping[str, str]], StudyProject]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The run folder, made by `cbtrun.run`."""
    folder = tmp_path_factory.mktemp("gaps")
    (folder / "study.yaml").write_text(GAPS, encoding="utf-8")
    (folder / "flaky.py").write_text(PLUGIN, encoding="utf-8")
    with chdir(folder):
        with pytest.warns(cbtrun.IncompleteRun, match=r"4 failed.*nothing scored: rating set 'other'"):
            run = cbtrun.run("study.yaml", allow_local_plugins=True, quiet=True)
        assert run.ended is not None
        assert run.ended["exit_code"] == 3
        yield folder / run.path


def rows(frame: Any) -> Rows:
    """The rows of a pandas frame, None where a cell is missing."""
    import pandas

    def plain(cell: Any) -> Any:
        return None if not isinstance(cell, list | tuple) and pandas.isna(cell) else cell

    return [{name: plain(cell) for name, cell in row.items()} for row in frame.to_dict("records")]


def test_a_session_that_failed_has_its_row_with_the_reason(gaps: Path) -> None:
    sessions = rows(cbtrun.load_run(gaps).sessions)
    assert [(one["session"], one["state"]) for one in sessions] == [
        *((f"careful/eval-00{number}/1", "held") for number in (1, 2, 3)),
        *((f"flaky/eval-00{number}/1", "held") for number in (2, 3)),
        ("flaky/eval-001/1", "failed"),
    ]
    assert sessions[-1]["reason"] == "refused: it said the word"
    assert [sessions[-1][name] for name in ("arm", "persona", "factor.who", "turns")] == [
        "flaky", "eval-001", "flaky", None,
    ]  # fmt: skip
    assert [sessions[0]["arm_label"], sessions[-1]["arm_label"]] == ["Careful control", "flaky"]


def test_a_score_that_nobody_gave_has_its_row_and_no_value(gaps: Path) -> None:
    run = cbtrun.load_run(gaps)
    totals = [one for one in rows(run.scores) if one["item"] == "total"]
    assert [(one["set"], one["state"], one["reason"], one["value"] is None) for one in totals] == [
        *[("ctrs", "scored", None, False)] * 5,
        *[("other", "missing", "no answer from the model", True)] * 3,
        *[("other", "missing", "invalid answer: not JSON", True)] * 2,
    ]
    items = [one for one in rows(run.ratings) if one["set"] == "other"]
    assert {(one["state"], one["score"], one["rater"]) for one in items} == {("missing", None, "reader")}


def test_scores_have_labels_scales_and_weights(gaps: Path) -> None:
    told = {one["outcome"]: one for one in rows(cbtrun.load_run(gaps).scores)}
    agenda, total, other = told["ctrs.agenda"], told["ctrs.total"], told["other.agenda"]
    assert [agenda[name] for name in ("label", "kind", "scale_low", "scale_high", "weight")] == [
        "Setting an agenda", "item", 0, 6, 1,
    ]  # fmt: skip
    assert [total[name] for name in ("label", "kind", "scale_high", "weight")] == ["Total", "total", 66, None]
    assert other["label"] == "Agenda"


def test_a_session_that_was_never_rated_has_its_rows(gaps: Path, tmp_path: Path) -> None:
    shutil.copytree(gaps, tmp_path / "gaps")
    for kind in ("ratings", "scores"):
        path = tmp_path / "gaps" / kind / "ctrs.jsonl"
        lines = [line for line in path.read_text().splitlines() if '"session":"careful/eval-002/1"' not in line]
        path.write_text("\n".join([*lines, ""]))
    scores = rows(cbtrun.load_run(tmp_path / "gaps").scores)
    lost = [one for one in scores if one["session"] == "careful/eval-002/1" and one["set"] == "ctrs"]
    assert len(lost) == len({one["outcome"] for one in scores if one["set"] == "ctrs"})
    assert {(one["state"], one["reason"], one["ratings"]) for one in lost} == {("missing", "not rated", 0)}


def test_numbers_are_those_of_results_json_and_of_the_tables(gaps: Path) -> None:
    run = cbtrun.load_run(gaps)
    results = json.loads((gaps / "results.json").read_text())
    assert run.results == results
    kept, found = results["comparisons"], rows(run.comparisons)
    assert [one["estimate"] for one in found] == [one["estimate"] for one in kept]
    assert [one["p"] for one in found] == [next((test["p"] for test in one["tests"]), None) for one in kept]
    assert [one["interval_low"] for one in found] == [one["interval"] and one["interval"]["low"] for one in kept]
    values = {(one["session"], one["outcome"]): one["value"] for one in rows(run.scores)}
    with (gaps / "tables/sessions.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert {
        (row["session"], name): float(cell) if cell else None
        for row in table
        for name, cell in row.items()
        if "." in name
    } == values
    with (gaps / "tables/groups.csv").open(newline="") as file:
        means = [(row["outcome"], row["level"], row["mean"]) for row in csv.DictReader(file)]
    given = [(one["outcome"], one["level"], one["mean"]) for one in rows(run.groups)]
    assert [(a, b, float(c) if c else None) for a, b, c in means] == given


def test_a_comparison_that_could_not_be_made_says_why(gaps: Path) -> None:
    main, lost = rows(cbtrun.load_run(gaps).comparisons)
    assert (main["state"], main["reason"], main["n"]) == ("estimated", None, 2)
    assert list(main["level_labels"]) == ["A careful one", "One that fails"]
    assert "A careful one" in main["sentence"]
    assert (lost["state"], lost["estimate"]) == ("not estimated", None)
    assert "has a value" in lost["reason"]


def test_calls_that_failed_stand_below_those_that_were_answered(gaps: Path) -> None:
    run = cbtrun.load_run(gaps)
    calls = rows(run.calls)
    failed = [one for one in calls if one["state"] == "failed"]
    assert [(one["stage"], one["arm"], one["tokens_in"]) for one in failed] == [
        ("sessions", "flaky", None),
        *[("ratings.other", "careful", None)] * 3,
    ]
    assert calls[-len(failed) :] == failed
    held = {one["session"] for one in rows(run.sessions) if one["state"] == "held"}
    assert {one["session"] for one in calls if one["stage"] == "ratings.ctrs"} == held
    assert {one["persona"] for one in calls if one["role"] == "patient"} == {"eval-001", "eval-002", "eval-003"}
    assert [one["stage"] for one in rows(run.failures)] == ["sessions", *["ratings.other"] * 3]
    assert run.to_do == ("sessions", "ratings.other")


def test_turns_and_evidence_join_the_sessions(gaps: Path) -> None:
    run = cbtrun.load_run(gaps)
    held = [one for one in rows(run.sessions) if one["state"] == "held"]
    turns = {(one["session"], one["turn"]): one["text"] for one in rows(run.turns)}
    assert len(turns) == sum(one["turns"] for one in held) == 30
    quoted = [one for one in rows(run.ratings) if one["evidence"]]
    assert quoted
    for one in quoted:
        for number, words in zip(one["evidence_turns"], one["evidence"], strict=True):
            assert words in turns[one["session"], number]


KINDS = {
    "text": ("string", "String"),
    "category": ("category", "Categorical"),
    "int": ("Int64", "Int64"),
    "float": ("float64", "Float64"),
    "bool": ("boolean", "Boolean"),
    "time": ("datetime64[us, UTC]", "Datetime(time_unit='us', time_zone='UTC')"),
    "texts": ("object", "List(String)"),
    "ints": ("object", "List(Int64)"),
}
"""Kind -> how pandas and polars call it."""


@pytest.mark.parametrize("frame", frame_columns().values(), ids=lambda frame: frame.name)
def test_each_column_has_its_kind_in_both_libraries(frame: FrameColumns, gaps: Path) -> None:
    pandas_run, polars_run = cbtrun.load_run(gaps), cbtrun.load_run(gaps, frames="polars")
    in_pandas, in_polars = getattr(pandas_run, frame.name), getattr(polars_run, frame.name)
    kinds = {one.name: one.kind for one in frame.columns if not one.is_open}
    opened = {one.start: one.kind for one in frame.columns if one.is_open}
    for name, dtype in in_pandas.dtypes.items():
        kind = kinds.get(name) or next(kind for start, kind in opened.items() if name.startswith(start))
        assert (str(dtype), str(in_polars.schema[name])) == KINDS[kind], name
    assert list(in_pandas.columns)[: len(kinds)] == list(kinds)
    same = [{name: cell for name, cell in row.items() if name != "at"} for row in rows(in_pandas)]
    assert [{name: cell for name, cell in row.items() if name != "at"} for row in in_polars.to_dicts()] == same


def test_a_frame_is_read_once_and_a_change_in_it_is_the_readers_alone(gaps: Path) -> None:
    run = cbtrun.load_run(gaps)
    run.turns["mine"] = 1
    assert "mine" in run.turns.columns
    assert "mine" not in cbtrun.load_run(gaps).turns.columns


def test_the_run_is_found_by_name_file_and_folder(gaps: Path) -> None:
    with chdir(gaps.parent.parent):
        found = {cbtrun.load_run(one).path.resolve() for one in ("gaps", "study.yaml", Path("runs/gaps"))}
    assert found == {gaps.resolve()}


def test_what_stands_around_the_frames(gaps: Path) -> None:
    run = cbtrun.load_run(gaps)
    assert (run.name, run.state, run.report, run.ended) == ("gaps", "not finished", None, None)
    assert run.study["sessions"]["max_turns"] == 6
    assert repr(run).startswith("<Run 'gaps' in ")


def test_imported_sessions_have_their_labels_and_measures_in_columns_of_their_own(study_project: Make) -> None:
    table = "\n".join(
        f"{line},{'topic' if not at else 'sleep' if line[0] in 'ab' else ''}"
        for at, line in enumerate(TRANSCRIPTS.splitlines())
    )
    study = STUDY.replace("  factors: {quality: quality}", "  factors: {quality: quality}\n  labels: {topic: topic}")
    project = study_project({"study.yaml": study, "t.csv": f"{table}\n"})
    with chdir(project.folder):
        run = cbtrun.run("study.yaml", quiet=True)
    sessions = rows(run.sessions)
    assert [one["factor.quality"] for one in sessions] == ["good", "poor", "good", "poor"]
    assert [one["label.topic"] or None for one in sessions] == ["sleep", "sleep", None, None]
    assert {(one["arm"], one["arm_label"], one["persona"], one["state"]) for one in sessions} == {
        (None, None, None, "held")
    }


def test_a_reverse_keyed_item_is_turned_round_in_scores_alone_and_a_weight_is_told(study_project: Make) -> None:
    own = (RUBRICS / "ctrs.yaml").read_text(encoding="utf-8").replace("name: ctrs\n", "name: own\n", 1)
    own = own.replace("  - id: agenda\n", "  - id: agenda\n    reverse: true\n    weight: 2\n", 1)
    own = own.replace("high: 66\n", "high: 72\n", 1)
    study = STUDY.replace("rubric: ctrs", "rubric: ./own.yaml")
    project = study_project({"study.yaml": study, "t.csv": TRANSCRIPTS, "own.yaml": own})
    with chdir(project.folder):
        run = cbtrun.run("study.yaml", quiet=True)
        rated = {one["session"]: one["score"] for one in rows(run.ratings) if one["item"] == "agenda"}
        scored = {one["session"]: one for one in rows(run.scores) if one["item"] == "agenda"}
        assert {session: 6 - points for session, points in rated.items()} == {
            session: one["value"] for session, one in scored.items()
        }
        assert {one["weight"] for one in scored.values()} == {2}
        project.write("own.yaml", own.replace("weight: 2", "weight: 3"))
        assert {one["weight"] for one in rows(cbtrun.load_run("s").scores)} == {None}
