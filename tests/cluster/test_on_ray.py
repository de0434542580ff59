"""Studies on a real Ray of several nodes on this machine: the same bytes as here, whatever is slow, hangs or is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers.ray_nodes import Nodes, descendants, name_of, ray_nodes
from tests.helpers.tiny_models import make_model
from tests.helpers.tune_study import talk
from tests.helpers.two_controls import two_controls

pytest.importorskip("ray", reason="needs cbtrun[ray]")
pytestmark = pytest.mark.slow

TUNED = """\
cbtrun: 1
study: s
seed: 1
contains: none
models:
  tiny: {using: transformers, model: ./base, threads: 1, group: 8, max_length: 512, max_tokens: 12}
  patient: {using: scripted-patient}
  rater: {using: lexical-rater}
personas: {eval: {using: sampled, attributes: depression, count: 3}}
corpus:
  talk:
    using: files
    path: talk.jsonl
    columns: {transcript: id, messages: said}
    speakers: {T: therapist, P: patient}
    checks: {near_duplicates: 0}
tune:
  good: {using: sft, base: tiny, corpus: talk, max_steps: 12, checkpoint_steps: 2, batch_size: 2, threads: 1, device: cpu, learning_rate: 0.01, seeds: [1, 2]}
arms:
  base: {therapist: tiny, factors: {tuned: no}}
  tuned: {therapist: good, factors: {tuned: yes}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 4}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
"""
WHERE = "on: ray\nnew_engines_an_hour: 100\nping_seconds: 5\ncheckpoint_minutes: 0.01\n"
MADE = ("sessions.jsonl", "ratings/ctrs.jsonl", "results.json")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_nodes(3) as found:
        yield found


def start(folder: Path, nodes: Nodes, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "--on", "where.yaml", *more]
    environment = os.environ | {"RAY_ADDRESS": nodes.address, "OPENAI_API_KEY": "sk-0123456789abcdefghij"}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


def here_and_there(tmp_path: Path, write: Callable[[Path], None]) -> tuple[Path, Path]:
    """A study that has run here, and its folder for a run there."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write(folder)
        (folder / "where.yaml").write_text(WHERE)
    subprocess.run([sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "-q"], cwd=here, check=True)
    return here, there


def check_same(here: Path, there: Path, names: tuple[str, ...] = MADE) -> None:
    for name in names:
        assert (there / "runs/s" / name).read_bytes() == (here / "runs/s" / name).read_bytes(), name


def controls(folder: Path) -> None:
    (folder / "study.yaml").write_text(two_controls("s", personas=20, turns=8))


def tuned(folder: Path) -> None:
    (folder / "study.yaml").write_text(TUNED)
    (folder / "talk.jsonl").write_text(talk())
    make_model(folder / "base", spread=0.05)


def test_a_study_that_tunes_and_talks_gives_the_same_bytes(nodes: Nodes, tmp_path: Path) -> None:
    here, there = here_and_there(tmp_path, tuned)
    assert start(there, nodes).wait(timeout=400) == 0, (there / "log.txt").read_text()[-3000:]
    adapters = tuple(
        f"adapters/good/seed-{seed}/{name}"
        for seed in (1, 2)
        for name in ("adapter_model.safetensors", "adapter_config.json")
    )
    check_same(here, there, (*MADE, *adapters))
    assert "'on': ray" in (there / "runs/s/study.lock.yaml").read_text()


LEARNT = """\
cbtrun: 1
study: s
seed: 1
contains: none
models:
  tiny: {using: transformers, model: "cbtrun:tiny", threads: 1, max_tokens: 12, temperature: 0.9}
  patient: {using: scripted-patient}
  rater: {using: lexical-rater}
personas:
  train: {using: sampled, attributes: depression, count: 2}
  eval: {using: sampled, attributes: depression, count: 2}
tune:
  learnt: {using: grpo, start: tiny, patient: patient, personas: train, reward: {rating: ctrs}, group: 2, personas_per_step: 2, steps: 2, max_turns: 4, lora: {rank: 4}, learning_rate: 0.01, threads: 1, stop: {gap: null, controls: null}, controls: {kinds: []}, seeds: [1]}
arms:
  base: {therapist: tiny, factors: {tuned: no}}
  tuned: {therapist: learnt, factors: {tuned: yes}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 4}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
"""


def test_what_is_learnt_from_sessions_that_are_held_there_is_the_same(nodes: Nodes, tmp_path: Path) -> None:
    here, there = here_and_there(tmp_path, lambda folder: (folder / "study.yaml").write_text(LEARNT) and None)
    assert start(there, nodes).wait(timeout=400) == 0, (there / "log.txt").read_text()[-3000:]
    names = ("adapter_model.safetensors", "steps.jsonl")
    check_same(here, there, (*MADE, *(f"adapters/learnt/seed-1/{name}" for name in names)))


def test_a_training_whose_process_is_killed_goes_on_from_what_came_back(nodes: Nodes, tmp_path: Path) -> None:
    here, there = here_and_there(tmp_path, tuned)
    run = start(there, nodes, "--set", "tune.good.seeds=[1]", "--set", "tune.good.max_steps=40")
    checkpoints = there / "runs/s/adapters/good/seed-1"
    while run.poll() is None and not list(checkpoints.glob("checkpoints-*/checkpoint-*/complete")):
        time.sleep(0.1)
    for pid in nodes.engines():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert run.wait(timeout=400) == 0, (there / "log.txt").read_text()[-3000:]
    again = ["--set", "tune.good.seeds=[1]", "--set", "tune.good.max_steps=40", "-q"]
    subprocess.run([sys.executable, "-m", "cbtrun.cli.main", "study.yaml", *again], cwd=here, check=True)
    check_same(here, there, ("adapters/good/seed-1/adapter_model.safetensors",))


def test_an_engine_that_hangs_is_given_up_and_its_calls_are_moved(nodes: Nodes, tmp_path: Path) -> None:
    here, there = here_and_there(tmp_path, controls)
    run = start(there, nodes)
    while run.poll() is None and len(nodes.engines()) < 2:
        time.sleep(0.05)
    stopped = nodes.engines()[:1]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    assert run.wait(timeout=400) == 0, (there / "log.txt").read_text()[-3000:]
    check_same(here, there)


def test_a_slow_machine_is_waited_for(nodes: Nodes, tmp_path: Path) -> None:
    here, there = here_and_there(tmp_path, controls)
    run = start(there, nodes)
    while run.poll() is None:  # one process in stop-motion: slow, and never long without a sign
        for pid in nodes.engines()[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.3)
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.1)
    assert run.returncode == 0, (there / "log.txt").read_text()[-3000:]
    check_same(here, there)
    assert "lost" not in (there / "log.txt").read_text()


def test_no_engine_outlives_its_driver_and_none_has_a_key(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "where.yaml").write_text(WHERE)
    (tmp_path / "study.yaml").write_text(two_controls("s", personas=100, turns=20))
    run = start(tmp_path, nodes)
    while run.poll() is None and not nodes.engines():
        time.sleep(0.1)
    own = [pid for pid in nodes.engines() if name_of(pid)]
    assert own
    for pid in own:
        with suppress(OSError):
            assert b"sk-0123456789abcdefghij" not in Path(f"/proc/{pid}/environ").read_bytes()
    run.kill()
    run.wait()
    until = time.monotonic() + 60
    while nodes.engines() and time.monotonic() < until:
        time.sleep(0.2)
    assert not nodes.engines()
    assert descendants(nodes.process.pid)  # the cluster itself is there as before


def test_a_cluster_is_reached_by_its_address(nodes: Nodes, tmp_path: Path) -> None:
    here, there = here_and_there(tmp_path, controls)
    (there / "where.yaml").write_text(WHERE.replace("on: ray", f"on: {nodes.client}"))
    assert start(there, nodes).wait(timeout=400) == 0, (there / "log.txt").read_text()[-3000:]
    check_same(here, there)


def test_the_doctor_asks_every_machine(nodes: Nodes, tmp_path: Path) -> None:
    controls(tmp_path)
    environment = os.environ | {"RAY_ADDRESS": nodes.address}
    command = [sys.executable, "-m", "cbtrun.cli.main", "doctor", "study.yaml", "--on", "ray"]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert said.stdout.count("ok    machine ") == 3, said.stdout + said.stderr
    assert "3 machines, not trusted with words of real people" in said.stdout
