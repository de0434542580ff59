"""What makes a training fast without changing what it learns: LoRA without detours, fused layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError
from cbtrun.plugins.tuning.tune_requirements import LIGER

if TYPE_CHECKING:
    from torch import Tensor


def slim_updates(model: Any) -> None:
    """Add each LoRA update to its layer's result in one product, without passes over the activations.

    PEFT casts the input to the adapter's float32 (and autocast back), writes the update out, scales it, adds it: each a
    pass over tokens x width that takes as long as half the layer's own product. Here the thin side is scaled, and one
    addmm adds the wide one, rounded once. Layers with dropout, DoRA or several adapters are left as they are.
    """
    from types import MethodType

    from peft.tuners.lora.layer import LoraLayer

    module: Any
    for module in model.modules():
        if isinstance(module, LoraLayer) and _is_plain(module):
            module.forward = MethodType(_slim_forward, module)  # type: ignore[attr-defined]  # of each layer, not of the mixin
        elif hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False


def _is_plain(module: Any) -> bool:
    from torch.nn import Identity

    linear = all(hasattr(module.get_base_layer(), name) for name in ("in_features", "out_features"))
    dropouts = module.lora_dropout.values()
    one = len(module.active_adapters) == len(module.lora_A) == 1
    return linear and one and not module.lora_variant and all(isinstance(each, Identity) for each in dropouts)


def _slim_forward(module: Any, x: Tensor) -> Tensor:
    """What PEFT's forward gives: base(x) + x A^T B^T scaling. x (..., in), result (..., out)."""
    import torch

    result: Tensor = module.base_layer(x)
    if module.disable_adapters or module.merged:
        return result
    (name,) = module.active_adapters
    down, up = module.lora_A[name].weight.to(result.dtype), module.lora_B[name].weight.to(result.dtype)
    thin = x.to(result.dtype).flatten(0, -2) @ down.t() * module.scaling[name]  # (tokens, rank)
    return torch.addmm(result.flatten(0, -2), thin, up.t()).view_as(result)


def use_liger(model: Any) -> None:
    """Replace norms, rotary embedding and the MLP by Liger's kernels; the loss is TRL's own. Raises StageError."""
    try:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance
    except ImportError as error:
        raise StageError(LIGER) from error
    _apply_liger_kernel_to_instance(model, fused_linear_cross_entropy=False)


def compile_layers(model: Any) -> None:
    """Compile every decoder layer: one compilation for all, since they are alike."""
    for layer in model.get_decoder().layers:
        layer.compile()
