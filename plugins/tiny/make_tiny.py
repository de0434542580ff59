"""Makes the embedded model `cbtrun:tiny` from nothing: tokenizer, pre-training on generated dialogue, model folder.

    python -m cbtrun.plugins.tiny.make_tiny --out FOLDER --minutes 6

Needs torch, transformers, tokenizers, numpy and PyYAML, and no network; from a checkout that is not installed, in
its root: `python -m plugins.tiny.make_tiny --out FOLDER`. The dialogue is the same whatever the number of cores; the weights
are the same up to the GPU's arithmetic when `--steps` is given (training.json names the number that was used).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .tokens import CHAT_TEMPLATE, END, PAD, open_workers, rows, train_tokenizer

RECIPE = Path(__file__).resolve().parent / "recipe"


@dataclass(frozen=True)
class Plan:
    """Everything that decides the model."""

    seed: int
    hidden: int
    layers: int
    heads: int
    vocabulary: int
    length: int  # tokens in a row
    batch: int  # rows in a step
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    tokenizer_dialogues: int
    max_positions: int = 2048


def recipe_digest() -> str:
    """SHA-256 over the generator's code and phrases."""
    digest = hashlib.sha256()
    for file in sorted([*RECIPE.rglob("*.py"), *RECIPE.rglob("*.yaml")]):
        digest.update(str(file.relative_to(RECIPE)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def build_model(plan: Plan, pad: int, end: int) -> Any:
    """A Llama-architecture model with random weights (float32, CPU)."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(plan.seed)
    config = LlamaConfig(
        vocab_size=plan.vocabulary,
        hidden_size=plan.hidden,
        intermediate_size=-(-plan.hidden * 8 // 3 // 64) * 64,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=plan.max_positions,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        use_cache=True,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        eos_token_id=end, pad_token_id=pad, do_sample=True, temperature=0.7, top_p=0.9, max_new_tokens=80
    )
    return model


def make_optimizer(model: Any, plan: Plan, device: str) -> Any:
    """AdamW; weight decay on matrices only."""
    import torch

    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.95), fused=device == "cuda")


def learning_rate(plan: Plan, step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a fiftieth."""
    if step < plan.warmup_steps:
        return plan.learning_rate * (step + 1) / plan.warmup_steps
    part = (step - plan.warmup_steps) / max(1, steps - plan.warmup_steps)
    return plan.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))


def loss_of(model: Any, batch: Any, device: str) -> Any:
    """Mean cross-entropy of the next token over all tokens, in nats; batch (rows, tokens) on the device."""
    import torch

    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        logits = model(input_ids=batch[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())


def pretrain(model: Any, plan: Plan, stream: Any, steps: int | None, minutes: float, device: str) -> dict[str, Any]:
    """Trains in place; gives steps, tokens, seconds and the loss curve. Without `steps`, as many as fit in `minutes`."""
    import torch

    started = time.monotonic()
    model.to(device).train()
    optimizer = make_optimizer(model, plan, device)
    runner = torch.compile(model) if device == "cuda" and os.environ.get("TINY_COMPILE", "1") == "1" else model
    planned, timed_from, curve, step = steps, 0.0, [], 0
    while planned is None or step < planned:
        batch = torch.from_numpy(next(stream)).to(device)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(plan, step, planned or 10**6)
        try:
            loss = loss_of(runner, batch, device)
            loss.backward()
        except Exception as error:  # the compiler is an extra; without it training is slower and the same
            if runner is model or step > 0:
                raise
            print(f"torch.compile gave up ({type(error).__name__}); going on without it", flush=True)
            runner = model
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(runner, batch, device)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if step == 10:
            loss.item()  # waits for the device, so that compiling is not timed
            timed_from = time.monotonic()
        if planned is None and step == 60:
            loss.item()
            planned = _steps_that_fit(started, timed_from, minutes)
            print(f"{planned} steps fit in {minutes} minutes", flush=True)
        if step % 50 == 0 or step == planned:
            curve.append([step, round(loss.item(), 4)])
        if step % 250 == 0:
            print(f"step {step}/{planned} loss {curve[-1][1]:.4f} {time.monotonic() - started:.0f} s", flush=True)
    seconds = time.monotonic() - started
    return {"steps": step, "tokens": step * plan.batch * plan.length, "seconds": round(seconds), "loss": curve}


def _steps_that_fit(started: float, timed_from: float, minutes: float) -> int:
    now = time.monotonic()
    left = minutes * 60 - (now - started)
    return max(61, 60 + int(0.97 * left / ((now - timed_from) / 50)))


def save(model: Any, tokenizer: Any, out: Path) -> None:
    """The model folder: weights in float16 on disk, to be computed in float32."""
    from transformers import PreTrainedTokenizerFast

    out.mkdir(parents=True, exist_ok=True)
    model.cpu().half().save_pretrained(out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        model_max_length=model.config.max_position_embeddings,
        clean_up_tokenization_spaces=False,
    )
    fast.add_special_tokens({"additional_special_tokens": ["<|system|>", "<|user|>", "<|assistant|>"]})
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(out)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Pre-train cbtrun:tiny from scratch.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model into")
    parser.add_argument("--minutes", type=float, default=6.0, help="time for training, unless --steps is given")
    parser.add_argument("--steps", type=int, help="training steps, for a repetition of a known run")
    parser.add_argument("--seed", type=int, default=2412)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--length", type=int, default=1024, help="tokens in a row")
    parser.add_argument("--batch", type=int, default=128, help="rows in a step")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--warmup-steps", type=int, default=200)
    parser.add_argument("--tokenizer-dialogues", type=int, default=20000)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Tokenizer, pre-training, measures, model folder; ends with a short table."""
    given = parse_arguments(arguments)
    plan = Plan(
        given.seed, given.hidden, given.layers, given.heads, 4096, given.length, given.batch, given.learning_rate,
        given.warmup_steps, 0.1, given.tokenizer_dialogues,
    )  # fmt: skip
    started = time.monotonic()
    tokenizer = train_tokenizer(str(plan.seed), plan.tokenizer_dialogues, plan.vocabulary)
    print(f"tokenizer: {tokenizer.get_vocab_size()} entries, {time.monotonic() - started:.0f} s", flush=True)
    pool = open_workers(tokenizer.to_str(), given.workers)  # before torch: the workers are forked

    import torch

    from .measures import held_out_figures

    torch.set_float32_matmul_precision("high")
    model = build_model(plan, tokenizer.token_to_id(PAD), tokenizer.token_to_id(END))
    stream = rows(pool, f"{plan.seed}/train", plan.batch, plan.length, given.workers)
    training = pretrain(model, plan, stream, given.steps, given.minutes, given.device)
    pool.terminate()
    figures = held_out_figures(model.eval(), tokenizer, f"{plan.seed}/held", given.device)
    save(model, tokenizer, given.out)
    record = {
        "plan": asdict(plan),
        "recipe_sha256": recipe_digest(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if given.device == "cuda" else "cpu",
        "training": training,
        "held_out": figures,
    }
    (given.out / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print_table(model, training, figures)


def print_table(model: Any, training: dict[str, Any], figures: dict[str, float]) -> None:
    """What was made, in a few lines."""
    lines = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": training["steps"],
        "tokens": training["tokens"],
        "seconds": training["seconds"],
        "last training loss": training["loss"][-1][1] if training["loss"] else None,
        **figures,
    }
    for name, value in lines.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
