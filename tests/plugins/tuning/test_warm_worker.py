"""Jobs that follow each other in one process: the same adapters as in processes of their own, and no fault handed on."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import StageError
from cbtrun.plugins.local_models import gpu_tenants
from cbtrun.plugins.local_models.gpu_tenants import make_room
from cbtrun.plugins.tuning import tune_job, warm_worker, worker_processes
from cbtrun.plugins.tuning.warm_worker import alike, may_follow
from tests.helpers.tiny_models import make_model
from tests.helpers.trainings import Tuning


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Processes that were started for a machine with one GPU, which it only seems to have."""
    found: list[Any] = []
    start = worker_processes._start

    def noting(*given: Any) -> Any:
        found.append(start(*given))
        return found[-1]

    monkeypatch.setattr(worker_processes, "_start", noting)
    monkeypatch.setattr(tune_job, "visible_gpus", lambda _: ("0",))
    yield found
    make_room()
    assert all(process.poll() is not None for process in found)


@pytest.fixture
def job(tmp_path: Path) -> Tuning:
    return Tuning(tmp_path / "run" / "adapters" / "tuned", make_model(tmp_path / "base", spread=0.05), {"max_steps": 2})


def adapters(job: Tuning) -> list[bytes]:
    return [(job.folder / f"seed-{seed}" / "adapter_model.safetensors").read_bytes() for seed in job.options["seeds"]]


def test_a_later_job_in_the_same_process_learns_the_same_and_a_failed_one_ends_it(
    job: Tuning, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job.options["seeds"] = [1, 2]
    monkeypatch.setattr(tune_job, "visible_gpus", lambda _: ())
    job.run()
    alone = adapters(job)
    assert not started
    shutil.rmtree(job.folder)
    monkeypatch.setattr(tune_job, "visible_gpus", lambda _: ("0",))
    job.run()
    assert len(started) == 1
    assert adapters(job) == alone
    assert alone[0] != alone[1]
    job.options["learning_rate"] = 0.0
    with pytest.raises(StageError, match="the adapter is what it was before the first step"):
        job.run()
    assert len(started) == 1
    assert started[0].poll() is not None
    assert not gpu_tenants._waiting


@pytest.mark.slow
def test_a_killed_process_is_told_of_and_the_next_job_has_a_new_one(
    job: Tuning, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Tuning.advance

    def kill(self: Tuning, done: int, total: int, detail: str) -> None:
        advance(self, done, total, detail)
        if len(started) == 1 and started[0].poll() is None:
            os.kill(started[0].pid, signal.SIGKILL)

    monkeypatch.setattr(Tuning, "advance", kill)
    with pytest.raises(StageError, match="killed"):
        job.run()
    assert not gpu_tenants._waiting
    job.run()
    assert len(started) == 2


def test_what_a_library_keeps_for_its_process_parts_jobs(job: Tuning) -> None:
    from cbtrun.plugins.local_models.model_files import find_model

    files = find_model(str(job.base))
    first = alike(files, job.options)
    assert alike(files, {**job.options, "corpus": "other", "seeds": [9], "learning_rate": 1.0, "lora": {}}) == first
    for name, value in (("liger", True), ("precision", "bfloat16"), ("packing", True), ("threads", 2)):
        assert alike(files, {**job.options, name: value}) != first, name
    assert may_follow(job.options)
    assert not may_follow({**job.options, "compile": True})
    assert not may_follow({**job.options, "report_to": ["wandb"]})


@pytest.mark.slow
def test_a_process_that_nobody_needs_ends(job: Tuning, started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_worker, "WAITS_SECONDS", 0.05)
    job.run()
    until = time.monotonic() + 30
    while started[0].poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert started[0].poll() is not None
    assert not gpu_tenants._waiting
