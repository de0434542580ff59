"""One adapter trained by several processes, and several jobs that share the GPUs; on the CPU, without any GPU."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import StageError
from cbtrun.plugins.local_models import gpus as machine_gpus
from cbtrun.plugins.local_models.device_pool import GpuPool, device_count
from cbtrun.plugins.tuning import tune_job, worker_processes
from cbtrun.plugins.tuning.worker_processes import run_together
from cbtrun.testing.projects import StudyProject
from tests.helpers.tiny_models import make_model
from tests.helpers.trainings import Tuning, log_of
from tests.helpers.tune_study import STUDY, tune_project


@pytest.fixture
def project(study_project: Callable[..., StudyProject], tmp_path: Path) -> StudyProject:
    return tune_project(study_project, tmp_path)


@pytest.fixture
def job(tmp_path: Path) -> Tuning:
    return Tuning(tmp_path / "run" / "adapters" / "tuned", make_model(tmp_path / "base", spread=0.05))


def weights_of(job: Tuning) -> Any:
    """The adapter's weights by name."""
    from safetensors.numpy import load_file

    return load_file(job.folder / "seed-1" / "adapter_model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"packing": True, "max_length": 128, "max_steps": 3}, {"sharding": True}])
def test_two_processes_learn_what_one_learns_at_the_same_batch(job: Tuning, settings: dict[str, Any]) -> None:
    import numpy as np

    job.options.update(settings, batch_size=4)
    job.run()
    alone, alone_log = weights_of(job), log_of(job)
    job.options.update(batch_size=2, devices=2)
    job.told.clear()
    job.run()
    together = log_of(job)
    assert [entry["loss"] for entry in together] == pytest.approx([entry["loss"] for entry in alone_log], abs=2e-3)
    assert [entry["tokens"] for entry in together] == [entry["tokens"] for entry in alone_log]
    steps = job.options["max_steps"]  # within one epoch: its last, smaller batch falls otherwise on two
    assert [(done, total) for done, total, _ in job.told if total] == [(step, steps) for step in range(1, steps + 1)]
    found = weights_of(job)
    assert found.keys() == alone.keys()
    for name, value in alone.items():
        np.testing.assert_allclose(found[name], value, atol=2e-3, err_msg=name)
    assert not (job.folder / "seed-1" / "work").exists()


def test_a_job_on_one_gpu_trains_in_a_process_of_its_own_and_learns_the_same(
    job: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    started: list[Any] = []
    start = worker_processes._start
    monkeypatch.setattr(worker_processes, "_start", lambda *given: started.append(given) or start(*given))
    job.run()
    here, here_log = weights_of(job), log_of(job)
    assert not started
    job.told.clear()
    shutil.rmtree(job.folder)
    monkeypatch.setattr(tune_job, "visible_gpus", lambda _: ("0",))
    job.run()
    assert len(started) == 1
    assert [entry["loss"] for entry in log_of(job)] == [entry["loss"] for entry in here_log]
    assert job.told[-1][:2] == (job.options["max_steps"],) * 2
    for name, value in weights_of(job).items():
        np.testing.assert_array_equal(value, here[name], err_msg=name)


@pytest.mark.slow
def test_two_processes_train_through_the_command_line(project: StudyProject) -> None:
    project.write(
        "study.yaml",
        STUDY.replace("learning_rate: 0.01", "learning_rate: 0.01, devices: 2").replace("  broken", "  # broken"),
    )
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    lock = (project.folder / "runs/tuned/adapters/good/seed-1/adapter.lock.yaml").read_text()
    assert "\ndevices: 2\n" in lock


@pytest.mark.slow
def test_a_killed_process_is_reported_and_the_training_goes_on_from_its_checkpoint(
    job: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.options.update(devices=2, max_steps=400, checkpoint_steps=2)

    def kill_the_second(step: int, *_: Any) -> None:
        first_of.append(step)
        if step == 5:
            os.kill(started[1].pid, signal.SIGKILL)

    started: list[Any] = []
    first_of: list[int] = []
    start = worker_processes._start

    def noting(*given: Any) -> Any:
        started.append(start(*given))
        return started[-1]

    monkeypatch.setattr(worker_processes, "_start", noting)
    monkeypatch.setattr(job, "advance", kill_the_second)
    with pytest.raises(StageError, match=r"^training process 2 of 2 was killed \(SIGKILL\); the same command goes on"):
        job.run()
    assert all(process.poll() is not None for process in started)
    first_of.clear()
    monkeypatch.setattr(
        job, "advance", lambda step, *_: first_of.append(step) or (step > 8 and worker_processes.end_all())
    )
    with pytest.raises(StageError, match="was killed"):
        job.run()
    assert next(step for step in first_of if step) > 4  # 0 while libraries are loaded


@pytest.mark.slow
def test_what_one_process_says_for_the_user_is_what_the_user_hears(job: Tuning) -> None:
    job.options.update(devices=2, learning_rate=1e30, clip=0)
    with pytest.raises(StageError, match=r"^the loss is nan at step \d of 6: try a lower learning_rate"):
        job.run()


WORKER = """
import json, os, sys
rank = os.environ["RANK"]
{body}
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs some lines of Python in two processes."""

    def run(body: str) -> list[tuple[int, int, str]]:
        (tmp_path / "small_worker.py").write_text(WORKER.format(body=body))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        told: list[tuple[int, int, str]] = []
        run_together("small_worker", tmp_path, 2, ("3", "5"), lambda *step: told.append(step))
        return told

    return run


def test_the_first_process_tells_how_far_it_is_and_each_sees_the_chosen_gpus(worker: Any) -> None:
    said = 'print(json.dumps([1, 2, rank + " of " + os.environ["WORLD_SIZE"] + " on " + os.environ["CUDA_VISIBLE_DEVICES"]]))'
    assert worker(said) == [(1, 2, "0 of 2 on 3,5")]


def test_the_last_words_of_a_process_that_fails_are_told_and_the_others_are_ended(worker: Any) -> None:
    with pytest.raises(
        StageError, match=r"^training process 2 of 2 ended with code 1: ValueError: no more \(all of it:"
    ):
        worker('if rank == "1": raise ValueError("no more")\nsys.stdin.read()')


def test_every_training_process_can_be_ended_at_once(worker: Any) -> None:
    threading.Timer(0.5, worker_processes.end_all).start()
    with pytest.raises(StageError, match="was killed"):
        worker("sys.stdin.read()")  # nobody writes to them: the pipe ends when its other end does


def test_jobs_wait_for_the_gpus_they_ask_for_and_give_them_back() -> None:
    pool, order = GpuPool(), []
    gpus = ("0", "1")

    def work(name: str, count: int) -> None:
        with pool.take(gpus, count) as own:
            order.append((name, own))
            time.sleep(0.05)

    with pool.take(gpus, 1) as first:
        both = threading.Thread(target=work, args=("both", 2))
        both.start()
        work("one", 1)
        assert first == ("0",)
    both.join()
    assert order == [("one", ("1",)), ("both", ("0", "1"))]


def test_more_gpus_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine_gpus, "gpu_memory", lambda: [80.0, 80.0])
    assert device_count({"device": "auto", "devices": "all"}) == 2
    with pytest.raises(StageError, match="devices: 4 were asked for, and this machine has 2; use devices: all"):
        device_count({"device": "auto", "devices": 4})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert device_count({"device": "auto", "devices": "all"}) == 1
