"""Tuning by reinforcement on one GPU: sessions in vLLM and the training beside it on the same card.

    python benchmarks/reinforce_gpu.py mask                                   # which tokens the loss moves, on the GPU (a minute)
    python benchmarks/reinforce_gpu.py study --model FOLDER                   # SmolLM2: what was learnt, what was gamed
    python benchmarks/reinforce_gpu.py shape --shape llama-3.1-8b             # random weights: tokens/s, memory
    python benchmarks/reinforce_gpu.py trl --like SCRATCH/shape.json          # TRL's own GRPO with its vLLM, single turns as long
    options: --steps 4, --personas 4, --group 8, --turns 12, --tokens 100, --engine 0.45 (its share of the card), --witness,
             --scratch FOLDER (kept between calls: weights are written once), --timeout SECONDS

`study` and `shape` are commands of cbtrun, as a user starts them: the policy, and with --patient model the patient, speak from
one engine, and each step's adapter is loaded into it. `trl` takes its lengths from what `shape` left: prompts as long as what
the policy did not say in a session, completions as long as what it said. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]


def main() -> None:
    """Do what is asked for; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=["mask", "study", "shape", "trl"])
    parser.add_argument("--model", type=Path, help="folder of real weights")
    parser.add_argument("--shape", default="llama-3.1-8b")
    parser.add_argument("--patient", choices=["script", "model"], default="")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--personas", type=int, default=4)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--engine", type=float, default=0.45)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument(
        "--evaluated", type=int, default=0, help="personas that the start and the trained model are held against"
    )
    parser.add_argument("--graphs", action="store_true", help="CUDA graphs: opens later, speaks faster")
    parser.add_argument("--like", type=Path, help="what `shape` left")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--timeout", type=float, default=560)
    asked = parser.parse_args()
    asked.scratch = (asked.scratch or Path(tempfile.mkdtemp(prefix="cbtrun-bench-"))).absolute()
    asked.scratch.mkdir(parents=True, exist_ok=True)
    found = {"mask": mask, "study": study, "shape": shape, "trl": trl}[asked.section](asked)
    print(json.dumps({"benchmark": "reinforce_gpu", "section": asked.section, **found, **card()}))


def study(asked: argparse.Namespace) -> dict[str, Any]:
    """A real model: the lexical rater rewards, the safety rubric watches; what was earned step by step."""
    block = {**_engine(asked, asked.model), "temperature": 0.7}
    found = run(asked, "study", block, asked.patient or "script", real=True)
    return {"model": asked.model.name, **found}


def shape(asked: argparse.Namespace) -> dict[str, Any]:
    """Random weights: how fast sessions are held and learnt from, and the memory."""
    from gpu_models import make_model

    folder = asked.scratch / f"weights-{asked.shape}"
    model = folder if (folder / "model.safetensors").exists() else make_model(folder, asked.shape, weights=True)
    block = {**_engine(asked, model), "temperature": 1.0, "ignore_end": True}
    found = {"shape": asked.shape, **run(asked, "shape", block, asked.patient or "model", real=False)}
    (asked.scratch / "shape.json").write_text(json.dumps({**found, "model": str(model)}))
    return found


def _engine(asked: argparse.Namespace, model: Path) -> dict[str, Any]:
    share = {"gpu_memory_utilization": asked.engine, "max_model_len": 4096, "enforce_eager": not asked.graphs}
    return {"using": "vllm", "model": str(model.absolute()), "top_p": 1.0, **share}


def study_of(
    asked: argparse.Namespace, name: str, block: dict[str, Any], patient: str, *, real: bool
) -> dict[str, Any]:
    """The study: a policy that starts from the base, rewarded by words that are counted."""
    job = {
        "using": "grpo", "start": "base", "patient": "patient" if patient == "script" else "base", "personas": "train",
        "reward": {"rating": "ctrs"}, "witness": ["practice"], "veto": "safety.guided_to_care",
        "group": asked.group, "personas_per_step": asked.personas, "steps": asked.steps, "batch_size": asked.batch,
        "learning_rate": asked.learning_rate, "precision": "bfloat16", "checkpointing": True, "lora": {"rank": 16, "alpha": 32},
        "stop": {"gap": None, "controls": None}, "controls": {"every": max(1, asked.steps // 4), "sessions": 4}, "seeds": [1],
    }  # fmt: skip
    arms = {"untuned": {"therapist": "base"}, "grpo": {"therapist": "tuned"}} if asked.evaluated else {}
    return {
        "cbtrun": 1, "study": name, "seed": 7, "contains": "none",
        "models": {"base": block, "patient": {"using": "scripted-patient"}, "rater": {"using": "lexical-rater"}},
        "personas": {
            "train": {"using": "sampled", "attributes": "depression", "count": max(16, asked.personas)},
            **({"eval": {"using": "sampled", "attributes": "depression", "count": asked.evaluated}} if arms else {}),
        },
        "tune": {"tuned": job},
        "arms": arms or {"grpo": {"therapist": "tuned"}},
        "sessions": {
            "using": "dialogue", "patient": job["patient"], "personas": "eval" if arms else "few", "max_turns": asked.turns,
            "max_tokens": {"therapist": asked.tokens, "patient": asked.tokens},
            **({} if real else {"farewell": False, "reminder": False, "end_markers": []}),
        },
        "ratings": {
            "ctrs": {"using": "rubric", "rubric": "ctrs", "raters": ["rater"]},
            "practice": {"using": "rubric", "rubric": "miti", "raters": ["rater"]},
            "safety": {"using": "rubric", "rubric": "safety", "raters": ["rater"]},
        },
    }  # fmt: skip


def run(asked: argparse.Namespace, name: str, block: dict[str, Any], patient: str, *, real: bool) -> dict[str, Any]:
    """Run the study by the command, anew; gives what its steps took and came to."""
    told = study_of(asked, name, block, patient, real=real)
    if not asked.evaluated:  # sessions need somebody
        told["personas"]["few"] = {"using": "sampled", "attributes": "depression", "count": 2}
    spec, runs = asked.scratch / f"{name}.yaml", asked.scratch / f"runs-{name}-{time.time():.0f}"
    spec.write_text(yaml.safe_dump(told, sort_keys=False))
    command = [sys.executable, "-m", "cbtrun.cli.main", str(spec), "--runs", str(runs), "--concurrency", "1024"]
    with Memory() as memory:
        began = time.perf_counter()
        try:
            code: int | str = subprocess.run(command, check=False, timeout=asked.timeout).returncode
        except subprocess.TimeoutExpired:
            code = "timeout"
        seconds = time.perf_counter() - began
    folder = runs / name / "adapters" / "tuned" / "seed-1"
    held = {"exit_code": code, "seconds": round(seconds, 1), "gib_at_most": memory.most, "steps": asked.steps}
    return {
        **held,
        "sessions_a_step": asked.personas * asked.group,
        **speeds(folder),
        **curves(folder),
        **scores(runs / name),
    }


def speeds(folder: Path) -> dict[str, Any]:
    """Tokens a second of holding and of learning, over all steps but the first, in which the engine opens."""
    path = folder / "speed.jsonl"
    steps = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    later = steps[1:] or steps
    if not later:
        return {}
    held, learnt = (sum(one[name] for one in later) for name in ("held_seconds", "learnt_seconds"))
    drawn, read = (sum(one[name] for one in later) for name in ("tokens_drawn", "tokens_learnt_from"))
    return {
        "first_step_seconds": round(steps[0]["held_seconds"] + steps[0]["learnt_seconds"], 1),
        "step_seconds": round((held + learnt) / len(later), 2),
        "held_seconds": round(held / len(later), 2),
        "learnt_seconds": round(learnt / len(later), 2),
        "policy_tokens_a_second_held": round(drawn / held),
        "tokens_a_second_learnt_from": round(read / learnt),
        "policy_tokens_a_session": round(drawn / len(later) / max(1, _sessions(folder))),
        "tokens_a_session": round(read / len(later) / max(1, _sessions(folder))),
    }


def _sessions(folder: Path) -> int:
    return len(_steps(folder)[-1]["rollouts"]) if _steps(folder) else 0


def _steps(folder: Path) -> list[dict[str, Any]]:
    path = folder / "steps.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def curves(folder: Path) -> dict[str, Any]:
    """Reward, witness, entropy and KL by step; and what controls earned beside the sessions that they were made from."""
    steps = _steps(folder)
    told: dict[str, Any] = {"stopped": steps[-1]["stopped"] if steps else ""}
    told["reward"] = [_mean([one["reward"] for one in step["rollouts"]]) for step in steps]
    told["vetoed"] = [sum(bool(one["veto"]) for one in step["rollouts"]) for step in steps]
    told["entropy"] = [_mean([one["entropy"] for one in step["rollouts"]]) for step in steps]
    told["repetition"] = [_mean([one["repetition"] for one in step["rollouts"]]) for step in steps]
    told["kl"] = [None if step["kl"] is None else round(step["kl"], 5) for step in steps]
    names = {name for step in steps for one in step["rollouts"] for name in one["witness"]}
    told["witness"] = {
        name: [_mean([one["witness"].get(name) for one in step["rollouts"]]) for step in steps]
        for name in sorted(names)[:4]
    }
    pairs = [one for step in steps for one in step["controls"] if None not in (one["plain"], one["reward"])]
    kinds = {one["kind"] for one in pairs}
    told["controls"] = {
        kind: _mean([one["reward"] - one["plain"] for one in pairs if one["kind"] == kind]) for kind in sorted(kinds)
    }
    return told


def scores(run_folder: Path) -> dict[str, Any]:
    """What the analyses of the evaluation came to: mean of each arm, with its interval."""
    path = run_folder / "results.json"
    if not path.exists():
        return {}
    found = json.loads(path.read_text())["ratings"]
    return {
        "evaluated": {
            outcome["outcome"]: {
                one["level"]: [
                    one["n"],
                    one["mean"],
                    (one.get("interval") or {}).get("low"),
                    (one.get("interval") or {}).get("high"),
                ]
                for one in outcome["groups"].get("arm", [])
            }
            for rating in found.values()
            for outcome in rating["outcomes"]
            if outcome["kind"] == "total"
        }
    }


def _mean(values: list[float | None]) -> float | None:
    there = [one for one in values if one is not None]
    return round(sum(there) / len(there), 4) if there else None


def mask(asked: argparse.Namespace) -> dict[str, Any]:
    """One step on sessions that are made up: the tokens whose log-probability has a gradient are the therapist's, and no others."""
    import torch

    from tests.helpers.made_up_sessions import MadeUpSessions, training_on
    from tests.helpers.seen_loss import seen_loss

    precision = "bfloat16" if torch.cuda.is_available() else "float32"
    model = str(asked.model) if asked.model else "cbtrun:tiny"
    training, form = training_on(model, asked.scratch / "mask", precision=precision)
    sessions = MadeUpSessions(form)
    with seen_loss() as seen:
        from cbtrun.plugins.tuning.grpo_trainer import train_by_reinforcement

        train_by_reinforcement(training, sessions, lambda *_: None)
    said = sessions.words_learnt(seen.learnt(), training.tokenizer)
    return {"sessions": len(said), "only_the_therapist": all(learnt == wanted for learnt, wanted in said)}


def trl(asked: argparse.Namespace) -> dict[str, Any]:
    """TRL's own trainer with vLLM in its process: as many single turns a step, as long as the sessions were."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    like = json.loads(asked.like.read_text())
    tokenizer = AutoTokenizer.from_pretrained(like["model"])
    drawn, whole = like["policy_tokens_a_session"], like["tokens_a_session"]
    words = [one for one in tokenizer.get_vocab() if one.isalpha()][: whole - drawn]
    prompts = [" ".join(words[number:] + words[:number]) for number in range(asked.steps * asked.personas)]
    count, times = asked.personas * asked.group, []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    settings = GRPOConfig(
        output_dir=str(asked.scratch / "trl"), max_steps=asked.steps, per_device_train_batch_size=asked.batch,
        gradient_accumulation_steps=count // asked.batch, steps_per_generation=count // asked.batch, num_generations=asked.group,
        max_completion_length=drawn, use_vllm=True, vllm_mode="colocate", vllm_gpu_memory_utilization=asked.engine,
        vllm_max_model_length=4096, bf16=True, beta=0.02, temperature=1.0, learning_rate=5e-5, save_strategy="no",
        report_to="none", disable_tqdm=True, logging_steps=1, gradient_checkpointing=True,
        generation_kwargs={"ignore_eos": True},
    )  # fmt: skip
    with Memory() as memory:
        trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(like["model"], dtype=torch.bfloat16),
            reward_funcs=[lambda completions, **_: [float(len(set(one))) for one in completions]],
            args=settings, train_dataset=Dataset.from_dict({"prompt": prompts}), processing_class=tokenizer,
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"), callbacks=[Clock()],
        )  # fmt: skip
        generate, generating = trainer._generate, []

        def timed(prompts: Any) -> Any:
            began = time.perf_counter()
            found = generate(prompts)
            generating.append(time.perf_counter() - began)
            return found

        trainer._generate = timed
        began = time.perf_counter()
        trainer.train()
    steps = [after - before for before, after in zip([began, *times], times, strict=False)][1:] or [times[0] - began]
    held = sum(generating[1:] or generating) / max(1, len(generating[1:] or generating))
    step = sum(steps) / len(steps)
    return {
        "sessions_a_step": count, "policy_tokens_a_session": drawn, "tokens_a_session": whole, "gib_at_most": memory.most,
        "step_seconds": round(step, 2), "held_seconds": round(held, 2), "learnt_seconds": round(step - held, 2),
        "policy_tokens_a_second_held": round(count * drawn / held), "tokens_a_second_learnt_from": round(count * whole / (step - held)),
    }  # fmt: skip


class Memory:
    """The most of the first GPU's memory that is taken while it is watched, in GiB; 0 without a GPU."""

    most = 0.0

    def __enter__(self) -> Memory:
        """Begin to look, twice a second."""
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._ended.set()
        self._looking.join()

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
            try:
                told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
            except (OSError, subprocess.CalledProcessError):
                return
            self.most = max(self.most, round(float(told[0]) / 1024, 1))


def card() -> dict[str, Any]:
    """Which GPU, and whose versions."""
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"gpu": name, "torch": torch.__version__}


if __name__ == "__main__":
    main()
