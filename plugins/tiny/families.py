"""`cbtrun:tiny` as a model of other families: its own weights in their architecture, its tokens under their names.

`cbtrun:tiny-qwen-instruct` computes what `cbtrun:tiny` computes, to the last bit: Llama, Mistral and Qwen 2 differ in
no operation that a model without biases and without a sliding window would notice (Qwen 2's biases are zeros here).
What differs is what cbtrun has to get right for each family: the configuration, the names and places of control tokens, the chat
template. A base model has a template only where its family's base has one (Qwen).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from cbtrun.plugin import tree_digest

PREFIX = "cbtrun:tiny-"
INSTRUCT = "-instruct"
TINY_TOKENS = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
"""Control tokens of `cbtrun:tiny`, by their ids from 0."""


@dataclass(frozen=True)
class Family:
    """What a family changes."""

    pattern: str
    """What names of its models look like."""
    architecture: str
    """In transformers' names, without `ForCausalLM`."""
    tokens: tuple[str, ...]
    """Five of them: what stands in the text where `cbtrun:tiny` has TINY_TOKENS; a longer text is still one token."""
    begin: str | None
    """Token that a text begins with."""
    template: str
    """Chat template of instruct models: a file of TRL's or of this folder."""
    base_has_template: bool = False


FAMILIES: Mapping[str, Family] = {
    "mistral": Family(
        r"mistral|mixtral|ministral|magistral",
        "Mistral",
        ("<unk>", "</s>", "<s>", "[INST]", "[/INST]"),
        "<s>",
        "mistral.jinja",
    ),
    "qwen": Family(
        r"qwen|qwq",
        "Qwen2",
        ("<|endoftext|>", "<|im_end|>", *(f"<|im_start|>{role}\n" for role in ("system", "user", "assistant"))),
        None,
        "qwen2_5.jinja",
        base_has_template=True,
    ),
    "llama": Family(
        r".",
        "Llama",
        (
            "<|begin_of_text|>",
            "<|eot_id|>",
            *(f"<|start_header_id|>{role}<|end_header_id|>\n\n" for role in ("system", "user", "assistant")),
        ),
        "<|begin_of_text|>",
        "llama3_1.jinja",
    ),
}
"""The last takes every name: most open weights have Llama's architecture."""


def stand_in_for(model: str) -> str:
    """The embedded model of the kind of a model on the hub or in a folder, by its name."""
    name = model.rstrip("/").rpartition("/")[2].lower()
    family = next(known for known, one in FAMILIES.items() if re.search(one.pattern, name))
    talks = re.search(r"instruct|chat|\bit\b|-it-|hermes|zephyr|assistant", name)
    return f"{PREFIX}{family}{INSTRUCT if talks else ''}"


def stand_ins() -> list[str]:
    """Names of all such models."""
    return [f"{PREFIX}{family}{kind}" for family in FAMILIES for kind in ("", INSTRUCT)]


def stand_in_folder(name: str) -> Path:
    """The folder of a model of `stand_ins`; made in the user's cache when it is wanted first, in a moment."""
    folder = _cache() / name.removeprefix("cbtrun:")
    if not folder.is_dir():
        part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write(name.removeprefix(PREFIX), part)
        try:
            part.replace(folder)
        except OSError:  # another process was faster
            shutil.rmtree(part)
    return folder


@cache
def _cache() -> Path:
    """A folder of its own for each content of `cbtrun:tiny` and of this module."""
    tiny = _tiny()
    made_from = tree_digest([*tiny.iterdir(), Path(__file__), Path(__file__).with_name("mistral.jinja")], tiny.parent)
    top = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return top / "cbtrun" / "stand-ins" / made_from[:16]


def _tiny() -> Path:
    return Path(__file__).resolve().parent / "model"


def _write(kind: str, folder: Path) -> None:
    family, talks = FAMILIES[kind.removesuffix(INSTRUCT)], kind.endswith(INSTRUCT)
    config = json.loads((_tiny() / "config.json").read_text(encoding="utf-8"))
    _save(folder / "config.json", _config(config, family))
    generation = json.loads((_tiny() / "generation_config.json").read_text(encoding="utf-8"))
    _save(folder / "generation_config.json", {**generation, "bos_token_id": _begin(family)})
    _write_weights(family, config, folder)
    _write_tokenizer(family, talks, folder)


def _config(config: dict[str, Any], family: Family) -> dict[str, Any]:
    kind = {"architectures": [f"{family.architecture}ForCausalLM"], "model_type": family.architecture.lower()}
    return {**config, **kind, "bos_token_id": _begin(family), "sliding_window": None, "use_sliding_window": False}


def _begin(family: Family) -> int | None:
    return family.tokens.index(family.begin) if family.begin else None


def _write_weights(family: Family, config: Mapping[str, Any], folder: Path) -> None:
    """The same numbers; Qwen 2 has biases in its attention, which are zeros here."""
    if family.architecture != "Qwen2":
        shutil.copyfile(_tiny() / "model.safetensors", folder / "model.safetensors")
        return
    import numpy as np
    from safetensors.numpy import load_file, save_file

    weights = load_file(_tiny() / "model.safetensors")
    for layer in range(config["num_hidden_layers"]):
        for part in ("q_proj", "k_proj", "v_proj"):
            name = f"model.layers.{layer}.self_attn.{part}"
            weights[f"{name}.bias"] = np.zeros(weights[f"{name}.weight"].shape[0], weights[f"{name}.weight"].dtype)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(family: Family, talks: bool, folder: Path) -> None:
    """The same vocabulary, its five control tokens under the family's names."""
    names = dict(zip(TINY_TOKENS, family.tokens, strict=True))
    tokenizer = json.loads((_tiny() / "tokenizer.json").read_text(encoding="utf-8"))
    for token in tokenizer["added_tokens"]:
        token["content"] = names[token["content"]]
    tokenizer["model"]["vocab"] = {names.get(text, text): id for text, id in tokenizer["model"]["vocab"].items()}
    _save(folder / "tokenizer.json", tokenizer)
    settings = json.loads((_tiny() / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {"eos_token": family.tokens[1], "pad_token": family.tokens[0], "bos_token": family.begin}
    settings["extra_special_tokens"] = list(family.tokens[2:])
    _save(folder / "tokenizer_config.json", settings)
    if talks or family.base_has_template:
        (folder / "chat_template.jinja").write_text(template_text(family.template), encoding="utf-8")


def template_text(name: str) -> str:
    """A chat template that TRL ships, or one of this folder."""
    own = Path(__file__).with_name(name)
    return (own if own.is_file() else files("trl") / "chat_templates" / name).read_text(encoding="utf-8")


def _save(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
