"""Two tune jobs of one study: side by side on two GPUs, and one after the other on one of them.

    python benchmarks/tune_jobs.py --shape llama-3.1-8b      # two GPUs, about four minutes
    python benchmarks/tune_jobs.py --shape small --steps 4   # any machine: does the program run?

Weights are random. Both runs are the command `cbtrun`, as a user starts it; the second sees one GPU alone. The last line
is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from gpu_memory import watching
from gpu_models import make_model
from sessions_gpu_parts import cbtrun


def main() -> None:
    """Run the study twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="llama-3.1-8b")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--only-two", action="store_true", help="leave the run on one GPU out")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        device = "cpu" if asked.shape == "small" else "cuda"
        model = make_model(Path(folder) / "model", asked.shape, weights=True, device=device)
        gpus = {"two": "0,1", "one": "0"} if device == "cuda" else {"two": "", "one": ""}
        if asked.only_two:
            del gpus["one"]
        found: dict[str, Any] = {
            name: run(Path(folder) / name, study(model, asked.steps), seen) for name, seen in gpus.items()
        }
    if not asked.only_two:
        found["one_of_two"] = round(found["one"]["seconds"] / found["two"]["seconds"], 2)
    print(json.dumps({"benchmark": "tune_jobs", "shape": asked.shape, **found}))


def study(model: Path, steps: int) -> dict[str, Any]:
    """Two adapters of one base on one corpus."""
    job = {
        "using": "sft", "base": "base", "corpus": "cbt", "precision": "bfloat16", "max_steps": steps, "batch_size": 4,
        "max_length": 2048, "seeds": [1],
    }  # fmt: skip
    return {
        "cbtrun": 1, "study": "jobs", "seed": 7, "contains": "none",
        "models": {"author": {"using": "grammar"}, "base": {"using": "transformers", "model": str(model)}},
        "personas": {"train": {"using": "sampled", "attributes": "depression", "count": 8}},
        "corpus": {"cbt": {"using": "written-course", "author": "author", "personas": "train", "course": "depression-20", "register": "cbt", "sessions": list(range(1, 11))}},
        "tune": {"narrow": {**job, "lora": {"rank": 16}}, "wide": {**job, "lora": {"rank": 64}}},
    }  # fmt: skip


def run(folder: Path, spec: dict[str, Any], gpus: str) -> dict[str, Any]:
    """The study on these GPUs: seconds, what each GPU held at most, and for how long both were in use."""
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    with watching() as seen:
        began = time.monotonic()
        ended = cbtrun(folder, spec)
        seconds = time.monotonic() - began
    look = seconds / len(seen)
    print(ended.stdout[-1500:], ended.stderr[-1500:], flush=True)
    jobs = {}
    for lock in sorted((folder / "runs/jobs/adapters").rglob("adapter.lock.yaml")):
        log = [json.loads(line) for line in (lock.parent / "training-log.jsonl").read_text().splitlines()]
        losses = [entry["loss"] for entry in log if "loss" in entry]
        jobs[lock.parent.parent.name] = {
            "adapter": yaml.safe_load(lock.read_text())["adapter"][:12], "first_loss": losses[0], "last_loss": losses[-1],
        }  # fmt: skip
    in_use = [[card > 2.0 for card in cards] for cards in seen]
    return {
        "exit": ended.returncode,
        "seconds": round(seconds, 1),
        "in_use_seconds": round(look * sum(map(any, in_use)), 1),
        "both_in_use_seconds": round(look * sum(all(cards) and len(cards) > 1 for cards in in_use), 1),
        "most_gib": [max(column) for column in zip(*seen, strict=True)],
        "jobs": jobs,
    }


if __name__ == "__main__":
    main()
