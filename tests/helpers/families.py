"""Tokenizers with the special tokens and chat templates of three model families, and small models of each."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from cbtrun.plugins.tiny.families import template_text
from tests.helpers.tiny_models import SENTENCES

MISTRAL_TEMPLATE = template_text("mistral.jinja")
"""Like Mistral-7B-Instruct-v0.3's: strict turns, no role for the system, whose words go into the last user message."""

FAMILIES = ("mistral", "qwen", "llama", "base")


def family_tokenizer(family: str) -> Any:
    """A byte-level BPE tokenizer with a family's special tokens and chat template."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    special, bos, eos, template = _parts(family)
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(SENTENCES, vocab_size=420, special_tokens=list(special), show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token=eos, bos_token=bos, pad_token=eos)
    tokenizer.chat_template = template
    return tokenizer


def family_model(family: str, folder: Path, *, hidden: int = 64, layers: int = 2) -> Path:
    """Write a random model of the family's architecture with its tokenizer, and give the folder."""
    import torch
    import transformers

    name = {"mistral": "Mistral", "qwen": "Qwen2", "llama": "Llama", "base": "Llama"}[family]
    tokenizer = family_tokenizer(family)
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden * 3,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.05,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **({"sliding_window": None} if family == "mistral" else {}),
    )
    getattr(transformers, f"{name}ForCausalLM")(config).save_pretrained(str(folder))
    return folder


def _parts(family: str) -> tuple[tuple[str, ...], str | None, str, str | None]:
    """Special tokens, beginning, end, template."""
    shipped = files("trl") / "chat_templates"
    if family == "mistral":
        return ("<unk>", "<s>", "</s>", "[INST]", "[/INST]"), "<s>", "</s>", MISTRAL_TEMPLATE
    if family == "qwen":
        template = (shipped / "qwen2_5.jinja").read_text()
        return ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), None, "<|im_end|>", template
    llama = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    if family == "llama":
        return llama, llama[0], "<|eot_id|>", (shipped / "llama3_1.jinja").read_text()
    return llama, llama[0], "<|end_of_text|>", None
