"""A disk that fills while a model is trained: a sentence, exit 4, and the same bytes when the command is run again."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cbtrun.errors import StageError, StopRun
from cbtrun.plugins.tuning.disk_full import told_when_full
from cbtrun.testing.projects import StudyProject

MakeProject = Callable[[Mapping[str, str]], StudyProject]
STUDY = """
cbtrun: 1
study: tiny
seed: 1
contains: none
models: {author: {using: grammar}, tiny: {using: transformers, model: "cbtrun:tiny", max_tokens: 10}}
personas: {train: {using: sampled, attributes: depression, count: 2}}
corpus: {c: {using: written-course, author: author, personas: train, course: depression-20, register: cbt, sessions: [1]}}
tune: {j: {using: sft, base: tiny, corpus: c, max_steps: 4, batch_size: 1, max_length: 512, checkpoint_steps: 2, seeds: [1]}}
"""


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow over so many bytes in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _torch(path: Path) -> None:
    import torch

    with files_of_at_most(20_000):
        torch.save({"a": torch.zeros(100_000)}, path)


def _safetensors(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    with files_of_at_most(20_000):
        save_file({"a": torch.zeros(100_000)}, path)


def _text(path: Path) -> None:
    with files_of_at_most(20_000):
        path.write_text("x" * 50_000)


@pytest.mark.parametrize("write", [_torch, _safetensors, _text])
def test_whichever_library_meets_a_full_disk_the_run_stops_with_a_sentence(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    said = r"no space left to write what is trained .* goes on from the last checkpoint"
    with pytest.raises(StopRun, match=said), told_when_full(tmp_path):
        write(tmp_path / "made")


def test_other_errors_of_a_training_stay_what_they_are(tmp_path: Path) -> None:
    for error in (
        StageError("the loss diverges"),
        RuntimeError("shape mismatch"),
        ValueError("no space left on device"),
    ):
        with pytest.raises(type(error)), told_when_full(tmp_path):
            raise error


def _run(project: StudyProject, runs: str, devices: int, limit: int | None) -> subprocess.CompletedProcess[str]:
    def small() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    command = [sys.executable, "-P", "-m", "cbtrun.cli.main", "study.yaml", "--runs", runs]
    return subprocess.run(
        [*command, "--set", f"tune.j.devices={devices}"],
        cwd=project.folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=small,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.long)])
def test_tuning_on_a_disk_that_fills_stops_with_exit_4_and_goes_on_to_the_same_bytes(
    study_project: MakeProject, devices: int
) -> None:
    project = study_project({"study.yaml": STUDY})
    assert _run(project, "whole", devices, None).returncode == 0
    weights = project.folder / "whole/tiny/adapters/j/seed-1/adapter_model.safetensors"
    for limit in (weights.stat().st_size // 2, weights.stat().st_size + 20_000):  # the adapter, then the optimizer
        stopped = _run(project, "small", devices, limit)
        assert stopped.returncode == 4, stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert "no space left to write what is trained" in stopped.stderr
    went_on = _run(project, "small", devices, None)
    assert went_on.returncode == 0, went_on.stderr
    assert (project.folder / "small/tiny/adapters/j/seed-1" / weights.name).read_bytes() == weights.read_bytes()
