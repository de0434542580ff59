"""Tuning at 7-8B: tokens/s, peak memory and share of peak FLOPs, ours beside a plain TRL script in the same run.

    python benchmarks/tuning.py --quick                      # one H100/H200, under nine minutes
    python benchmarks/tuning.py --models qwen-2.5-7b --settings plain packed-all-compile
    python benchmarks/tuning.py --devices 2 --settings packed-all
    python benchmarks/tuning.py --models tiny --settings plain packed      # any machine: does the script run?

Weights are random, in the shape of the named model; no file and no network is needed. Sessions have lengths as
transcripts do (mean about 2,200 tokens, at most 4,096), half of their tokens with loss. Throughput counts real tokens:
padding is no work done. Every setting trains on the same sessions with the same seed in a process of its own, eight
rows an optimizer step, so that loss curves of packed settings can be compared. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    "llama-3.1-8b": {
        "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 14336,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "rope_theta": 500000.0,
    },
    "mistral-7b": {
        "model_type": "mistral", "num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 14336,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32768, "sliding_window": None,
    },
    "qwen-2.5-7b": {
        "model_type": "qwen2", "num_hidden_layers": 28, "hidden_size": 3584, "intermediate_size": 18944,
        "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
    },
    "tiny": {
        "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 192,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512,
    },
}  # fmt: skip

ROWS = 8
"""Rows (sessions padded to the longest, or packs) in one optimizer step."""
PEAKS = {"H100": 989.4e12, "H200": 989.4e12, "A100": 312e12, "A40": 149.7e12}
"""Dense bf16 FLOP/s by NVIDIA's data sheets."""

SETTINGS: dict[str, dict[str, Any]] = {
    # A plain script: SFTTrainer with its defaults, LoRA r=16 on all linear layers.
    "plain": {"plain": True, "batch": 8},
    "plain-full": {"plain": True, "batch": 8, "full": True},  # sessions of 4,096 tokens each: nothing is padded
    # Ours, one thing more at a time.
    "unpacked": {"packing": False, "checkpointing": True, "batch": 8},
    "packed": {"packing": True, "checkpointing": True, "batch": 8},
    "packed-selective": {"packing": True, "checkpointing": "selective", "batch": 4},
    "packed-all": {"packing": True, "checkpointing": False, "batch": 2},
    "packed-all-liger": {"packing": True, "checkpointing": False, "liger": True, "batch": 2},
    "packed-selective-liger": {"packing": True, "checkpointing": "selective", "liger": True, "batch": 4},
    "packed-all-compile": {"packing": True, "checkpointing": False, "compile": True, "batch": 2},
    "packed-compile": {"packing": True, "checkpointing": True, "compile": True, "batch": 8},
    "qlora-plain": {"plain": True, "batch": 1, "passes": 8, "quantisation": "nf4"},
    "qlora": {"packing": True, "checkpointing": True, "batch": 1, "quantisation": "nf4"},
    "qlora-all-liger": {"packing": True, "checkpointing": False, "liger": True, "batch": 1, "quantisation": "nf4"},
}
QUICK = ("plain", "plain-full", "packed", "packed-selective", "packed-all", "packed-all-liger", "qlora-plain", "qlora")


def main() -> None:
    """Run the settings one after the other; the next one's imports go on meanwhile."""
    asked = arguments()
    if asked.child:
        child(asked)
        return
    settings = list(QUICK) if asked.quick else asked.settings
    todo = [(model, setting) for model in asked.models for setting in settings]
    deadline = time.monotonic() + asked.seconds
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        waiting = start(asked, *todo[0], Path(folder))
        for place, (model, setting) in enumerate(todo):
            running, waiting = waiting, None
            if place + 1 < len(todo):
                waiting = start(asked, *todo[place + 1], Path(folder))
            found.append(finish(running, model, setting, deadline))
            say(found)
            if time.monotonic() > deadline:
                break
    print(json.dumps({"benchmark": "tuning", "devices": asked.devices, "results": found}))


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["llama-3.1-8b"], choices=list(SHAPES))
    parser.add_argument("--settings", nargs="+", default=["plain", "packed-all"], choices=list(SETTINGS))
    parser.add_argument("--quick", action="store_true", help=f"the settings {', '.join(QUICK)}")
    parser.add_argument("--length", type=int, default=4096, help="most tokens of a session, and tokens of a pack")
    parser.add_argument("--steps", type=int, default=8, help="optimizer steps; the first three are not timed")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=520, help="stop after so many")
    parser.add_argument("--child", nargs=3, metavar=("MODEL", "SETTING", "FOLDER"), help=argparse.SUPPRESS)
    return parser.parse_args()


class Started:
    """A setting's process, waiting for its turn."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process, self.folder = process, folder


def start(asked: argparse.Namespace, model: str, setting: str, folder: Path) -> Started:
    """Start a process that imports what it needs and then waits for the file `go`."""
    own = folder / f"{model}-{setting}"
    own.mkdir()
    launch = [sys.executable]
    if asked.devices > 1:
        launch += ["-m", "accelerate.commands.launch", "--num_processes", str(asked.devices), "--num_machines", "1"]
        launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    command = [*launch, __file__, "--child", model, setting, str(own)]
    command += ["--length", str(asked.length), "--steps", str(asked.steps), "--devices", str(asked.devices)]
    log = (own / "log").open("w")
    return Started(subprocess.Popen(command, stdout=log, stderr=log, text=True), own)


def finish(started: Started, model: str, setting: str, deadline: float) -> dict[str, Any]:
    """Let a waiting process run, and read what it measured."""
    (started.folder / "go").touch()
    try:
        started.process.wait(timeout=max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        started.process.kill()
        return {"model": model, "setting": setting, "error": "no time was left"}
    result = started.folder / "result.json"
    if result.exists():
        return {"model": model, "setting": setting, **json.loads(result.read_text())}
    tail = (started.folder / "log").read_text().splitlines()[-12:]
    return {"model": model, "setting": setting, "error": "\n".join(tail)}


def say(found: list[dict[str, Any]]) -> None:
    """One line about the newest result."""
    one = found[-1]
    if "error" in one:
        print(f"{one['model']:<14} {one['setting']:<22} failed:\n{one['error']}", flush=True)
        return
    base = next((other for other in found if other["model"] == one["model"] and "error" not in other), one)
    ratio = one["tokens_per_second"] / base["tokens_per_second"]
    print(
        f"{one['model']:<14} {one['setting']:<22} {one['tokens_per_second']:>9,.0f} real tokens/s ({ratio:4.2f} x "
        f"{base['setting']}), peak {one['peak_gib']:6.1f} GiB, {one['share_of_peak']:6.1%} of peak, "
        f"{one['padding']:4.0%} padding, loss {one['losses'][0]:.3f} -> {one['losses'][-1]:.3f}, "
        f"{one['seconds_in_all']:.0f} s in all",
        flush=True,
    )


# In the child --------------------------------------------------------------------------------------------------


def child(asked: argparse.Namespace) -> None:
    """Train with one setting and write result.json."""
    model, setting, folder = asked.child[0], SETTINGS[asked.child[1]], Path(asked.child[2])
    import torch
    from peft import LoraConfig  # noqa: F401
    from trl.trainer.sft_trainer import SFTTrainer  # noqa: F401

    from cbtrun.plugins.tuning import sft_training  # noqa: F401 - imported before the clock runs

    while not (folder / "go").exists():
        time.sleep(0.05)
        if not folder.exists():
            return  # whoever started us is gone
    began = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    base = random_model(SHAPES[model], device, setting.get("quantisation", "none"))
    rows = sessions(SHAPES[model]["vocab_size"], asked.length, full=bool(setting.get("full")))
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    make = plain_trainer if setting.get("plain") else our_trainer
    trainer = make(base, rows, setting, asked, folder, device)
    clock = stopwatch(device)
    trainer.add_callback(clock)
    trainer.train()
    if trainer.is_world_process_zero():
        found = measured(trainer, clock, SHAPES[model], rows, setting, device)
        found["seconds_in_all"] = time.monotonic() - began
        (folder / "result.json").write_text(json.dumps(found))


def random_model(shape: dict[str, Any], device: str, quantisation: str) -> Any:
    """A model with random weights of its family's usual spread, in bfloat16, its linear layers in nf4 if asked."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    more = {**shape, "max_position_embeddings": 8192, "tie_word_embeddings": False, "pad_token_id": 0}
    theta = more.pop("rope_theta", 1e6)
    config = AutoConfig.for_model(**more, rope_parameters={"rope_type": "default", "rope_theta": theta})
    torch.manual_seed(0)
    torch.set_default_device(device)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
    torch.set_default_device("cpu")
    if quantisation == "nf4":
        quantise(model, device)
    return model


def quantise(model: Any, device: str) -> None:
    """Put each linear layer but the output into nf4 with double quantisation, as loading with bitsandbytes would."""
    import bitsandbytes as bnb
    import torch

    for name, layer in list(model.named_modules()):
        if not isinstance(layer, torch.nn.Linear) or name == "lm_head":
            continue
        four = bnb.nn.Linear4bit(
            layer.in_features, layer.out_features, bias=layer.bias is not None, quant_type="nf4",
            compress_statistics=True, compute_dtype=torch.bfloat16, device="meta",
        )  # fmt: skip
        weight = bnb.nn.Params4bit(
            layer.weight.data.cpu(), requires_grad=False, quant_type="nf4", compress_statistics=True
        )
        four.weight = weight.to(device)
        four.bias = layer.bias
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, four)
    model.is_loaded_in_4bit = True
    torch.cuda.empty_cache()


def sessions(vocabulary: int, length: int, *, full: bool) -> list[Any]:
    """Sessions of lengths as transcripts have them, of skewed tokens, with the therapist's turns (of 40) to learn."""
    from cbtrun.plugins.tuning.training_rows import UNTRAINED, TrainingRow

    draw = random.Random(2412)
    known = [draw.randrange(2, vocabulary) for _ in range(300)]
    chances = [1 / (rank + 1) for rank in range(300)]
    rows = []
    for _ in range(160):
        mean = draw.gauss(0.54 * length, 0.22 * length)
        size = length if full else max(length // 8, min(length, int(mean)))
        ids = tuple(draw.choices(known, chances, k=size))
        labels = tuple(token if place // 40 % 2 else UNTRAINED for place, token in enumerate(ids))
        rows.append(TrainingRow(ids, labels))
    return rows


def tokenizer() -> Any:
    """Something that TRL can take its padding from; the rows are tokens already."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1}, unk_token="<eos>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")


def plain_trainer(
    base: Any, rows: list[Any], setting: dict[str, Any], asked: argparse.Namespace, folder: Path, device: str
) -> Any:
    """SFTTrainer as its documentation starts: only what the task fixes is set, all else is TRL's default."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    told = {"input_ids": [list(row.input_ids) for row in rows], "labels": [list(row.labels) for row in rows]}
    settings = SFTConfig(
        output_dir=str(folder), max_length=asked.length, max_steps=asked.steps, learning_rate=5e-4,
        per_device_train_batch_size=setting["batch"] // (asked.devices if setting["batch"] > 1 else 1),
        gradient_accumulation_steps=setting.get("passes", 1), logging_steps=1, save_strategy="no", report_to="none",
        include_num_input_tokens_seen="non_padding", use_cpu=device == "cpu", disable_tqdm=True,
    )  # fmt: skip
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    return SFTTrainer(
        model=base, args=settings, train_dataset=Dataset.from_dict(told), processing_class=tokenizer(), peft_config=lora
    )


def our_trainer(
    base: Any, rows: list[Any], setting: dict[str, Any], asked: argparse.Namespace, folder: Path, device: str
) -> Any:
    """The trainer of the `sft` plugin, eight rows an optimizer step."""
    from cbtrun.plugins.tuning.sft_options import SCHEMA
    from cbtrun.plugins.tuning.sft_training import make_trainer

    options = defaults(SCHEMA)
    options |= {name: value for name, value in setting.items() if name in options}
    options |= {
        "max_steps": asked.steps, "learning_rate": 5e-4, "schedule": "linear", "warmup_ratio": 0.0,
        "precision": "bfloat16", "max_length": asked.length, "device": device, "batch_size": setting["batch"],
        "gradient_accumulation": max(1, ROWS // (setting["batch"] * asked.devices)),
    }  # fmt: skip
    return make_trainer(base, tokenizer(), rows, [], options, 42, folder, asked.devices)


def defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Every default of a schema, nested ones too."""
    found = {}
    for name, option in schema["properties"].items():
        if option.get("type") == "object":
            found[name] = defaults(option)
        elif "default" in option:
            found[name] = option["default"]
    return found


def stopwatch(device: str) -> Any:
    """A callback that notes the time at the end of each step."""
    import torch
    from transformers import TrainerCallback

    class Stopwatch(TrainerCallback):
        times: list[float] = []  # noqa: RUF012 - one watch in a process
        tokens: list[int] = []  # noqa: RUF012

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if device == "cuda":
                torch.cuda.synchronize()
            self.times.append(time.perf_counter())
            self.tokens.append(int(state.num_input_tokens_seen))

    return Stopwatch()


def measured(
    trainer: Any, clock: Any, shape: dict[str, Any], rows: list[Any], setting: dict[str, Any], device: str
) -> dict[str, Any]:
    """What a setting came to, from its third step on."""
    import torch

    from cbtrun.plugins.tuning.tune_memory import shape_from

    skip = min(2, len(clock.times) - 2)
    seconds = clock.times[-1] - clock.times[skip]
    tokens = clock.tokens[-1] - clock.tokens[skip]
    size = shape_from({**shape, "tie_word_embeddings": False})
    weights = size.blocks + size.embeddings if size else 0
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    peak = next((flops for card, flops in PEAKS.items() if card in name), 1e12) * trainer.args.world_size
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {
        "tokens_per_second": tokens / seconds,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0,
        "reserved_gib": torch.cuda.max_memory_reserved() / 2**30 if device == "cuda" else 0.0,
        "share_of_peak": tokens / seconds * 4 * weights / peak,  # LoRA: forward and activations' gradient, 2N each
        "padding": padding(rows, setting["batch"]) if setting.get("plain") else 0.0,
        "tokens_timed": tokens,
        "seconds_per_step": seconds / (len(clock.times) - 1 - skip),
        "losses": losses,
        "device": name,
        "versions": {"torch": torch.__version__, "trl": __import__("trl").__version__},
    }


def padding(rows: list[Any], batch: int) -> float:
    """Share of padding when so many sessions, drawn at random, are padded to the longest."""
    draw, real, padded = random.Random(1), 0, 0
    for _ in range(500):
        sizes = [len(row.input_ids) for row in draw.sample(rows, batch)]
        real, padded = real + sum(sizes), padded + batch * max(sizes)
    return 1 - real / padded


if __name__ == "__main__":
    main()
