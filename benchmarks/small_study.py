"""Where the time of a study goes that a small model of real weights does on one GPU: tune jobs, engine, sessions, report.

    python benchmarks/small_study.py --model FOLDER_OF_SMOLLM2 [--part jobs|study] [--eager]     # one GPU, 4 to 10 minutes
    python benchmarks/small_study.py --model FOLDER_OF_SMOLLM2 --part jobs --cpu --steps 1       # any machine: does it run?

The command `cbtrun` is run as a user starts it. `jobs`: two jobs on two corpora of 464 transcripts and one more seed, so the
first, the next on the same base, and the next on the same rows are seen; `study`: three jobs, 480 sessions of 30 turns with
the scripted patient, ratings, an analysis, the report. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

COMMAND = "from cbtrun.cli.main import main; main()"
EIGHT = [1, 3, 5, 8, 11, 14, 17, 19]


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--part", choices=["jobs", "study"], default="study")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--personas", type=int, default=120)
    parser.add_argument("--train", type=int, default=58, help="personas whose transcripts are trained on, eight each")
    parser.add_argument("--eager", action="store_true", help="no compilation, no CUDA graphs")
    parser.add_argument("--liger", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--seconds", type=int, default=580, help="stop after so long; what is done is told")
    asked = parser.parse_args()
    spec = jobs(asked) if asked.part == "jobs" else study(asked)
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps({"benchmark": "small_study", "part": asked.part, **run(Path(scratch), spec, asked.seconds)}))


def base(asked: argparse.Namespace) -> dict[str, Any]:
    """What both parts have."""
    using: dict[str, Any] = {
        "using": "vllm",
        "dtype": "bfloat16",
        "max_model_len": 4096,
        "temperature": 0.7,
        "top_p": 0.95,
        "enforce_eager": asked.eager,
    }
    if asked.cpu:
        using = {"using": "transformers", "dtype": "bfloat16"}
    corpus = {
        "using": "written-course",
        "author": "author",
        "personas": "train",
        "course": "depression-20",
        "sessions": EIGHT,
    }
    return {
        "cbtrun": 1, "study": "small", "seed": 2711, "contains": "none",
        "models": {"author": {"using": "grammar"}, "smol": {"model": asked.model, **using}},
        "personas": {"train": {"using": "sampled", "attributes": "depression", "count": asked.train}},
        "corpus": {name: {**corpus, "register": name} for name in ("cbt", "supportive", "shuffled")},
    }  # fmt: skip


def job(asked: argparse.Namespace, corpus: str, seeds: list[int]) -> dict[str, Any]:
    """A tune job."""
    size = {"max_length": 4096, "batch_size": 4} if not asked.cpu else {"max_length": 2048, "batch_size": 1}
    return {
        "using": "sft", "base": "smol", "corpus": corpus, "lora": {"rank": 16, "alpha": 32}, "precision": "bfloat16",
        "packing": True, "learning_rate": 1e-3, "max_steps": asked.steps, "liger": asked.liger, "seeds": seeds, **size,
    }  # fmt: skip


def jobs(asked: argparse.Namespace) -> dict[str, Any]:
    """Tune jobs alone."""
    spec = base(asked)
    del spec["corpus"]["shuffled"]
    return {
        **spec,
        "tune": {"smol-cbt": job(asked, "cbt", [11, 12]), "smol-supportive": job(asked, "supportive", [11])},
    }


def study(asked: argparse.Namespace) -> dict[str, Any]:
    """The whole of it."""
    spec = base(asked)
    spec["models"] |= {"patient": {"using": "scripted-patient"}, "rater": {"using": "lexical-rater"}}
    spec["personas"]["eval"] = {"using": "sampled", "attributes": "depression", "count": asked.personas}
    kinds = ("cbt", "supportive", "shuffled")
    arms = {name: {"therapist": f"smol-{name}", "factors": {"tuning": name}} for name in kinds}
    return {
        **spec,
        "tune": {f"smol-{name}": job(asked, name, [11]) for name in kinds},
        "arms": {"instruct": {"therapist": "smol", "factors": {"tuning": "none"}}, **arms},
        "sessions": {"using": "dialogue", "patient": "patient", "personas": "eval", "max_turns": 30},
        "ratings": {"ctrs": {"using": "rubric", "rubric": "ctrs", "raters": ["rater"]}},
        "analysis": {"main": {"using": "paired", "outcome": "ctrs.total", "factor": "tuning", "levels": ["cbt", "none"], "pair_by": "persona"}},
        "report": {"using": "html"},
    }  # fmt: skip


def run(scratch: Path, spec: dict[str, Any], seconds: int) -> dict[str, Any]:
    """The study's wall time, and that of its jobs, of its first call and of its stages."""
    path = scratch / "small.yaml"
    path.write_text(yaml.safe_dump(spec))
    began = time.time()
    command = [sys.executable, "-P", "-c", COMMAND, str(path), "--runs", str(scratch / "runs")]
    with (scratch / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        seen = watched(process, scratch / "runs/small", began, seconds)
    wall = time.time() - began
    print((scratch / "out").read_text(errors="replace")[-3000:], file=sys.stderr, flush=True)
    told = calls(scratch / "runs/small/journal.sqlite", began)
    if told:
        told["engine_ready_s"] = round(told["first_reply_s"] - seen["jobs_done_s"], 1)
    return {"exit": process.returncode, "wall_s": round(wall, 1), **seen, **told}


def watched(process: subprocess.Popen[bytes], folder: Path, began: float, seconds: int) -> dict[str, Any]:
    """When each job was begun, had made its first step, and was done; seconds from the start of the run."""
    marks: dict[str, dict[str, float]] = {}
    while process.poll() is None:
        now = round(time.time() - began, 1)
        for seed in folder.glob("adapters/*/seed-*"):
            mark = marks.setdefault(f"{seed.parent.name} {seed.name}", {"begun": now})
            if "first_step" not in mark and (seed / "speed.jsonl").exists():
                mark["first_step"] = now
            if "done" not in mark and (seed / "adapter.lock.yaml").exists():
                mark["done"] = now
        if now > seconds:
            process.terminate()
            process.wait(timeout=60)
        time.sleep(0.1)
    ordered = sorted(marks.items(), key=lambda one: one[1]["begun"])
    free = max((one.stat().st_mtime - began for one in (folder / "corpus").glob("*.jsonl")), default=0.0)
    found = {"corpora_done_s": round(free, 1), "jobs": dict(ordered)}
    for _, mark in ordered:  # one after the other on one GPU: each begins when the one before is done
        for name, until in (("start_to_first_step", "first_step"), ("whole", "done")):
            if until in mark:
                mark[name] = round(mark[until] - free, 1)
        free = mark.get("done", free)
    return {**found, "jobs_done_s": round(free, 1)}


def calls(journal: Path, began: float) -> dict[str, Any]:
    """When the first reply of a session came and the last, and how many calls a second lie between."""
    if not journal.exists():
        return {}
    with sqlite3.connect(journal) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(calls)")]
        at = "at" if "at" in columns else columns[-1]
        query = f"SELECT count(*), min({at}), max({at}) FROM calls WHERE stage = 'sessions'"
        count, first, last = connection.execute(query).fetchone()
    if not count:
        return {}
    rate = round(count / max(last - first, 1e-9), 1)
    return {
        "session_calls": count,
        "first_reply_s": round(first - began, 1),
        "last_reply_s": round(last - began, 1),
        "calls_a_second": rate,
    }


if __name__ == "__main__":
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "INFO")
    main()
