"""Models of a real one's shape with random weights, for the benchmarks on a GPU: no file of anybody's is needed.

The tokenizer knows words: what a model draws at random is, read again, the same tokens, as it is with a real model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    "llama-3.1-8b": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096,
        "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
        "rope_theta": 500000.0,
    },
    "llama-3.2-1b": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 16, "hidden_size": 2048,
        "intermediate_size": 8192, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
        "rope_theta": 500000.0,
    },
    "mistral-7b": {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "num_hidden_layers": 32, "hidden_size": 4096,
        "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32768,
        "sliding_window": None, "rope_theta": 1000000.0,
    },
    "qwen-2.5-7b": {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "num_hidden_layers": 28, "hidden_size": 3584,
        "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
        "rope_theta": 1000000.0,
    },
    "small": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 256,
        "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 8192,
        "rope_theta": 500000.0,
    },
}  # fmt: skip
MOST_TOKENS = 8192
ADAPTED = {
    "queries-values": ("q_proj", "v_proj"),
    "all-linear": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}
"""Layers that an adapter changes."""
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|> ' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + ' <|end|> ' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + ' <|end|> ' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|> ' }}{% endif %}"
)
SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|unknown|>")


def make_model(folder: Path, shape: str, *, weights: bool = False, device: str = "cuda") -> Path:
    """Write config.json and a tokenizer, and random weights in bfloat16 if asked. Gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        **SHAPES[shape],
        "max_position_embeddings": MOST_TOKENS,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "bos_token_id": None,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    make_tokenizer(folder, SHAPES[shape]["vocab_size"])
    if weights:
        write_weights(folder, device)
    return folder


def make_tokenizer(folder: Path, vocabulary: int) -> None:
    """Write a tokenizer of words: those of the shipped personas and prompts, and invented ones to the full number."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*SPECIAL, *sorted(shipped_words())][:vocabulary]
    words += [f"w{number}" for number in range(vocabulary - len(words))]
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<|unknown|>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens(list(SPECIAL))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|end|>", pad_token="<|pad|>", unk_token="<|unknown|>",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(str(folder))


def shipped_words() -> set[str]:
    """Words and marks of the shipped persona files and of the prompts."""
    found: set[str] = {str(number) for number in range(200)}
    for package, endings in (("cbtrun.specs", (".yaml", ".jsonl")), ("cbtrun.plugins", (".py", ".yaml"))):
        for path in sorted(Path(str(files(package))).rglob("*")):
            if path.suffix in endings and path.stat().st_size < 300_000:
                found.update(re.findall(r"\w+|[^\w\s]+", path.read_text(encoding="utf-8")))
    return found


def write_weights(folder: Path, device: str) -> None:
    """Random weights of the usual spread, one shard."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    torch.set_default_device(device)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(str(folder)), dtype=torch.bfloat16)
    torch.set_default_device("cpu")
    model.save_pretrained(str(folder), max_shard_size="40GB")
    del model
    if device == "cuda":
        torch.cuda.empty_cache()


def write_adapter(folder: Path, model: Path, seed: int, *, layers: Sequence[str], rank: int = 16) -> None:
    """Write a LoRA adapter on these layers, of random numbers, as PEFT writes one."""
    import torch
    from safetensors.torch import save_file

    shape = json.loads((model / "config.json").read_text())
    sizes = layer_sizes(shape)
    draw = torch.Generator().manual_seed(seed)
    tensors = {}
    for number in range(shape["num_hidden_layers"]):
        for name in layers:
            block, into, out = sizes[name]
            start = f"base_model.model.model.layers.{number}.{block}.{name}"
            for part, size in (("lora_A", (rank, into)), ("lora_B", (out, rank))):
                numbers = torch.randn(*size, generator=draw) * 0.02
                tensors[f"{start}.{part}.weight"] = numbers.to(torch.bfloat16)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    settings = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "local", "r": rank,
        "lora_alpha": 2 * rank, "lora_dropout": 0.0, "bias": "none", "target_modules": sorted(layers),
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(settings))


def layer_sizes(shape: dict[str, Any]) -> dict[str, tuple[str, int, int]]:
    """Block, width in and width out of each kind of linear layer."""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    keys = hidden // shape["num_attention_heads"] * shape["num_key_value_heads"]
    return {
        "q_proj": ("self_attn", hidden, hidden), "k_proj": ("self_attn", hidden, keys), "v_proj": ("self_attn", hidden, keys),
        "o_proj": ("self_attn", hidden, hidden), "gate_proj": ("mlp", hidden, inner), "up_proj": ("mlp", hidden, inner),
        "down_proj": ("mlp", inner, hidden),
    }  # fmt: skip
