"""Tune jobs that run side by side, each on a GPU of its own: order, failures, and a run that is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from cbtrun.contexts import StageNote
from cbtrun.plugins.local_models import model_files
from cbtrun.plugins.tuning import sft, worker_processes
from cbtrun.run.progress import Running
from cbtrun.run.progress_line import stage_line
from cbtrun.testing.projects import StudyProject
from tests.helpers.tune_study import STUDY as TUNE_STUDY
from tests.helpers.tune_study import tune_project

Make = Callable[[Mapping[str, str]], StudyProject]

STUDY = """\
cbtrun: 1
study: pair
seed: 1
plugins: [./pairs.py]
models:
  tiny: {using: transformers, model: "cbtrun:tiny"}
tune:
  first:  {using: pairs, base: tiny}
  second: {using: pairs, base: tiny}
  third:  {using: pairs, base: tiny}
"""
PLUGIN = """
import threading
from cbtrun.errors import StageError, StopRun
from cbtrun.hookspecs import hookimpl
from cbtrun.contract.records import Adapter

AT_ONCE = 2
both = threading.Barrier(AT_ONCE, timeout=20)
stopped = threading.Event()


@hookimpl
def options_schema(stage):
    base = {"type": "string", "x-names": "models", "description": "Base."}
    return {"type": "object", "properties": {"base": base}} if stage == "tune" else None


@hookimpl
def stages_at_once(context):
    return AT_ONCE


@hookimpl
def run_stopping():
    stopped.set()


def made(context):
    with (context.folder.parent / "order.txt").open("a") as file:
        file.write(context.name + "\\n")
    return [Adapter(name=context.name, base="tiny", folder=f"adapters/{context.name}", digest=context.name, seed=1)]


@hookimpl
def tune_model(context):
    BODY
"""


@pytest.fixture
def project(study_project: Callable[..., StudyProject], tmp_path: Path) -> StudyProject:
    return tune_project(study_project, tmp_path)


@pytest.fixture
def make(study_project: Make) -> Callable[[str], StudyProject]:
    def with_body(body: str) -> StudyProject:
        return study_project({"study.yaml": STUDY, "pairs.py": PLUGIN.replace("BODY", body.replace("\n", "\n    "))})

    return with_body


def run(project: StudyProject) -> tuple[int, str]:
    outcome = project.run("run", "study.yaml", "--allow-local-plugins")
    return outcome.code, outcome.err


def test_jobs_that_may_run_side_by_side_do(make: Callable[[str], StudyProject]) -> None:
    # The second of a pair is waited for by the first: one after the other would wait for ever.
    project = make('if context.name != "third":\n    both.wait()\nreturn made(context)')
    assert run(project)[0] == 0
    order = (project.folder / "runs/pair/adapters/order.txt").read_text().split()
    assert {*order[:2]} == {"first", "second"}
    assert order[2] == "third"
    code, err = run(project)
    assert (code, err.count("up to date")) == (0, 3)


def test_failures_are_told_in_the_order_of_the_file_and_stop_no_neighbour(make: Callable[[str], StudyProject]) -> None:
    body = (
        'if context.name == "third":\n    return made(context)\n'
        'if context.name == "first":\n    both.wait()\n    stopped.wait(0.2)\n    raise StageError("no one")\n'
        'both.wait()\nraise StageError("no two")'
    )
    project = make(body)
    code, err = run(project)
    assert code == 3
    assert [line for line in err.splitlines() if line.startswith("failed:")] == [
        "failed: tune.first: no one",
        "failed: tune.second: no two",
    ]
    assert (project.folder / "runs/pair/adapters/order.txt").read_text() == "third\n"


def test_a_stop_ends_the_other_jobs_which_are_no_failures_and_go_on_next_time(
    make: Callable[[str], StudyProject],
) -> None:
    body = (
        'if (context.folder.parent / "again").exists():\n    return made(context)\n'
        '(context.folder.parent / f"begun-{context.name}").touch()\nboth.wait()\n'
        'if context.name == "first":\n    raise StopRun("the budget is spent")\n'
        'assert stopped.wait(20)\nraise StageError("killed")'
    )
    project = make(body)
    code, err = run(project)
    assert code == 4
    assert "the budget is spent" in err
    assert "killed" not in err
    adapters = project.folder / "runs/pair/adapters"
    assert not (adapters / "begun-third").exists()
    (adapters / "again").touch()
    assert run(project)[0] == 0
    assert sorted((adapters / "order.txt").read_text().split()) == ["first", "second", "third"]


@pytest.mark.slow
def test_tune_jobs_share_the_machines_gpus(project: StudyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two "GPUs" that the environment names; torch finds none and trains on the CPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    together: list[int] = []
    took: list[str] = []
    start = worker_processes._start

    def noting(*given: object) -> object:
        process = start(*given)  # type: ignore[arg-type]
        took.extend(given[5])  # type: ignore[arg-type]
        together.append(len(worker_processes._RUNNING) + 1)
        return process

    monkeypatch.setattr(worker_processes, "_start", noting)
    project.write("study.yaml", TUNE_STUDY.replace("device: cpu", "device: auto"))
    assert project.run().code == 0
    assert sorted(took) == ["0", "1"]
    assert max(together) == 2


def test_without_gpus_jobs_train_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Block:
        stage, options = "tune", {"device": "auto", "devices": 1}

    for visible, at_once in (("", 1), ("0", 1), ("0,1,2", 3)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert sft.stages_at_once(Block()) == at_once  # type: ignore[arg-type]
    monkeypatch.setattr(Block, "options", {"device": "auto", "devices": 2})
    assert sft.stages_at_once(Block()) == 1  # type: ignore[arg-type]


def test_every_stage_in_progress_has_a_line_of_its_own() -> None:
    running = Running()
    one, two = (StageNote(f"tune.{name}", "running", done, 8) for name, done in (("a", 3), ("b", 5)))
    running.put(one)
    running.put(two)
    assert [line.split()[:2] for line in running.lines()] == [["tune.a", "3/8"], ["tune.b", "5/8"]]
    assert running.take(StageNote("tune.a", "done", 8)) == stage_line(StageNote("tune.a", "done", 8), 0.0)
    assert list(running.notes) == ["tune.b"]


def test_a_folder_of_progress_is_gone_when_nothing_runs(tmp_path: Path) -> None:
    from cbtrun.run.progress import ProgressFile

    shown = ProgressFile(tmp_path / "progress")
    for name in ("a", "b"):
        shown.show(StageNote(f"tune.{name}", "running", 1, 8))
    shown.show(StageNote("tune.a", "done", 8, 8))
    assert (tmp_path / "progress").exists()
    shown.show(StageNote("tune.b", "done", 8, 8))
    assert not (tmp_path / "progress").exists()


def test_jobs_side_by_side_load_their_tokenizers_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    loading, most = 0, 0

    def load(*_: object, **__: object) -> object:
        nonlocal loading, most
        loading += 1
        most = max(most, loading)
        time.sleep(0.05)
        loading -= 1
        return SimpleNamespace(chat_template="{{ messages }}", pad_token="<pad>")

    monkeypatch.setattr(model_files, "_from_pretrained", load)
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(model_files.load_tokenizer, [model_files.find_model("cbtrun:tiny", None)] * 4))
    assert (len(loaded), most) == (4, 1)
