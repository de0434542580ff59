"""One case of benchmarks/tuning.py, in a process of its own: trains once the file `go` is there, writes result.json."""

from __future__ import annotations

import json
import os
import random
import sys
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
PACKS = 4
"""Packs in one optimizer step."""
LEARNING_RATE = 5e-4
SEED = 42
PEAKS = {"H100": 989.4e12, "H200": 989.4e12, "A100": 312e12, "A40": 149.7e12}
"""Dense bf16 FLOP/s by NVIDIA's data sheets."""


def main(asked: dict[str, Any]) -> None:
    """Train as asked (see tuning.py) and write what was measured."""
    import torch
    from peft import LoraConfig  # noqa: F401
    from trl.trainer.sft_trainer import SFTTrainer  # noqa: F401

    from cbtrun.plugins.tuning import sft_speed, sft_training  # noqa: F401 - imported before the clock runs

    folder, setting = Path(asked["folder"]), asked["setting"]
    while not (folder / "go").exists():
        time.sleep(0.05)
        if not folder.exists():
            return  # whoever started us is gone
    began = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not setting.get("slim", True):
        sft_speed.slim_updates = lambda _: None  # PEFT's own layers, to see what ours give
    shape = SHAPES[asked["model"]]
    base = random_model(shape, device, setting.get("quantisation", "none"))
    rows = sessions(shape["vocab_size"], asked["length"], full=bool(setting.get("full")))
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    make = plain_trainer if setting.get("plain") else our_trainer
    trainer = make(base, rows, asked, device)
    clock = stopwatch(device)
    trainer.add_callback(clock)
    trainer.train()
    if trainer.is_world_process_zero():
        found = measured(trainer, clock, rows, asked, device)
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
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
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
        weight = bnb.nn.Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True)
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


def plain_trainer(base: Any, rows: list[Any], asked: dict[str, Any], device: str) -> Any:
    """SFTTrainer as its documentation starts: only what the task fixes is set, all else is TRL's default."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import set_seed
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    setting, devices = asked["setting"], asked["devices"]
    told = {"input_ids": [list(row.input_ids) for row in rows], "labels": [list(row.labels) for row in rows]}
    settings = SFTConfig(
        output_dir=asked["folder"], max_length=asked["length"], max_steps=asked["steps"], seed=SEED, data_seed=SEED,
        learning_rate=LEARNING_RATE, per_device_train_batch_size=max(1, setting["batch"] // devices),
        gradient_accumulation_steps=setting.get("passes", 1), logging_steps=1, save_strategy="no", report_to="none",
        include_num_input_tokens_seen="non_padding", use_cpu=device == "cpu", disable_tqdm=True,
    )  # fmt: skip
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    set_seed(SEED)  # the adapter's first weights: the same as ours
    return SFTTrainer(
        model=base, args=settings, train_dataset=Dataset.from_dict(told), processing_class=tokenizer(), peft_config=lora
    )


def our_trainer(base: Any, rows: list[Any], asked: dict[str, Any], device: str) -> Any:
    """The trainer of the `sft` plugin."""
    from cbtrun.plugins.tuning.sft_training import make_trainer

    options = our_options(asked, device)
    return make_trainer(base, tokenizer(), rows, [], options, SEED, Path(asked["folder"]), asked["devices"])


def our_options(asked: dict[str, Any], device: str) -> dict[str, Any]:
    """The plugin's defaults, and over them what the setting says and what the plain script has."""
    from cbtrun.plugins.tuning.sft_options import SCHEMA

    setting, options = asked["setting"], defaults(SCHEMA)
    options |= {name: value for name, value in setting.items() if name in options}
    rows = PACKS if setting.get("packing") else setting["batch"]
    return options | {
        "max_steps": asked["steps"], "learning_rate": LEARNING_RATE, "schedule": "linear", "warmup_ratio": 0.0,
        "precision": "bfloat16", "max_length": asked["length"], "device": device, "batch_size": setting["batch"],
        "gradient_accumulation": max(1, rows // (setting["batch"] * asked["devices"])),
    }  # fmt: skip


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


def measured(trainer: Any, clock: Any, rows: list[Any], asked: dict[str, Any], device: str) -> dict[str, Any]:
    """What a case came to, from its third step on."""
    import torch

    from cbtrun.plugins.tuning.tune_memory import estimate, shape_from

    skip = min(2, len(clock.times) - 2)
    seconds, tokens = clock.times[-1] - clock.times[skip], clock.tokens[-1] - clock.tokens[skip]
    setting, shape = asked["setting"], shape_from(SHAPES[asked["model"]])
    products = shape.blocks + shape.vocabulary * shape.hidden if shape else 0  # looking up an embedding is no product
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    peak = next((flops for card, flops in PEAKS.items() if card in name), 1e12) * asked["devices"]
    plain = bool(setting.get("plain"))
    need = estimate(shape, our_options(asked, device)).gib if shape and not plain else 0.0
    return {
        "tokens_per_second": tokens / seconds,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0,
        "reserved_gib": torch.cuda.max_memory_reserved() / 2**30 if device == "cuda" else 0.0,
        "estimated_gib": need,
        "share_of_peak": tokens / seconds * 4 * products / peak,  # LoRA: forward and activations' gradient, 2N each
        "padding": padding(rows, setting["batch"]) if plain else 0.0,
        "tokens_timed": tokens,
        "seconds_per_step": seconds / (len(clock.times) - 1 - skip),
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
        "card": name,
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
    main(json.loads(sys.argv[1]))
