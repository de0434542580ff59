"""What makes a training fast changes neither its results nor its gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cbtrun.plugins.local_models.model_files import without_known_warnings
from cbtrun.plugins.tuning.sft_speed import slim_updates
from tests.helpers.tiny_models import make_model


def adapted(folder: Path, **lora: Any) -> Any:
    """A small model in float64 with an adapter whose update is not zero."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    config = LoraConfig(**{"r": 4, "lora_alpha": 12, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **lora})
    with without_known_warnings():
        model: Any = get_peft_model(base, config, autocast_adapter_dtype=False).double()
    torch.manual_seed(3)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.3)
    return model.train()


def logits_and_gradients(model: Any) -> dict[str, torch.Tensor]:
    """The logits of two rows, and the gradient of each weight that is trained."""
    model.zero_grad()
    logits = model(torch.arange(2, 42).view(2, 20)).logits
    logits.square().mean().backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    return {"logits": logits.detach(), **found}


@pytest.mark.parametrize("lora", [{}, {"use_rslora": True}, {"target_modules": ["q_proj", "down_proj"]}])
def test_slim_updates_give_pefts_logits_and_gradients(tmp_path: Path, lora: dict[str, Any]) -> None:
    model = adapted(make_model(tmp_path / "m"), **lora)
    expected = logits_and_gradients(model)
    slim_updates(model)
    found = logits_and_gradients(model)
    assert len(found) > 8
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-12, msg=name)


def test_slim_updates_leave_layers_with_dropout_or_dora_as_they_are(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    for lora in ({"lora_dropout": 0.1}, {"use_dora": True}):
        model = adapted(folder, **lora)
        slim_updates(model)
        assert not any("forward" in vars(module) for module in model.modules())


def test_a_disabled_adapter_is_off_in_slim_updates_too(tmp_path: Path) -> None:
    model = adapted(make_model(tmp_path / "m"))
    row = torch.arange(2, 22).view(1, 20)
    with torch.no_grad(), model.disable_adapter():
        expected = model(row).logits
    slim_updates(model)
    with torch.no_grad(), model.disable_adapter():
        assert torch.equal(model(row).logits, expected)
    with torch.no_grad():
        assert not torch.allclose(model(row).logits, expected)
