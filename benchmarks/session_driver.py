"""What sessions cost the driver: a study of scripted patients and an engine that answers at once, in this process.

    python benchmarks/session_driver.py --model FOLDER_OF_SMOLLM2 [--personas 120] [--arms 1] [--profile]

One core. The last line is JSON: calls a second, and milliseconds of CPU a call.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import json
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from quick_plugin import Plugin

from cbtrun.files.run_folder import RunFolder
from cbtrun.pipeline import run_study
from cbtrun.registry import load_registry
from cbtrun.run.options import RunOptions
from cbtrun.study.load import load_study


def study(model: str, personas: int, turns: int, arms: int) -> dict[str, Any]:
    """Sessions alone."""
    systems = ("You are a therapist.", "You are a cognitive therapist.", "You listen.", "You are kind.")
    return {
        "cbtrun": 1, "study": "driver", "seed": 7, "contains": "none",
        "models": {"patient": {"using": "scripted-patient"}, "smol": {"using": "quick-vllm", "model": model, "temperature": 0.7}},
        "personas": {"eval": {"using": "sampled", "attributes": "depression", "count": personas}},
        "arms": {f"arm{at}": {"therapist": "smol", "system": systems[at]} for at in range(arms)},
        "sessions": {"using": "dialogue", "patient": "patient", "personas": "eval", "max_turns": turns, "farewell": False},
    }  # fmt: skip


def main() -> None:
    """Run the study and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--personas", type=int, default=120)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--arms", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    registry = load_registry(extra=[("quick-vllm", Plugin())])
    with tempfile.TemporaryDirectory() as scratch:
        spec = Path(scratch) / "driver.yaml"
        spec.write_text(yaml.safe_dump(study(asked.model, asked.personas, asked.turns, asked.arms)))
        loaded = load_study(spec, registry=registry)
        folder = RunFolder(Path(scratch) / "runs")
        profile = cProfile.Profile()
        from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer

        load_tokenizer(find_model(asked.model))  # libraries are imported: not the sessions' own time

        began, cpu = time.perf_counter(), time.process_time()
        if asked.profile:
            profile.enable()
        run_study(loaded, registry, folder, RunOptions())
        profile.disable()
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        written = (folder.path / "sessions.jsonl").read_bytes()
    if asked.profile:
        pstats.Stats(profile).sort_stats("cumtime").print_stats("cbtrun|/runner/|/plugins/|method", 70)
    calls = asked.personas * asked.arms * asked.turns
    told = {
        "calls": calls,
        "wall_s": round(wall, 2),
        "calls_a_second": round(calls / wall, 1),
        "cpu_ms_a_call": round(1000 * cpu / calls, 3),
    }
    print(json.dumps({"benchmark": "session_driver", **told, "sessions": hashlib.sha256(written).hexdigest()[:16]}))


if __name__ == "__main__":
    main()
