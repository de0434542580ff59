"""Tuning at 7-8B: tokens/s, peak memory and share of peak FLOPs, ours beside a plain TRL script in the same run.

    python benchmarks/tuning.py                                       # one GPU, six minutes: what each setting gives
    python benchmarks/tuning.py --gpu llama-3.1-8b:plain mistral-7b:plain --gpu llama-3.1-8b:packed-all
    python benchmarks/tuning.py --gpu llama-3.1-8b:packed-all --together llama-3.1-8b:packed-all    # scaling
    python benchmarks/tuning.py --gpu tiny:plain tiny:packed          # any machine: does the program run?

A case is MODEL:SETTING. Each `--gpu` is one GPU's list of cases; the lists run side by side, and after them the cases of
`--together`, each on all of these GPUs. Weights are random, in the shape of the named model; no file and no network is
needed. Sessions have lengths as transcripts do (mean about 2,200 tokens, at most 4,096), half of their tokens with loss.
Throughput counts real tokens: padding is no work done. Every case trains on the same sessions with the same seed in a
process of its own: 8 sessions an optimizer step, or 4 packs of 4,096 tokens, which is about as much. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    # A plain script: SFTTrainer with its defaults, LoRA r=16 on all linear layers.
    "plain": {"plain": True, "batch": 8},
    "plain-full": {"plain": True, "batch": 8, "full": True},  # sessions of 4,096 tokens each: nothing is padded
    # Ours, one thing more at a time.
    "unpacked": {"packing": False, "checkpointing": True, "batch": 8},
    "packed": {"packing": True, "checkpointing": True, "batch": 4},
    "packed-sdpa": {"packing": True, "checkpointing": True, "batch": 1, "attention": "sdpa"},
    "packed-all": {"packing": True, "checkpointing": False, "batch": 2},
    "packed-all-1": {"packing": True, "checkpointing": False, "batch": 1},
    "packed-all-wide": {"packing": True, "checkpointing": False, "batch": 1, "slim": False},  # PEFT's own LoRA layers
    "packed-liger": {"packing": True, "checkpointing": True, "liger": True, "batch": 4},
    "packed-all-liger": {"packing": True, "checkpointing": False, "liger": True, "batch": 2},
    "packed-all-compile": {"packing": True, "checkpointing": False, "compile": True, "batch": 2},
    "packed-compile": {"packing": True, "checkpointing": True, "compile": True, "batch": 4},
    "packed-sharded": {"packing": True, "checkpointing": True, "batch": 4, "sharding": True},  # with --together
    "qlora-plain": {"plain": True, "batch": 1, "passes": 8, "quantisation": "nf4"},
    "qlora": {"packing": True, "checkpointing": True, "batch": 1, "quantisation": "nf4"},
    "qlora-all-liger": {"packing": True, "checkpointing": False, "liger": True, "batch": 1, "quantisation": "nf4"},
}
MODELS = ("llama-3.1-8b", "mistral-7b", "qwen-2.5-7b", "tiny")
USUAL = ("plain", "plain-full", "unpacked", "packed", "packed-all", "packed-all-liger",
         "packed-all-compile", "qlora-plain", "qlora")  # fmt: skip


def main() -> None:
    """Run every GPU's cases one after the other, the GPUs side by side."""
    asked = arguments()
    lanes = asked.gpu or [[f"llama-3.1-8b:{setting}" for setting in USUAL]]
    deadline = time.monotonic() + asked.seconds
    results = Results(asked.out)
    with tempfile.TemporaryDirectory() as folder:
        queues = [
            [start(asked, case, Path(folder) / f"{gpu}-{place}", [gpu]) for place, case in enumerate(cases)]
            for gpu, cases in enumerate(lanes)
        ]
        all_gpus = list(range(len(lanes)))
        last = [
            start(asked, case, Path(folder) / f"all-{place}", all_gpus) for place, case in enumerate(asked.together)
        ]
        threads = [threading.Thread(target=run_queue, args=(queue, deadline, results)) for queue in queues]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run_queue(last, deadline, results)
    print(json.dumps({"benchmark": "tuning", "results": results.found}))


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="append", nargs="+", type=known_case, metavar="CASE")
    parser.add_argument("--together", nargs="+", type=known_case, default=[], metavar="CASE")
    parser.add_argument("--length", type=int, default=4096, help="most tokens of a session, and tokens of a pack")
    parser.add_argument("--steps", type=int, default=10, help="optimizer steps; the first three are not timed")
    parser.add_argument("--seconds", type=float, default=520, help="start nothing, and stop, after so many")
    parser.add_argument("--out", type=Path, help="a file that gets each result as it is there, one JSON line")
    return parser.parse_args()


def known_case(text: str) -> str:
    """A case as the command line has it. Raises ValueError, which argparse reports."""
    model, _, setting = text.partition(":")
    if model not in MODELS or setting not in SETTINGS:
        raise ValueError(text)
    return text


def card(gpu: int) -> str:
    """The GPU's number on the machine: the n-th of those that this process may see."""
    visible = [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    return visible[gpu] if visible else str(gpu)


class Case:
    """One setting of one model: its process waits for its turn."""

    def __init__(self, name: str, process: subprocess.Popen[str], folder: Path, devices: int) -> None:
        self.name, self.process, self.folder, self.devices = name, process, folder, devices


def start(asked: argparse.Namespace, case: str, folder: Path, gpus: Sequence[int]) -> Case:
    """Start a process that imports what it needs and then waits for the file `go`: only then it touches the GPU."""
    folder.mkdir()
    launch = [sys.executable]
    if len(gpus) > 1:
        launch += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(len(gpus))]
    model, _, setting = case.partition(":")
    told = {"model": model, "setting": SETTINGS[setting], "length": asked.length, "steps": asked.steps}
    told |= {"devices": len(gpus), "folder": str(folder)}
    seen = {"CUDA_VISIBLE_DEVICES": ",".join(card(gpu) for gpu in gpus)}
    log = (folder / "log").open("w")
    command = [*launch, str(Path(__file__).with_name("tuning_case.py")), json.dumps(told)]
    process = subprocess.Popen(command, stdout=log, stderr=log, text=True, env={**os.environ, **seen})
    return Case(case, process, folder, len(gpus))


class Results:
    """What was measured so far, printed as it comes."""

    def __init__(self, file: Path | None) -> None:
        self.found: list[dict[str, Any]] = []
        self._file, self._lock = file, threading.Lock()

    def add(self, result: dict[str, Any]) -> None:
        """Keep a result, print a line about it."""
        with self._lock:
            self.found.append(result)
            print(self._line(result), flush=True)
            if self._file:
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")

    def _line(self, one: dict[str, Any]) -> str:
        name = f"{one['case']:<34} {one['devices']} GPU"
        if "error" in one:
            return f"{name} failed: {one['error']}"
        return (
            f"{name} {one['tokens_per_second']:>9,.0f} real tokens/s, peak {one['peak_gib']:5.1f} GiB (estimated "
            f"{one['estimated_gib']:5.1f}), {one['share_of_peak']:6.1%} of peak, {one['padding']:4.0%} padding, loss "
            f"{one['losses'][0]:.3f} -> {one['losses'][-1]:.3f}, {one['seconds_in_all']:.0f} s"
        )


def run_queue(cases: Sequence[Case], deadline: float, results: Results) -> None:
    """Let the waiting processes of a GPU run one after the other."""
    for case in cases:
        results.add({"case": case.name, "devices": case.devices, **finish(case, deadline)})


def finish(case: Case, deadline: float) -> dict[str, Any]:
    """Let a waiting process run, and read what it measured."""
    if time.monotonic() > deadline:
        case.process.kill()
        return {"error": "no time was left"}
    (case.folder / "go").touch()
    try:
        case.process.wait(timeout=max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        case.process.kill()
        return {"error": "no time was left"}
    result = case.folder / "result.json"
    if result.exists():
        found: dict[str, Any] = json.loads(result.read_text())
        return found
    return {"error": " / ".join((case.folder / "log").read_text().splitlines()[-12:])}


if __name__ == "__main__":
    main()
