"""Which rows of a step belong to which adapter: by hand, and beside vLLM's own way where vLLM is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cbtrun.plugins.local_models.gpus import gpu_memory
from cbtrun.plugins.vllm_models.adapter_rows import adapter_rows, count_on_host, places_of, write_rows
from cbtrun.plugins.vllm_models.adapters import room_for
from cbtrun.plugins.vllm_models.engine import Asked, start_engine
from cbtrun.plugins.vllm_models.options import SCHEMA
from cbtrun.plugins.vllm_models.orphans import OPENED_BY
from tests.helpers.tiny_models import make_model


def places(*numbers: int) -> Any:
    """Places of rows."""
    return np.array(numbers, np.int32)


def kernel_memory(rows: int, adapters: int, captured: list[int]) -> SimpleNamespace:
    """What vLLM's kernels read, full of an earlier step's numbers."""
    sizes = {
        "token_lora_mapping": rows,
        "token_indices_sorted_by_lora_ids": rows,
        "active_lora_ids": adapters + 1,
        "num_tokens_per_lora": adapters + 1,
        "lora_token_start_loc": adapters + 2,
    }
    tensors = {name: torch.full((size,), 77, dtype=torch.int32) for name, size in sizes.items()}
    flags = {"no_lora_flag_cpu": torch.tensor([True]), "num_active_loras_cpu": torch.tensor([5], dtype=torch.int32)}
    return SimpleNamespace(**tensors, **flags, captured_lora_counts=captured)


def test_rows_of_one_adapter_stand_side_by_side_in_their_order() -> None:
    rows = adapter_rows(places(2, -1, 0, 2, -1, 2), adapters=3)
    assert rows.by_place.tolist() == [1, 4, 2, 0, 3, 5]
    assert rows.present.tolist() == [-1, 0, 2, -1]
    assert rows.counts.tolist() == [2, 1, 3, 0]
    assert rows.starts.tolist() == [0, 2, 3, 6, 0]
    assert rows.distinct == 3


def test_a_step_without_adapters_has_nothing_to_compute() -> None:
    rows = adapter_rows(places(-1, -1), adapters=2)
    assert (rows.present.tolist(), rows.counts.tolist(), rows.starts.tolist()) == ([-1] * 3, [0] * 3, [0] * 4)
    assert rows.distinct == 0


def test_the_kernels_memory_has_the_step_and_nothing_of_the_one_before() -> None:
    memory = kernel_memory(rows=6, adapters=3, captured=[1, 2, 4])
    write_rows(memory, places(1, -1, 0, 1))
    assert memory.token_lora_mapping.tolist() == [1, -1, 0, 1, 77, 77]  # what is past the step's rows is not read
    assert memory.token_indices_sorted_by_lora_ids.tolist() == [1, 2, 0, 3, 77, 77]
    assert memory.active_lora_ids.tolist() == [-1, 0, 1, -1]
    assert memory.num_tokens_per_lora.tolist() == [1, 1, 2, 0]
    assert memory.lora_token_start_loc.tolist() == [0, 1, 2, 4, 0]
    assert memory.no_lora_flag_cpu.tolist() == [False]
    assert memory.num_active_loras_cpu.tolist() == [4]  # the graph for four serves three
    write_rows(memory, places(-1))
    assert (memory.no_lora_flag_cpu.tolist(), memory.num_active_loras_cpu.tolist()) == ([True], [0])


def test_adapters_go_by_their_place_in_the_engine() -> None:
    assert places_of([7, 0, 3, 7], [3, None, 7]).tolist() == [2, -1, 0, 2]
    with pytest.raises(KeyError):
        places_of([4], [3, None, 7])


class Wrapper:
    """vLLM's keeper of what its LoRA kernels read, as far as we rest on it."""

    def __init__(self) -> None:
        self.token_mapping_meta, self.prompt_mapping_meta = (kernel_memory(3, 2, [3]) for _ in range(2))
        self.base: tuple[Any, ...] = ()

    def _update_base_metadata(self, *given: Any) -> None:
        self.base = given

    def update_metadata(
        self, mapping: Any, lora_index_to_id: Any, max_loras: int, vocab_size: int, **kwargs: Any
    ) -> None:
        raise AssertionError("vLLM's own way")


@dataclass
class Meta:
    """Names of what vLLM's LoRA kernels read."""

    token_lora_mapping: Any
    token_indices_sorted_by_lora_ids: Any
    active_lora_ids: Any
    num_tokens_per_lora: Any
    lora_token_start_loc: Any
    no_lora_flag_cpu: Any
    num_active_loras_cpu: Any
    captured_lora_counts: Any


@pytest.fixture
def vllm_wrapper(monkeypatch: pytest.MonkeyPatch) -> type[Wrapper]:
    """A vLLM on a GPU in a process of an engine that cbtrun opened; gives its class that we change."""

    class PunicaWrapperGPU(Wrapper):
        pass

    contents = {
        "vllm.platforms": {"current_platform": SimpleNamespace(is_cuda=lambda: True)},
        "vllm.lora.ops.triton_ops": {"LoRAKernelMeta": Meta},
        "vllm.lora.punica_wrapper.punica_gpu": {"PunicaWrapperGPU": PunicaWrapperGPU},
    }
    for name in ("vllm", "vllm.lora", "vllm.lora.ops", "vllm.lora.punica_wrapper", *contents):
        module = ModuleType(name)
        vars(module).update(contents.get(name, {}))
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv(OPENED_BY, "1")
    return PunicaWrapperGPU


def test_the_host_tells_vllm_s_kernels_a_step_s_rows(vllm_wrapper: type[Wrapper]) -> None:
    count_on_host()
    wrapper, mapping = vllm_wrapper(), SimpleNamespace(index_mapping=(0, 7, 7), prompt_mapping=(0, 7), is_prefill=True)
    wrapper.update_metadata(mapping, [None, 7], 3, 400)
    assert wrapper.base == (mapping, [None, 7], 3, 400)
    assert wrapper.token_mapping_meta.token_lora_mapping.tolist() == [-1, 1, 1]
    assert wrapper.prompt_mapping_meta.num_tokens_per_lora.tolist() == [1, 1, 0]


def test_an_engine_that_cbtrun_did_not_open_is_left_alone(
    vllm_wrapper: type[Wrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    for opener in (None, str(os.getpid())):
        monkeypatch.delenv(OPENED_BY) if opener is None else monkeypatch.setenv(OPENED_BY, opener)
        count_on_host()
        assert vllm_wrapper.update_metadata is Wrapper.update_metadata


def test_a_vllm_that_does_it_in_another_way_is_left_alone(
    vllm_wrapper: type[Wrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["vllm.lora.ops.triton_ops"], "LoRAKernelMeta", object)
    count_on_host()
    assert vllm_wrapper.update_metadata is Wrapper.update_metadata
    monkeypatch.setitem(sys.modules, "vllm.lora.punica_wrapper.punica_gpu", None)
    count_on_host()  # and there is no error


@pytest.mark.skipif(not importlib.util.find_spec("vllm"), reason="needs vLLM")
@pytest.mark.parametrize("adapters", [1, 3, 8])
def test_the_kernels_are_told_what_vllm_would_have_told_them(adapters: int) -> None:
    from vllm.lora.ops.triton_ops import LoRAKernelMeta

    device = "cuda" if torch.cuda.is_available() else "cpu"
    one, other = (
        LoRAKernelMeta.make(adapters, 512, device=device, captured_lora_counts=[1, adapters + 1]) for _ in range(2)
    )
    draw = random.Random(adapters)
    for step in range(200):
        rows = [draw.randrange(-1, draw.randint(0, adapters)) for _ in range(draw.randint(1, 512))]
        one.prepare_tensors(torch.tensor(rows, device=device))
        write_rows(other, places(*rows))
        read = len(rows) if max(rows) >= 0 else 0  # without an adapter no kernel looks
        for name in ("token_lora_mapping", "token_indices_sorted_by_lora_ids"):
            assert getattr(one, name)[:read].tolist() == getattr(other, name)[:read].tolist(), (step, name)
        for name in (
            "active_lora_ids",
            "num_tokens_per_lora",
            "lora_token_start_loc",
            "no_lora_flag_cpu",
            "num_active_loras_cpu",
        ):
            assert getattr(one, name).tolist() == getattr(other, name).tolist(), (step, name)


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # vLLM and torch warn of each other, which is nothing of ours
@pytest.mark.skipif(not (importlib.util.find_spec("vllm") and gpu_memory()), reason="needs vLLM and an NVIDIA GPU")
def test_adapters_say_the_same_whoever_counts_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(tmp_path / "model", hidden=256)
    adapters = [None, *(random_adapter(model, tmp_path / f"adapter{number}", number) for number in range(3))]
    ours = replies(model, adapters)
    monkeypatch.setenv("VLLM_PLUGINS", "cbtrun")  # without our rows
    theirs = replies(model, adapters)
    same = [one == other for one, other in zip(ours, theirs, strict=True)]
    assert sum(same) >= 0.9 * len(same)  # what else is in a step can change a last bit, and so a token
    prompts = [{tuple(ours[place + number]) for number in range(4)} for place in range(0, len(ours), 4)]
    assert sum(len(said) == 4 for said in prompts) >= 0.9 * len(prompts)  # each adapter has a voice of its own


def random_adapter(model: Path, folder: Path, seed: int) -> str:
    """Write a LoRA adapter with a will of its own."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    settings = LoraConfig(r=8, lora_alpha=64, target_modules=["q_proj", "v_proj", "o_proj"], init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(str(model)), settings).save_pretrained(str(folder))
    return str(folder)


def replies(model: Path, adapters: list[str | None]) -> list[list[int]]:
    """What the base and each adapter say to 16 prompts, all asked at once."""
    draw = random.Random(1)
    prompts = [[draw.randrange(10, 400) for _ in range(draw.randint(20, 200))] for _ in range(16)]
    defaults = {name: one["default"] for name, one in SCHEMA["properties"].items() if "default" in one}
    options = {**defaults, "max_model_len": 1024, "gpu_memory_utilization": 0.3}
    greedy = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}

    async def talk() -> list[list[int]]:
        room = room_for([one for one in adapters if one])
        engine = await asyncio.to_thread(start_engine, str(model), options, room)
        asked = [Asked(prompt, 24, 1, greedy, frozenset(), adapter=one) for prompt in prompts for one in adapters]
        made = await asyncio.gather(*map(engine.make, asked))
        await engine.stop()
        return [list(one.tokens) for one in made]

    return asyncio.run(talk())
