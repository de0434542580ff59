"""Parts of sessions_gpu.py that measure what is not a rate: repeatability, memory given back, kills, a whole study."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import yaml
from gpu_memory import memory_in_use, watching
from gpu_models import SHAPES, make_model

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

COMMAND = "from cbtrun.cli.main import main; main()"
DEFAULTS = {"max_model_len": 4096, "max_num_batched_tokens": 8192, "max_num_seqs": 256, "tensor_parallel_size": 1}
OPTIONS: dict[str, Any] = {
    **DEFAULTS, "dtype": "bfloat16", "gpu_memory_utilization": 0.9, "kv_cache_dtype": "auto", "load_format": "dummy",
    "enforce_eager": False, "prefix_caching": True, "engine": {}, "batch_invariant": False,
}  # fmt: skip


def seeds(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """How many replies stay the same with other neighbours in the batch, and what batch invariance costs."""
    model = make_model(scratch / "model", asked.shape)
    found = {}
    for name, invariant in (("usual", False), ("batch_invariant", True)):
        options = {**OPTIONS, "batch_invariant": invariant, "enforce_eager": asked.eager}
        try:
            found[name] = asyncio.run(_repeatability(str(model), options, SHAPES[asked.shape]["vocab_size"]))
        except Exception as error:  # the other half is worth having
            found[name] = {"error": f"{type(error).__name__}: {error}"[:600]}
        print(found[name], flush=True)
    return found


async def _repeatability(model: str, options: dict[str, Any], vocabulary: int) -> dict[str, Any]:
    from cbtrun.plugins.vllm_models.adapters import AdapterRoom
    from cbtrun.plugins.vllm_models.engine import Asked, start_engine

    began = time.perf_counter()
    engine = await asyncio.to_thread(start_engine, model, options, AdapterRoom())
    opened = time.perf_counter() - began
    draw = random.Random(1)
    sampling = {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
    prompts = [[draw.randrange(10, vocabulary) for _ in range(draw.randint(200, 900))] for _ in range(256)]
    asks = [Asked(prompt, 96, seed, sampling, frozenset()) for seed, prompt in enumerate(prompts)]

    async def together(some: list[Asked]) -> list[tuple[int, ...]]:
        await engine._engine.reset_prefix_cache()
        return [made.tokens for made in await asyncio.gather(*map(engine.make, some))]

    some = asks[:12]
    await together(some[:2])
    alone = [(await together([one]))[0] for one in some]
    again = [(await together([one]))[0] for one in some]
    few = (await together(asks[:16]))[:12]
    began = time.perf_counter()
    many = (await together(asks))[:12]
    seconds = time.perf_counter() - began
    cached = [made.tokens for made in await asyncio.gather(*map(engine.make, some))]  # prompts are in the cache now
    await engine.stop()
    return {
        "seconds_to_open": round(opened, 1),
        "tokens_per_second_256": round(256 * 96 / seconds),
        "same_as_alone": {
            name: f"{sum(one == two for one, two in zip(alone, other, strict=True))} of {len(alone)}"
            for name, other in {"alone again": again, "of 16": few, "of 256": many, "prompt cached": cached}.items()
        },
        "first_difference_token": {
            name: _first(alone, other) for name, other in {"of 16": few, "of 256": many}.items()
        },
    }


def _first(one: list[tuple[int, ...]], other: list[tuple[int, ...]]) -> list[int]:
    """Where the differing replies part."""
    return [
        next(place for place, (a, b) in enumerate(zip(x, y, strict=True)) if a != b)
        for x, y in zip(one, other, strict=True)
        if x != y
    ]


def bases(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Four arms on three bases: each is opened once, and its memory is free before the next."""
    shapes = ["llama-3.1-8b", "mistral-7b", "qwen-2.5-7b"] if asked.shape != "small" else ["small"] * 3
    models = {f"m{place}": make_model(scratch / f"m{place}", shape) for place, shape in enumerate(shapes)}
    block = {"using": "vllm", "load_format": "dummy", "enforce_eager": True, "ignore_end": True, "max_tokens": 40}
    study = {
        "cbtrun": 1, "study": "bases", "seed": 1, "contains": "none",
        "models": {"patient": {"using": "scripted-patient"}, **{name: {**block, "model": str(folder)} for name, folder in models.items()}},
        "personas": {"eval": {"using": "sampled", "attributes": "depression", "count": 4}},
        "arms": {"a": {"therapist": "m0"}, "b": {"therapist": "m1"}, "c": {"therapist": "m2"}, "d": {"therapist": "m0", "system": "Be kind."}},
        "sessions": {"using": "dialogue", "patient": "patient", "personas": "eval", "max_turns": 6, "farewell": False},
    }  # fmt: skip
    before = memory()
    with watching() as looks:
        ended = cbtrun(scratch, study)
    seen = of_one_card(looks)
    time.sleep(2)
    return {
        "exit": ended.returncode, "said": ended.stdout[-800:], "openings": rises(seen), "gib_before": before,
        "gib_most": max(seen), "gib_between": valleys(seen), "gib_after": memory(),
        "sessions": len((scratch / "runs/bases/sessions.jsonl").read_text().splitlines()),
    }  # fmt: skip


def killed(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """A run killed in the middle and started again beside one that was left alone; and structured answers."""
    tiny = {
        "using": "vllm", "model": "cbtrun:tiny", "max_model_len": 2048, "gpu_memory_utilization": 0.3, "enforce_eager": True,
        "batch_invariant": asked.shape != "small", "max_tokens": 60,
    }  # fmt: skip
    study = {
        "cbtrun": 1, "study": "killed", "seed": 1, "contains": "none", "models": {"tiny": tiny},
        "personas": {"eval": {"using": "sampled", "attributes": "depression", "count": 32}},
        "arms": {"a": {"therapist": "tiny"}},
        "sessions": {"using": "dialogue", "patient": "tiny", "personas": "eval", "max_turns": 16, "farewell": False},
    }  # fmt: skip
    found: dict[str, Any] = {}
    try:
        found["structured"] = asyncio.run(_structured(tiny))
    except Exception as error:
        found["structured"] = f"{type(error).__name__}: {error}"[:600]
    print(found, flush=True)
    whole = cbtrun(scratch / "whole", study)
    broken = subprocess.Popen(_command(scratch / "broken", study), start_new_session=True, stdout=subprocess.DEVNULL)
    journal = scratch / "broken/runs/killed/journal.sqlite"
    while calls(journal) < 150 and broken.poll() is None:
        time.sleep(0.02)
    broken.send_signal(signal.SIGKILL)
    broken.wait()
    kept, until = calls(journal), time.monotonic() + 30
    while memory() > 2 and time.monotonic() < until:
        time.sleep(0.2)
    found |= {"gib_after_kill": memory(), "calls_before_kill": kept}
    again = cbtrun(scratch / "broken", study)
    print(again.returncode, again.stdout[-1500:], again.stderr[-3000:], flush=True)
    one, other = (keys(scratch / name / "runs/killed/journal.sqlite") for name in ("whole", "broken"))
    files = [scratch / name / "runs/killed/sessions.jsonl" for name in ("whole", "broken")]
    texts = [file.read_text().splitlines() if file.exists() else [] for file in files]
    return {
        **found,
        "exits": [whole.returncode, again.returncode],
        "calls_whole": one.total(),
        "calls_broken": other.total(),
        "calls_made_twice": sum(count - 1 for count in other.values()),
        "same_sessions": f"{sum(a == b for a, b in zip(*texts, strict=False))} of {len(texts[0])}",
    }


async def _structured(block: dict[str, Any]) -> str:
    """Answers that were held to a schema, out of all."""
    from pydantic import Field

    from cbtrun.calls.structured import Answer, ask
    from cbtrun.contract.models import ChatMessage, Draw, ModelContext, Request
    from cbtrun.plugins.vllm_models import vllm_model
    from cbtrun.plugins.vllm_models.options import SCHEMA

    class Mood(Answer):
        mood: int = Field(ge=0, le=10)
        direction: Literal["better", "worse", "same"]
        tired: bool

    defaults = {name: one["default"] for name, one in SCHEMA["properties"].items() if "default" in one}
    model = vllm_model.open_model(ModelContext("tiny", {**defaults, **block}))
    said = (ChatMessage("user", "I slept badly and feel low. How do I feel?"),)
    requests = [Request(said, Draw("rater", str(number)), seed=number) for number in range(32)]
    answers = await asyncio.gather(*(ask(model, one, Mood, tries=1) for one in requests))
    await model.close()
    return f"{sum(answer.value is not None for answer in answers)} of {len(answers)} valid, e.g. {answers[0].value}"


def study(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """One family's tune job and its two arms by one command, ratings by the mock of a server."""
    from network_studies import listening

    from cbtrun.plugins.mock_server.server import MockServer

    began = time.perf_counter()
    on_gpu = asked.shape != "small"
    model = make_model(scratch / "model", asked.shape, weights=True, device="cuda" if on_gpu else "cpu")
    made = time.perf_counter() - began
    with listening(MockServer()) as server, watching() as looks:
        os.environ |= {"MOCK_URL": server.url, "MOCK_KEY": "mock-key-of-the-benchmark"}
        began = time.perf_counter()
        ended = cbtrun(scratch, whole_study(model, asked.eager), "--allow-host", "MOCK_KEY=127.0.0.1")
        seconds = time.perf_counter() - began
        again = cbtrun(scratch, whole_study(model, asked.eager), "--allow-host", "MOCK_KEY=127.0.0.1")
    run = scratch / "runs/family"
    return {
        "exit": ended.returncode, "seconds": round(seconds, 1), "seconds_to_make_weights": round(made, 1),
        "said": ended.stdout[-1500:] + ended.stderr[-1500:], "again": again.stdout[-300:], "gib_most": max(of_one_card(looks)),
        "report_kib": (run / "report.html").stat().st_size // 1024 if (run / "report.html").exists() else 0,
        "adapter": (run / "adapters/tuned/seed-1/adapter.lock.yaml").read_text()[-900:] if (run / "adapters").exists() else "",
    }  # fmt: skip


def whole_study(model: Path, eager: bool) -> dict[str, Any]:
    """The study of one family: transcripts, a tuned adapter, two arms, ratings, a comparison, a report."""
    return {
        "cbtrun": 1, "study": "family", "seed": 7, "contains": "none", "title": "One family at full size, random weights",
        "models": {
            "author": {"using": "grammar"},
            "patient": {"using": "scripted-patient"},
            "rater": {"using": "openai", "base_url": "${MOCK_URL}", "model": "rater", "api_key_env": "MOCK_KEY"},
            "llama": {"using": "vllm", "model": str(model), "max_tokens": 80, "ignore_end": True, "enforce_eager": eager},
        },
        "personas": {
            "train": {"using": "sampled", "attributes": "depression", "count": 4},
            "eval": {"using": "sampled", "attributes": "depression", "count": 20},
        },
        "corpus": {"cbt": {"using": "written-course", "author": "author", "personas": "train", "course": "depression-20", "register": "cbt", "sessions": [1, 5]}},
        "tune": {"tuned": {"using": "sft", "base": "llama", "corpus": "cbt", "precision": "bfloat16", "max_steps": 6, "batch_size": 2, "max_length": 2048, "seeds": [1]}},
        "arms": {
            "instruct": {"therapist": "llama", "factors": {"tuning": "none"}},
            "tuned": {"therapist": "tuned", "factors": {"tuning": "cbt"}},
        },
        "sessions": {"using": "dialogue", "patient": "patient", "personas": "eval", "max_turns": 12, "farewell": False},
        "ratings": {"ctrs": {"using": "rubric", "rubric": "ctrs", "raters": ["rater"]}},
        "analysis": {"main": {"using": "paired", "outcome": "ctrs.total", "factor": "tuning", "levels": ["cbt", "none"], "pair_by": "persona", "tests": ["t"]}},
        "report": {"using": "html"},
    }  # fmt: skip


def cbtrun(folder: Path, spec: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    return subprocess.run([*_command(folder, spec), *more], capture_output=True, text=True, check=False)


def _command(folder: Path, spec: dict[str, Any]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{spec['study']}.yaml"
    file.write_text(yaml.safe_dump(spec))
    return [sys.executable, "-c", COMMAND, str(file), "--runs", str(folder / "runs")]


def calls(journal: Path) -> int:
    """Calls that a journal holds; 0 before it is there."""
    return keys(journal).total() if journal.exists() else 0


def keys(journal: Path) -> Counter[str]:
    """How often each call is in the journal."""
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as connection:
            return Counter(key for (key,) in connection.execute("SELECT key FROM calls"))
    except sqlite3.OperationalError:
        return Counter()


def memory() -> float:
    """GiB in use on the GPU that this process may see."""
    return memory_in_use()[_card()]


def of_one_card(seen: list[list[float]]) -> list[float]:
    """What was in use on that GPU, look by look."""
    return [cards[_card()] for cards in seen]


def _card() -> int:
    return int(os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0] or 0)


def rises(seen: list[float]) -> int:
    """How often memory went from a twentieth of its most to over a half."""
    most, low, count = max(seen), True, 0
    for size in seen:
        if low and size > most / 2:
            low, count = False, count + 1
        elif size < most / 20:
            low = True
    return count


def valleys(seen: list[float]) -> list[float]:
    """The least memory between two rises."""
    most = max(seen)
    found: list[float] = []
    low: float | None = None
    for size in seen:
        if size < most / 2:
            low = size if low is None else min(low, size)
        elif low is not None:
            found.append(low)
            low = None
    return found[1:]
