"""Which layers of a base `lora.target_modules` names: told of a folder before any work, and of the opened model exactly.

PEFT adapts what it finds of a list and says nothing of the rest; and on a base whose output layer is its embedding it
adapts one of the two and merges into both (huggingface/peft issue 2018), so that what talks is not what was trained.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cbtrun.plugin import ModelError, StageError
from cbtrun.plugins.local_models.model_door import read_settings

ENDS = frozenset(
    {"embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embeddings", "lm_head", "embed_out", "output_layer"}
)
"""What embeddings and output layers are called."""
OUTPUTS = ("lm_head.weight", "embed_out.weight", "output_layer.weight")
MOST_HEADER = 100_000_000
"""Bytes of the longest header that safetensors itself reads."""
SHOWN = 12


def folder_layer_problems(folder: Path, wanted: Sequence[str]) -> list[str]:
    """What is wrong with the named layers of a model in a folder, read from its weights' headers alone.

    Empty where there are no weights to look at; the opened model is looked at in any case.
    """
    weights = dict(_weights(folder))
    if not weights:
        return []
    config = read_settings(folder / "config.json") if (folder / "config.json").is_file() else {}
    layers = [name.removesuffix(".weight") for name, sides in weights.items() if _is_layer(name, sides)]
    if _renames(config):  # experts are put together when it is opened: only the last part of a name stays
        layers += [layer.rsplit(".", 1)[-1] for layer in layers]
        wanted = [one.rsplit(".", 1)[-1] for one in wanted]
    ends = {layer for layer in layers if layer.rsplit(".", 1)[-1] in ENDS} | ENDS if _tied(config, weights) else set()
    return layer_problems(layers, wanted, ends)


def check_layers(base: Any, wanted: object) -> None:
    """Raises StageError that names every layer that an opened model does not have, or whose twin would be changed too."""
    if not isinstance(wanted, list | tuple):
        return
    layers = {name: module for name, module in base.named_modules() if _adaptable(module)}
    twins = _ends(base) if has_tied_ends(base) else ()
    ends = {name for name, module in layers.items() if any(module is one for one in twins)}
    if problems := layer_problems(list(layers), list(wanted), ends):
        raise StageError(f"lora.target_modules: {'; '.join(problems)}")


def has_tied_ends(base: Any) -> bool:
    """Whether an opened model's output layer is its embedding."""
    weights = [end.weight for end in _ends(base)]
    return len(weights) == 2 and weights[0] is weights[1]


def adapts_ends(tuned: Any) -> bool:
    """Whether an adapter of PEFT's stands on the embedding or the output layer; one trained whole is no adapter."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return any(isinstance(end, BaseTunerLayer) for end in _ends(tuned.get_base_model()))


def _ends(base: Any) -> tuple[Any, ...]:
    return tuple(end for end in (base.get_input_embeddings(), base.get_output_embeddings()) if end is not None)


def layer_problems(layers: Collection[str], wanted: Sequence[str], tied: Collection[str]) -> list[str]:
    """Names that stand for no layer, and those that stand for the embedding of a base whose output layer is the same.

    layers: full names (`model.layers.0.self_attn.q_proj`); a wanted name is the end of one, as PEFT reads it.
    """
    twins = [one for one in wanted if any(_ends_with(layer, one) for layer in tied)]
    missing = [one for one in wanted if one not in twins and not any(_ends_with(layer, one) for layer in layers)]
    problems = []
    if missing:
        known = sorted({layer.rsplit(".", 1)[-1] for layer in layers} - set(tied))
        shown = ", ".join([*known[:SHOWN], *([f"and {len(known) - SHOWN} more"] if len(known) > SHOWN else [])])
        named = ", ".join(_with_hint(one, known) for one in missing)
        problems.append(f"the base has no layer {named}; it has: {shown}")
    if twins:
        named = " and ".join(f"'{one}'" for one in twins)
        problems.append(
            f"{named}: the base's output layer is its embedding (tied), and an adapter on one of them would change the "
            "other when it is merged; leave it out, or train both with lora.train_embeddings: true"
        )
    return problems


def _with_hint(name: str, known: Sequence[str]) -> str:
    if name == "all-linear":
        return "'all-linear' (all of them is written without brackets: target_modules: all-linear)"
    near = get_close_matches(name, known, n=1)
    return f"'{name}' (did you mean '{near[0]}'?)" if near else f"'{name}'"


def _ends_with(layer: str, wanted: str) -> bool:
    return layer == wanted or layer.endswith(f".{wanted}")


def _adaptable(module: Any) -> bool:
    """A linear layer or an embedding, quantised or not: what has a matrix of weights and no layers of its own."""
    weight = getattr(module, "weight", None)
    return weight is not None and weight.dim() >= 2 and next(module.children(), None) is None


def _is_layer(name: str, sides: Sequence[int]) -> bool:
    return name.endswith(".weight") and len(sides) >= 2  # a norm has one side


def _tied(config: Mapping[str, Any], weights: Collection[str]) -> bool:
    said = config.get("tie_word_embeddings")
    inner = config.get("text_config")
    if said is None and isinstance(inner, Mapping):
        said = inner.get("tie_word_embeddings")
    return said is True or not any(_ends_with(name, output) for name in weights for output in OUTPUTS)


def _renames(config: Mapping[str, Any]) -> bool:
    inner = config.get("text_config")
    known = {*config, *(inner if isinstance(inner, Mapping) else ())}
    return any("expert" in key for key in known)


def _weights(folder: Path) -> Iterator[tuple[str, Sequence[int]]]:
    """Name and sides of each weight."""
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if length > MOST_HEADER:
                    raise ValueError("its header is longer than safetensors reads")
                header = json.loads(file.read(length))
            found = [(name, one["shape"]) for name, one in header.items() if name != "__metadata__"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{path.name} cannot be read as safetensors: {error}") from error
        yield from found
