"""Studies for the GPU benchmarks: made as YAML, run by cbtrun, measured by what the watched engine noted."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_profile
import yaml
from gpu_plugin import ENGINES, WATCH, Note, Plugin, start_clock

from cbtrun.contexts import StageContext
from cbtrun.errors import StopRun
from cbtrun.files.run_folder import RunFolder
from cbtrun.pipeline import run_study
from cbtrun.plugins.vllm_models.shared_engine import SharedEngine
from cbtrun.registry import load_registry
from cbtrun.run.options import RunOptions
from cbtrun.study.load import load_study

STEPS_PROFILED = 80
PROFILE_AFTER_SECONDS = 20


def model_block(folder: Path | str, **more: Any) -> dict[str, Any]:
    """The block of a random model."""
    sampling = {"temperature": 0.7, "top_p": 1.0, "ignore_end": True}
    size = {"max_model_len": 4096, "gpu_memory_utilization": 0.92, "load_format": "dummy"}
    return {"using": "bench", "model": str(folder), **sampling, **size, **more}


def study_of(name: str, model: dict[str, Any], sessions: int, turns: int, arms: int, layers: str) -> dict[str, Any]:
    """Sessions of tuned therapists with the base as their patient."""
    jobs = [f"tuned{number}" for number in range(1, 4)]
    return {
        "cbtrun": 1,
        "study": name,
        "seed": 7,
        "contains": "none",
        "models": {"base": model},
        "personas": {"eval": {"using": "sampled", "attributes": "depression", "count": sessions}},
        "tune": {job: {"using": "bench", "base": "base", "seeds": [place], "layers": layers} for place, job in enumerate(jobs, 1)},
        "arms": {f"arm{number}": {"therapist": jobs[number]} for number in range(arms)},
        "sessions": {
            "using": "dialogue", "patient": "base", "personas": "eval", "max_turns": turns, "farewell": False,
            "reminder": False, "end_markers": [], "max_tokens": {"therapist": 160, "patient": 160},
        },
    }  # fmt: skip


class Bench:
    """One engine, and what is asked of it: all in one event loop, so that the engine lives on between studies."""

    def __init__(self, model: Path, scratch: Path, asked: argparse.Namespace) -> None:
        self._asked, self._scratch = asked, scratch
        self._traces = scratch / "traces"
        engine = dict(asked.engine)
        if "profile" in asked.parts:
            engine["profiler_config"] = gpu_profile.profiling(self._traces, STEPS_PROFILED)
        options = {
            "max_num_seqs": asked.seqs,
            "kv_cache_dtype": asked.kv,
            "enforce_eager": asked.eager,
            "engine": engine,
        }
        self._model = model_block(model, **options, top_k=asked.top_k)
        self._loop = loop = asyncio.new_event_loop()
        StageContext.run = lambda _self, work: loop.run_until_complete(work)  # type: ignore[method-assign]

    @property
    def shared(self) -> SharedEngine:
        """The engine that stays open."""
        (engine,) = ENGINES.values()
        assert isinstance(engine, SharedEngine)
        return engine

    def engine_facts(self) -> dict[str, Any]:
        """What its cache holds."""
        engine = self.shared._engine
        assert engine is not None
        return {"cache_tokens": engine.cache_tokens, "block": engine.block_tokens, "kv": self._asked.kv}

    def sessions(
        self, name: str, count: int, *, turns: int | None = None, arms: int = 1, seconds: float | None = None
    ) -> dict[str, Any]:
        """Run a study of so many personas, for so long at most, and say what came of it."""
        self._forget()
        spec = self._scratch / f"{name}.yaml"
        study = study_of(name, self._model, count, turns or self._asked.turns, arms, self._asked.lora)
        spec.write_text(yaml.safe_dump(study))
        registry = load_registry(extra=[("bench", Plugin())])
        loaded = load_study(spec, registry=registry)
        folder = RunFolder(self._scratch / "runs" / name)
        start_clock(seconds)
        failures: list[Any] = []
        try:
            failures = run_study(loaded, registry, folder, RunOptions(concurrency=1024)).failures
        except StopRun:
            pass
        finally:
            start_clock(None)
        if failures:
            raise RuntimeError(f"{len(failures)} sessions failed: {failures[0]}")
        lines = (folder.path / "sessions.jsonl").read_text().splitlines() if seconds is None else []
        gap = {"mean_gap_seconds": round(mean_gap(WATCH.notes), 3)} if arms == 1 else {}  # a note does not know its arm
        return {**summary(WATCH.notes), **gap, "personas": count, "arms": arms, "sessions_written": len(lines)}

    def profile(self, count: int) -> dict[str, Any]:
        """What the GPU does in some steps in the middle of so many sessions."""
        engine = self.shared._engine
        assert engine is not None

        async def watch() -> None:
            await asyncio.sleep(PROFILE_AFTER_SECONDS)
            await engine._engine.start_profile()
            await asyncio.sleep(PROFILE_AFTER_SECONDS / 2)
            await engine._engine.stop_profile()

        watching = self._loop.create_task(watch())
        self.sessions("profile", count, seconds=2 * PROFILE_AFTER_SECONDS)
        self._loop.run_until_complete(watching)
        return gpu_profile.added_up(self._traces)

    def replay(self, notes: list[Note], how: Callable[[Any, list[Note]], Any]) -> dict[str, Any]:
        """Ask for noted replies again, in another order of things."""
        self._forget()
        self._loop.run_until_complete(how(self, notes))
        return summary(WATCH.notes)

    async def ask(self, note: Note) -> None:
        """Ask for a noted reply again."""
        await WATCH.make(self.shared, note.asked, note.session, note.turn)

    def close(self) -> None:
        """End the engine."""
        self._loop.run_until_complete(self.shared.leave())

    def _forget(self) -> None:
        """Empty the notes and the engine's prefix cache."""
        WATCH.clear()
        if ENGINES and self.shared._engine is not None:
            self._loop.run_until_complete(self.shared._engine._engine.reset_prefix_cache())


def summary(notes: list[Note]) -> dict[str, Any]:
    """Rates and shares over noted replies."""
    began, ended = min(note.began for note in notes), max(note.ended for note in notes)
    seconds = ended - began
    tokens = sum(len(note.made.tokens) for note in notes)
    prompt = sum(len(note.asked.prompt) for note in notes)
    cached, reusable = sum(note.made.cached for note in notes), sum(note.reusable for note in notes)
    cpu = max(note.cpu for note in notes) - min(note.cpu for note in notes)
    half = [note for note in notes if note.ended > began + seconds / 2]
    return {
        "seconds": round(seconds, 1),
        "turns": len(notes),
        "tokens_per_second": round(tokens / seconds),
        "second_half_tokens_per_second": round(sum(len(note.made.tokens) for note in half) / (seconds / 2)),
        "sessions_per_second": round(len(notes) / 20 / seconds, 3),
        "mean_prompt": round(prompt / len(notes)),
        "mean_tokens": round(tokens / len(notes), 1),
        "cached_share": round(cached / prompt, 4),
        "hit_rate_of_possible": round(cached / max(reusable, 1), 4),
        "driver_cores": round(cpu / seconds, 2),
        "most_replies_under_way": WATCH.most_under_way,
        "mean_replies_under_way": round(sum(note.ended - note.began for note in notes) / seconds, 1),
        "mean_reply_seconds": round(sum(note.ended - note.began for note in notes) / len(notes), 2),
        "at": time.strftime("%H:%M:%S"),
    }


def mean_gap(notes: list[Note]) -> float:
    """Seconds from the end of a session's turn to the moment that its next one is asked for."""
    ordered = sorted(notes, key=lambda note: (note.session, note.turn))
    gaps = [later.began - note.ended for note, later in itertools.pairwise(ordered) if note.session == later.session]
    return sum(gaps) / max(len(gaps), 1)
