"""The paper's study says what it repeats, what it chose, what differs, and what it takes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from cbtrun.before.hours import machine_lines, speeds_of_machines
from cbtrun.before.plan import plan_study
from cbtrun.plugins.report.instruments import instruments_table
from cbtrun.registry import Registry, load_registry
from cbtrun.study.load import load_study
from cbtrun.study.spec import Study

SPECS = Path(str(files("cbtrun.specs")))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.fixture(scope="module")
def paper(registry: Registry) -> Study:
    return load_study(SPECS / "paper.yaml", registry=registry)


def test_the_design_is_the_papers(paper: Study) -> None:
    data = paper.data
    assert data["personas"]["train"]["count"] == 58
    factors = {(arm["factors"]["tuning"], arm["factors"]["family"]) for arm in data["arms"].values()}
    assert len(factors) == len(data["arms"]) == 6
    assert [job["quantisation"] for job in data["tune"].values()] == ["nf4"] * 3
    revisions = [block["revision"] for block in data["models"].values() if block["using"] != "openai"]
    assert len({*revisions}) == 6
    assert all(len(revision) == 40 for revision in revisions)


def test_calls_are_planned_one_by_one(paper: Study, registry: Registry) -> None:
    plans = plan_study(paper, registry)
    calls = {id_: sum(one.calls for one in plan.calls) for id_, plan in plans.items() if plan and plan.calls}
    assert calls == {"corpus.cbt": 58 * 20, "sessions": 6 * 120 * 40, "ratings.ctrs": 6 * 120}


def test_a_plan_says_gpu_hours_by_the_measured_speeds(paper: Study, registry: Registry) -> None:
    plans = plan_study(paper, registry)
    lines = list(machine_lines(paper, registry, plans))
    assert [line.split()[4].rstrip(":") for line in lines] == [name for name in speeds_of_machines() if name != "CPU"]
    corpus = plans["corpus.cbt"]
    assert corpus is not None
    tokens = 3 * corpus.calls[0].tokens_out * (7 + 7 + 8) / 8
    speeds = speeds_of_machines()["H100"]
    start, more, _ = speeds["seconds_to_start"]
    hours = (tokens / speeds["training_tokens_per_second"] + start + 2 * more) / 3600
    assert f"{round(hours * 60)} minutes tuning" in lines[0]
    assert list(machine_lines(load_study(SPECS / "safety.yaml", registry=registry), registry, {})) == []


def test_a_small_study_is_planned_in_minutes_on_a_cpu_where_its_engine_needs_no_gpu(registry: Registry) -> None:
    small, large = (load_study(SPECS / f"{name}.yaml", registry=registry) for name in ("smollm-cpu", "smollm"))
    told = [list(machine_lines(one, registry, plan_study(one, registry))) for one in (small, large)]
    assert [[line.split(":")[0].split()[-1] for line in lines] for lines in told] == [
        ["H100", "A40", "CPU"],
        ["H100", "A40"],
    ]
    assert all("minutes of one H100" in lines[0] for lines in told)


def test_the_study_of_today_says_which_instruments_differ(registry: Registry) -> None:
    study = load_study(SPECS / "paper-2026.yaml", registry=registry)
    table = instruments_table(study.data)
    assert table is not None
    told = {row.cells[0]: row.cells[1:] for row in table.rows}
    assert sorted(told) == ["models.author", "models.patient", "models.rater"]
    here, theirs = told["models.rater"]
    assert here == study.data["models"]["rater"]["model"] != "gemini-1.5-pro-002"
    assert theirs.startswith("Gemini 1.5 Pro-002")


def test_a_study_that_differs_in_nothing_has_no_such_table(paper: Study) -> None:
    assert instruments_table(paper.data) is None
