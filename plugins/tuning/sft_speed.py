"""What makes a training fast without changing what it learns: checkpointing by choice, fewer casts, fused layers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cbtrun.errors import StageError

INNER = 256
"""Inner size from which a matrix product is worth keeping: the thin products of LoRA are cheap to make again."""


def keep_large_products(model: Any) -> None:
    """Make `gradient_checkpointing_enable` keep attention and large matrix products, and compute the rest again.

    The costly operations run once, the many cheap ones (norms, activations, LoRA's thin products) twice; about half of
    the memory of keeping everything.
    """
    from torch.utils.checkpoint import create_selective_checkpoint_contexts

    name = "_activation_checkpointing_enable"  # transformers < 5.20 has the other
    name = name if hasattr(model, name) else "gradient_checkpointing_enable"
    enable = getattr(model, name)
    contexts = partial(create_selective_checkpoint_contexts, _policy)

    def selective(checkpoint_options: Mapping[str, Any] | None = None, *given: Any, **more: Any) -> Any:
        kept = more.pop("gradient_checkpointing_kwargs", checkpoint_options) or {}
        return enable({**kept, "use_reentrant": False, "context_fn": contexts}, *given, **more)

    setattr(model, name, selective)


def _policy(_context: Any, operation: Any, *given: Any, **_: Any) -> Any:
    from torch.utils.checkpoint import CheckpointPolicy

    name = str(operation)
    keep = any(part in name for part in ("flash_attention", "flash_attn", "varlen", "efficient_attention", "cudnn_att"))
    if not keep and name in ("aten.mm.default", "aten.addmm.default", "aten.bmm.default"):
        keep = given[-1].shape[-2] >= INNER
    return CheckpointPolicy.MUST_SAVE if keep else CheckpointPolicy.PREFER_RECOMPUTE


def without_casts(model: Any) -> None:
    """Let LoRA layers take their input as it is, under autocast.

    PEFT casts it to the adapter's float32, and autocast back to bfloat16: two passes over every activation that change
    no bit.
    """
    for module in model.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False


def use_liger(model: Any) -> None:
    """Replace norms, rotary embedding and the MLP by Liger's kernels; the loss is TRL's own. Raises StageError."""
    try:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance
    except ImportError as error:
        raise StageError("liger: true needs Liger's kernels: pip install 'cbtrun[liger]'") from error
    _apply_liger_kernel_to_instance(model, fused_linear_cross_entropy=False)


def compile_layers(model: Any) -> None:
    """Compile every decoder layer: one compilation for all, since they are alike."""
    for layer in model.get_decoder().layers:
        layer.compile()
