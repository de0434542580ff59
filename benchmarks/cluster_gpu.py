"""Engines and tune jobs on GPUs of one machine under Ray, and the same without it.

    python benchmarks/cluster_gpu.py engines --on local                # one engine as without a cluster: the baseline
    python benchmarks/cluster_gpu.py engines --on ray --replicas 1     # the same through Ray
    python benchmarks/cluster_gpu.py engines --on ray --replicas 2     # two GPUs: at least 0.9 times two
    python benchmarks/cluster_gpu.py jobs --on local                   # three tune jobs and their arms, two GPUs
    python benchmarks/cluster_gpu.py jobs --on ray                     # the same study under Ray: no slower
    options: --shape llama-3.1-8b|small, --personas A_REPLICA, --turns 20, --steps 40, --scratch FOLDER (kept between calls)

Each call is one command of `cbtrun`, as a user starts it, with a time of its own; weights are random. `engines` reads none
(load_format: dummy), `jobs` writes those of a 1-billion shape first, into --scratch. A rate is of the middle of a run: tokens
of the calls that ended between a quarter and three quarters of all. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    """Do what is asked for; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=["engines", "jobs"])
    parser.add_argument("--on", default="local")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--shape", default="")
    parser.add_argument("--personas", type=int, default=256)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--eager", action="store_true", help="no CUDA graphs: opens in half the time")
    parser.add_argument("--scratch", type=Path)
    asked = parser.parse_args()
    scratch = asked.scratch or Path(tempfile.mkdtemp(prefix="cbtrun-bench-"))
    scratch.mkdir(parents=True, exist_ok=True)
    found = engines(asked, scratch) if asked.section == "engines" else jobs(asked, scratch)
    print(json.dumps({"benchmark": "cluster_gpu", "section": asked.section, "on": asked.on, **found, **card()}))


def engines(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Replies a second and tokens a second of so many engines of one base."""
    from gpu_models import make_model

    shape = asked.shape or "llama-3.1-8b"
    model = make_model(scratch / f"model-{shape}", shape)
    sessions = asked.personas * asked.replicas
    study = {
        "cbtrun": 1, "study": "engines", "seed": 7, "contains": "none",
        "models": {"base": _vllm(model, asked, load_format="dummy", ignore_end=True)},
        "personas": {"eval": {"using": "sampled", "attributes": "depression", "count": sessions}},
        "arms": {"only": {"therapist": "base"}},
        "sessions": _dialogue("base", asked.turns),
    }  # fmt: skip
    return {"shape": shape, "replicas": asked.replicas, "sessions": sessions, **run(study, asked, scratch, sessions)}


def jobs(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Three tune jobs, their arms and the base's, by one command."""
    from gpu_models import make_model

    shape = asked.shape or "llama-3.2-1b"
    folder = scratch / f"weights-{shape}"
    model = folder if (folder / "config.json").exists() else make_model(folder, shape, weights=True)
    job = {
        "using": "sft", "base": "base", "corpus": "cbt", "precision": "bfloat16", "max_steps": asked.steps, "batch_size": 4,
        "max_length": 2048, "seeds": [1],
    }  # fmt: skip
    ranks = {"narrow": 16, "middle": 32, "wide": 64}
    study = {
        "cbtrun": 1, "study": "jobs", "seed": 7, "contains": "none",
        "models": {"author": {"using": "grammar"}, "base": _vllm(model, asked, ignore_end=True)},
        "personas": {
            "train": {"using": "sampled", "attributes": "depression", "count": 8},
            "eval": {"using": "sampled", "attributes": "depression", "count": asked.personas},
        },
        "corpus": {"cbt": {"using": "written-course", "author": "author", "personas": "train", "course": "depression-20", "register": "cbt", "sessions": list(range(1, 11))}},
        "tune": {name: {**job, "lora": {"rank": rank}} for name, rank in ranks.items()},
        "arms": {"untuned": {"therapist": "base"}, **{name: {"therapist": name} for name in ranks}},
        "sessions": _dialogue("base", asked.turns),
    }  # fmt: skip
    return {"shape": shape, "jobs": len(ranks), "sessions": 4 * asked.personas, **run(study, asked, scratch, 1024)}


def _vllm(model: Path, asked: argparse.Namespace, **more: Any) -> dict[str, Any]:
    sampling = {"temperature": 0.7, "top_p": 1.0}
    size = {"max_model_len": 4096, "gpu_memory_utilization": 0.9, "enforce_eager": asked.eager}
    return {"using": "vllm", "model": str(model.absolute()), **sampling, **size, **more}


def _dialogue(patient: str, turns: int) -> dict[str, Any]:
    return {
        "using": "dialogue", "patient": patient, "personas": "eval", "max_turns": turns, "farewell": False,
        "reminder": False, "end_markers": [], "max_tokens": {"therapist": 100, "patient": 100},
    }  # fmt: skip


def run(study: dict[str, Any], asked: argparse.Namespace, scratch: Path, concurrency: int) -> dict[str, Any]:
    """Run a study by the command, anew; gives its seconds, stage by stage, and its rates."""
    name = f"{study['study']}-{asked.on.partition(':')[0]}-{asked.replicas}"
    spec, where, runs = (
        scratch / f"{name}.yaml",
        scratch / f"{name}-where.yaml",
        scratch / f"runs-{name}-{time.time():.0f}",
    )
    spec.write_text(yaml.safe_dump(study))
    where.write_text(
        yaml.safe_dump({"on": asked.on, **({"replicas": asked.replicas} if asked.section == "engines" else {})})
    )
    place = ["--on", str(where)] if asked.on != "local" else []
    command = [
        sys.executable,
        "-m",
        "cbtrun.cli.main",
        str(spec),
        "--runs",
        str(runs),
        "--concurrency",
        str(concurrency),
        *place,
    ]
    began = time.perf_counter()
    code = subprocess.run(command, check=False).returncode
    seconds = time.perf_counter() - began
    return {"exit_code": code, "seconds": round(seconds, 1), **rates(runs / study["study"] / "journal.sqlite")}


def rates(journal: Path) -> dict[str, float]:
    """Calls and tokens a second in the middle of the sessions, and how long the whole of them took."""
    if not journal.exists():
        return {}
    with closing(sqlite3.connect(journal)) as opened:
        made = opened.execute("SELECT at, tokens_out FROM calls WHERE stage = 'sessions' ORDER BY at").fetchall()
    return steady(made)


def steady(made: Sequence[tuple[float, int]]) -> dict[str, float]:
    """Of (when, tokens) of each call, in order."""
    middle = made[len(made) // 4 : 3 * len(made) // 4]
    if len(middle) < 2 or middle[-1][0] <= middle[0][0]:
        return {"calls": float(len(made))}
    span = middle[-1][0] - middle[0][0]
    return {
        "calls": float(len(made)),
        "replies_per_second": round(len(middle) / span, 1),
        "tokens_per_second": round(sum(tokens for _, tokens in middle) / span, 1),
        "first_to_last_seconds": round(made[-1][0] - made[0][0], 1),
    }


def card() -> dict[str, Any]:
    """The GPUs and the versions that matter."""
    from cbtrun.run.study_lock import hardware, package_versions

    names = ("torch", "vllm", "transformers", "ray")
    return {"gpus": hardware()["gpus"], **{name: found for name, found in package_versions().items() if name in names}}


if __name__ == "__main__":
    main()
