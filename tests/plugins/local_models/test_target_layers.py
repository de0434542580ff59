"""A layer to adapt that the base does not have, or whose twin a merge would change, is told before any training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.errors import ModelError, StageError
from cbtrun.plugins.local_models.target_layers import check_layers, folder_layer_problems, layer_problems
from cbtrun.testing.projects import StudyProject

LAYERS = ("model.embed_tokens", "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj", "lm_head")
STUDY = """\
cbtrun: 1
study: s
contains: none
models: {base: {using: transformers, model: "cbtrun:tiny"}}
corpus:
  c: {using: files, path: c.jsonl, columns: {transcript: id, messages: m}, speakers: {a: therapist, u: patient}}
tune: {x: {using: sft, base: base, corpus: c, lora: {target_modules: [NAMES]}}}
"""
ROW = json.dumps({"id": "1", "m": [{"role": "u", "content": "I slept badly."}, {"role": "a", "content": "Tell me."}]})


def folder_of(path: Path, weights: dict[str, list[int]], **config: object) -> Path:
    header = json.dumps({name: {"dtype": "F32", "shape": sides} for name, sides in weights.items()}).encode()
    (path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("c_attn", "no layer 'c_attn'; it has: down_proj"),
        ("q_proj, v_prj", "no layer 'v_prj' (did you mean 'v_proj'?)"),
        ("qproj, foo", "no layer 'qproj' (did you mean 'q_proj'?), 'foo'"),
        ("all-linear", "without brackets"),
        ("input_layernorm", "no layer 'input_layernorm'"),
        ("q_proj, embed_tokens", "'embed_tokens': the base's output layer is its embedding"),
        ("lm_head", "'lm_head': the base's output layer is its embedding"),
    ],
)
def test_validate_names_the_layers_that_cannot_be_adapted(
    study_project: Callable[[dict[str, str]], StudyProject], names: str, said: str
) -> None:
    outcome = study_project({"study.yaml": STUDY.replace("NAMES", names), "c.jsonl": ROW}).run("validate", "study.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith("study.yaml:7:")
    assert said in outcome.err


def test_layers_that_are_there_are_fine() -> None:
    assert layer_problems(LAYERS, ["q_proj", "layers.0.self_attn.v_proj", "lm_head"], ()) == []


def test_an_output_layer_of_its_own_may_be_adapted(tmp_path: Path) -> None:
    weights = {"model.embed_tokens.weight": [9, 4], "lm_head.weight": [9, 4]}
    folder_of(tmp_path, weights, tie_word_embeddings=False)
    assert folder_layer_problems(tmp_path, ["lm_head", "embed_tokens"]) == []


def test_a_base_without_an_output_layer_in_its_file_is_tied(tmp_path: Path) -> None:
    folder_of(tmp_path, {"wte.weight": [9, 4], "h.0.c_attn.weight": [4, 4]})
    assert "'wte'" in folder_layer_problems(tmp_path, ["wte", "c_attn"])[0]


def test_experts_that_are_put_together_when_opened_are_judged_by_their_last_name(tmp_path: Path) -> None:
    weights = {"model.layers.0.block_sparse_moe.gate.weight": [2, 4], "lm_head.weight": [9, 4]}
    folder_of(tmp_path, weights, num_local_experts=2, tie_word_embeddings=False)
    assert folder_layer_problems(tmp_path, ["mlp.gate"]) == []


@pytest.mark.parametrize("raw", [b"", b"\xff" * 40, (8).to_bytes(8, "little") + b"[1, 2]  "])
def test_weights_that_are_none_are_told_as_such(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(raw)
    with pytest.raises(ModelError, match="cannot be read as safetensors"):
        folder_layer_problems(tmp_path, ["q_proj"])


def test_an_opened_base_is_looked_at_exactly() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    tied = LlamaForCausalLM(LlamaConfig(vocab_size=16, tie_word_embeddings=True, **small))
    apart = LlamaForCausalLM(LlamaConfig(vocab_size=16, tie_word_embeddings=False, **small))
    check_layers(tied, "all-linear")
    check_layers(tied, ["q_proj", "down_proj"])
    check_layers(apart, ["embed_tokens", "lm_head"])
    with pytest.raises(StageError, match=r"lora.target_modules: the base has no layer 'v_prj'"):
        check_layers(apart, ["q_proj", "v_prj"])
    with pytest.raises(StageError, match="tied"):
        check_layers(tied, ["embed_tokens"])


def test_an_adapter_on_a_tied_embedding_is_not_merged(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from cbtrun.plugins.local_models.model_files import with_adapter, without_known_warnings

    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=16, tie_word_embeddings=True, **small)
    settings = LoraConfig(r=2, target_modules=["q_proj", "embed_tokens"], task_type="CAUSAL_LM")
    with without_known_warnings():
        get_peft_model(LlamaForCausalLM(config), settings).save_pretrained(str(tmp_path), save_embedding_layers=False)
    with pytest.raises(ModelError, match="both are one"):
        with_adapter(LlamaForCausalLM(config), tmp_path)
