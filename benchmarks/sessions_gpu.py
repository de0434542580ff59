"""Sessions on one GPU through cbtrun's own dialogue stage, beside vLLM alone and beside lockstep batches.

    python benchmarks/sessions_gpu.py rate        # one H100, about fourteen minutes: rates, hit rate, driver's CPU
    python benchmarks/sessions_gpu.py seeds       # how far a request's seed decides its reply; cost of batch invariance
    python benchmarks/sessions_gpu.py bases       # three bases one after the other, memory given back
    python benchmarks/sessions_gpu.py killed      # kill -9 in the middle, run again; structured answers
    python benchmarks/sessions_gpu.py study       # an 8B study whole, by one command: tune, serve, sessions, ratings
    options: --shape small for a trial, --sessions 256 --many 1024 --seconds 90 ..., --out FILE; `rate` measures --parts
    beside our own rate (`profile` adds up by kernel what the GPU did), with --kv and --engine as the engine's arguments
    and --lora for the layers of the adapters

Weights are random in the shape of Llama 3.1 8B (`rate`, `seeds`, `study`). Each session has 20 turns of 40-160 tokens, a
therapist with a LoRA adapter (r=16; queries and values unless told otherwise) and the base as its patient, on one engine;
the journal is on. The baselines get the very same prompts, lengths, adapters and engine, prefix cache included: (a) all
turns of all sessions at once, a session's turns side by side, though in truth nobody knows a turn before the last one is
spoken; (b) lockstep, the turn of every session as one batch, then the next. The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    """Do what is asked for; the last line is JSON."""
    import sessions_gpu_parts as parts

    asked = arguments()
    sections: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
        "rate": rate,
        "seeds": parts.seeds,
        "bases": parts.bases,
        "killed": parts.killed,
        "study": parts.study,
    }
    with tempfile.TemporaryDirectory(prefix="cbtrun-bench-") as scratch:
        found = {"section": asked.section, "shape": asked.shape, **sections[asked.section](asked, Path(scratch))}
    line = json.dumps({**found, **card()})
    if asked.out:
        asked.out.write_text(line + "\n")
    print(line)


def arguments() -> argparse.Namespace:
    """The command line."""
    from gpu_models import ADAPTED

    parser = argparse.ArgumentParser()
    parser.add_argument("section", choices=["rate", "seeds", "bases", "killed", "study"])
    parser.add_argument("--shape", default="llama-3.1-8b")
    parser.add_argument("--out", type=Path)
    for name, default in {
        "sessions": 256,
        "many": 1024,
        "three": 192,
        "seconds": 90,
        "turns": 20,
        "seqs": 256,
        "top-k": 0,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    usual = ["at_once", "lockstep", "three_adapters", "many"]
    every = [*usual, "profile"]
    parser.add_argument("--parts", nargs="*", choices=every, default=usual, help="what `rate` measures besides ours")
    parser.add_argument(
        "--lora", choices=list(ADAPTED), default="queries-values", help="layers that an adapter changes"
    )
    parser.add_argument("--kv", default="auto", help="kv_cache_dtype of the engine")
    parser.add_argument("--engine", type=json.loads, default={}, help="further arguments of vLLM's engine, as JSON")
    parser.add_argument("--eager", action="store_true")
    return parser.parse_args()


def card() -> dict[str, Any]:
    """The GPU's name and the versions that matter."""
    import torch

    from cbtrun.run.study_lock import package_versions

    versions = {name: found for name, found in package_versions().items() if name in ("torch", "vllm", "transformers")}
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"gpu": gpu, **versions}


def rate(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Rates of sessions and of both baselines, on one engine."""
    from gpu_models import make_model
    from gpu_plugin import WATCH
    from gpu_study import Bench

    bench = Bench(make_model(scratch / "model", asked.shape), scratch, asked)
    found: dict[str, Any] = {}

    def say(name: str, values: dict[str, Any]) -> None:
        found[name] = values
        print(json.dumps({name: values}), flush=True)

    began = time.perf_counter()
    bench.sessions("warm", 4, turns=3)
    say("engine", {"seconds_to_open": round(time.perf_counter() - began, 1), **bench.engine_facts()})
    notes: list[Any] = []

    def ours() -> dict[str, Any]:
        made = bench.sessions("one", asked.sessions)
        notes[:] = WATCH.notes
        return made

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "ours": ours,
        "at_once": lambda: bench.replay(notes, at_once),
        "lockstep": lambda: bench.replay(notes, lockstep),
        "three_adapters": lambda: bench.sessions("three", asked.three // 3, arms=3),
        "many": lambda: bench.sessions("many", asked.many, seconds=asked.seconds),
        "profile": lambda: bench.profile(asked.sessions),
    }
    for name, measure in parts.items():
        if name == "ours" or name in asked.parts:
            say(name, measure())
    rates = {name: found[name]["tokens_per_second"] for name in parts if "tokens_per_second" in found.get(name, {})}
    found["ratios"] = {
        "of_1820": round(rates["ours"] / 1820, 2),
        **{f"ours_of_{name}": round(rates["ours"] / rate, 2) for name, rate in rates.items() if name != "ours"},
    }
    bench.close()
    return found


async def at_once(bench: Any, notes: list[Any]) -> None:
    """Every turn of every session, handed over at the same moment; a session's turns stand side by side."""
    ordered = sorted(notes, key=lambda note: (note.session, note.turn))
    await asyncio.gather(*(bench.ask(note) for note in ordered))


async def lockstep(bench: Any, notes: list[Any]) -> None:
    """One turn of all sessions at a time, to the last: the first turns alone are fast, since dialogues are short."""
    for turn in sorted({note.turn for note in notes}):
        await asyncio.gather(*(bench.ask(note) for note in notes if note.turn == turn))


if __name__ == "__main__":
    main()
