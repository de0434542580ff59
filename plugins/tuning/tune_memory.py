"""How much GPU memory a tuning needs, estimated from the model's shape and the options; and how much there is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.plugin import Check, StageError
from cbtrun.plugins.local_models import gpus
from cbtrun.plugins.local_models.gpus import gpu_memory

GIB = 2**30
NF4_BITS = {True: 4.127, False: 4.5}
"""Bits a weight, with double quantisation or without (Dettmers et al. 2023, section 3)."""
CONTEXT_GIB = 0.8
"""What CUDA, cuBLAS and the allocator take for themselves."""
LOSS_TOKENS = 4096
"""Tokens whose logits the fused loss holds at a time."""


@dataclass(frozen=True)
class Shape:
    """What a decoder's size depends on."""

    layers: int
    hidden: int
    inner: int
    heads: int
    key_heads: int
    head_size: int
    vocabulary: int
    tied: bool

    @property
    def linear(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of each linear layer of one block."""
        keys = self.key_heads * self.head_size
        queries = self.heads * self.head_size
        attention = ((self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden))
        return (*attention, (self.hidden, self.inner), (self.hidden, self.inner), (self.inner, self.hidden))

    @property
    def blocks(self) -> int:
        """Weights of all linear layers but the output."""
        return self.layers * sum(wide * high for wide, high in self.linear)

    @property
    def embeddings(self) -> int:
        """Weights of the embedding and the output layer."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)


@dataclass(frozen=True)
class Need:
    """GPU memory in bytes, by what takes it, on one device."""

    weights: float
    adapter: float
    """The adapter in float32, its gradient and AdamW's two moments."""
    activations: float
    """What is kept until the backward pass, and what one layer or the loss takes for a moment."""

    @property
    def gib(self) -> float:
        """All of it, in GiB."""
        return (self.weights + self.adapter + self.activations) / GIB + CONTEXT_GIB

    def __str__(self) -> str:
        parts = {"weights": self.weights, "adapter and optimiser": self.adapter, "activations": self.activations}
        words = ", ".join(f"{name} {size / GIB:.1f}" for name, size in parts.items())
        return f"{self.gib:.1f} GiB ({words})"


def shape_of(source: str) -> Shape | None:
    """The shape of a model in a folder or in the hub's local cache; none where its config.json is not there."""
    path = Path(source) / "config.json"
    if not path.is_file():
        try:
            from huggingface_hub import try_to_load_from_cache
            from huggingface_hub.errors import HFValidationError
        except ImportError:  # an install without the extra `local` has no cache of models
            return None
        try:
            cached = try_to_load_from_cache(source, "config.json")
        except HFValidationError:
            return None
        if not isinstance(cached, str):
            return None
        path = Path(cached)
    return shape_from(json.loads(path.read_text(encoding="utf-8")))


def shape_from(config: Mapping[str, Any]) -> Shape | None:
    """The shape that a config.json describes; none for architectures that say it in other words."""
    config = config.get("text_config", config)
    try:
        heads, hidden = config["num_attention_heads"], config["hidden_size"]
        return Shape(
            layers=config["num_hidden_layers"],
            hidden=hidden,
            inner=config["intermediate_size"],
            heads=heads,
            key_heads=config.get("num_key_value_heads") or heads,
            head_size=config.get("head_dim") or hidden // heads,
            vocabulary=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except KeyError:
        return None


def adapter_parameters(shape: Shape, lora: Mapping[str, Any]) -> int:
    """Weights that are trained; with named target modules an upper bound."""
    thin: int = shape.layers * sum(lora["rank"] * (wide + high) for wide, high in shape.linear)
    return thin + (shape.vocabulary * shape.hidden if lora["train_embeddings"] else 0)


def estimate(shape: Shape, options: Mapping[str, Any], devices: int = 1) -> Need:
    """GPU memory of a training on each device at its peak: within a tenth of what was measured at 7-8B.

    The measurements stand in docs/tuning.md.
    """
    half = 2 if options["precision"] == "bfloat16" else 4
    nf4 = options["quantisation"] == "nf4"
    blocks = shape.blocks * (NF4_BITS[options["double_quantisation"]] / 8 if nf4 else half)
    weights = blocks + shape.embeddings * half
    if nf4:
        weights += max(wide * high for wide, high in shape.linear) * half  # one layer at a time is unpacked
    if options["sharding"] and devices > 1:
        layer = sum(wide * high for wide, high in shape.linear) + shape.vocabulary * shape.hidden
        weights = weights / devices + 2 * layer * half  # a layer is put together for its turn, the next one meanwhile
    adapter = adapter_parameters(shape, options["lora"]) * 16
    return Need(weights, adapter, _activations(shape, options, half))


def _activations(shape: Shape, options: Mapping[str, Any], half: int) -> float:
    """Bytes of all activations at the peak."""
    tokens = int(options["batch_size"] * options["max_length"])
    layer = tokens * _layer_bytes(shape, options, half)
    loss = min(tokens, LOSS_TOKENS) * shape.vocabulary * half
    kept = tokens * shape.layers * shape.hidden * half + max(layer, loss)  # the input of each layer
    found: float = kept if options["checkpointing"] else shape.layers * layer + loss
    return found


def _layer_bytes(shape: Shape, options: Mapping[str, Any], half: int) -> float:
    """Bytes that one layer keeps of one token: inputs of norms, of attention, of products that LoRA adapts."""
    fused = options["liger"] or options["compile"]
    queries = shape.heads * shape.head_size
    norms = 2 * shape.hidden * (half if fused else 4)  # as they are written, norms compute in float32
    scores = shape.heads * options["max_length"] * 2 * half if options["attention"] == "eager" else 0
    # Normed inputs; query, key and value for every head, and the result; gate, up, their product, its activation.
    kept = 2 * shape.hidden + 4 * queries + (3 if fused else 4) * shape.inner
    found: float = norms + half * kept + scores
    return found


MARGIN = 1.25
"""How far the estimate may be off: only what needs more than this many times the memory is refused."""


def memory_note(name: str, source: str, options: Mapping[str, Any], devices: int) -> str:
    """What a tune job needs and what is there, for `cbtrun plan`; empty where nobody can say."""
    shape = shape_of(source)
    if shape is None:
        return f"tune.{name}: GPU memory not estimated, the model's config.json is not on this machine"
    cards = [] if options["device"] == "cpu" else gpus.gpu_memory()
    need = estimate(shape, options, devices)
    there = f"; each GPU here has {min(cards):.1f} GiB" if cards else "; there is no GPU here"
    help_ = f"; what helps: {'; '.join(settings_that_help(options))}" if cards and need.gib > 0.95 * min(cards) else ""
    there = f" on each of {devices} devices{there}" if devices > 1 else there
    fits = ", which may not be enough" if help_ else ""
    return f"tune.{name}: needs about {need}{there}{fits}{help_}"


def check_memory(source: str, options: Mapping[str, Any], devices: int) -> None:
    """Raises StageError, before anything is loaded, for a training that cannot fit into the GPU that is there."""
    cards = [] if options["device"] == "cpu" else gpus.gpu_memory()
    shape = shape_of(source) if cards else None
    if shape is None:
        return
    need = estimate(shape, options, devices)
    if need.gib > MARGIN * min(cards):
        raise StageError(
            f"the training needs about {need} of GPU memory, and there are {min(cards):.1f} GiB; what helps: "
            f"{'; '.join(settings_that_help(options))}"
        )


def memory_checks(name: str, source: str, options: Mapping[str, Any]) -> list[Check]:
    """Whether a tune job finds enough memory on the GPUs that are here, for `cbtrun doctor`."""
    cards = gpu_memory()
    shape = shape_of(source)
    need = estimate(shape, options) if shape else None
    there = f"{len(cards)} GPU, {min(cards):.0f} GiB" if cards else "no GPU here"
    known = f"needs about {need.gib:.0f} GiB" if need else "need unknown until config.json is here"
    if cards and need and need.gib > MARGIN * min(cards):
        return [Check("stop", f"GPU for tune.{name}", f"{there}; {known}", "; ".join(settings_that_help(options)))]
    return [Check("ok", f"GPU for tune.{name}", f"{there}; {known}")]


def settings_that_help(options: Mapping[str, Any]) -> list[str]:
    """Up to three settings that lower the need, the cheapest first."""
    found = []
    if options["checkpointing"] is not True:
        found.append("checkpointing: true")
    if options["batch_size"] > 1:
        found.append(f"batch_size: {max(1, options['batch_size'] // 2)} with twice the gradient_accumulation")
    if options["precision"] == "float32" and options["quantisation"] == "none":
        found.append("precision: bfloat16")
    if options["quantisation"] == "none":
        found.append("quantisation: nf4")
    if options["devices"] != 1 and not options["sharding"]:
        found.append("sharding: true")
    found.append(f"max_length: {max(16, options['max_length'] // 2)}")
    found.append("a smaller base model")
    return found[:3]


def out_of_memory(config: Any, options: Mapping[str, Any], devices: int = 1) -> str:
    """What to say when the memory did not suffice."""
    shape = shape_from(config.to_dict())
    need = f"; the estimated need is {estimate(shape, options, devices)}" if shape else ""
    return f"out of memory in training{need}; what helps: {'; '.join(settings_that_help(options))}"
