"""What the options of `sft` do to a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cbtrun.errors import StageError
from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer
from cbtrun.plugins.tuning import sft
from cbtrun.plugins.tuning.sft_training import Batches, batches
from cbtrun.plugins.tuning.sft_watch import check_loss
from cbtrun.plugins.tuning.training_rows import held_out_personas, training_rows
from cbtrun.plugins.tuning.tune_memory import CONTEXT_GIB, Shape, estimate, settings_that_help, shape_from
from tests.helpers.tiny_models import make_model
from tests.helpers.trainings import Tuning, log_of, trained_spans, transcript

LLAMA_8B = Shape(32, 4096, 14336, 32, 8, 128, 128256, tied=False)
QWEN_7B = Shape(28, 3584, 18944, 28, 4, 128, 152064, tied=False)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base"), spread=0.05)


@pytest.fixture
def job(base: Path, tmp_path: Path) -> Tuning:
    return Tuning(tmp_path / "run" / "adapters" / "tuned", base)


def lock_of(job: Tuning) -> Any:
    return yaml.safe_load((job.folder / "seed-1" / "adapter.lock.yaml").read_text())


def described(schema: dict[str, Any], path: str = "") -> list[str]:
    missing = []
    for name, option in schema["properties"].items():
        needed = {"description", *([] if name in schema.get("required", []) else ["default"])}
        if needed - set(option):
            missing.append(f"{path}{name}")
        if "properties" in option:
            missing += described(option, f"{path}{name}/")
    return missing


def test_every_option_is_described_and_has_a_default_but_those_that_take_anothers_place() -> None:
    assert described(sft.SCHEMA) == ["max_steps", "batch_tokens"]


def test_packed_training_sees_the_same_tokens_and_learns_alike(job: Tuning) -> None:
    job.options.update(batch_size=12, max_steps=3)
    job.run()
    plain = log_of(job)
    job.options.update(packing=True, max_length=256)
    job.run()
    packed = log_of(job)
    one_step = lock_of(job)["corpus"]["tokens"]
    assert (
        [entry["tokens"] for entry in plain]
        == [entry["tokens"] for entry in packed]
        == [one_step * n for n in (1, 2, 3)]
    )
    assert [entry["loss"] for entry in packed] == pytest.approx([entry["loss"] for entry in plain], abs=2e-3)


def test_checkpointing_changes_no_loss(job: Tuning) -> None:
    job.options.update(max_steps=3)
    job.run()
    plain = log_of(job)
    job.options["checkpointing"] = True
    job.run()
    assert [entry["loss"] for entry in log_of(job)] == pytest.approx([entry["loss"] for entry in plain], abs=1e-4)


@pytest.mark.parametrize("lora", [{"rslora": True}, {"dora": True}, {"target_modules": ["q_proj", "v_proj"]}])
def test_a_lora_option_is_what_the_adapter_says(job: Tuning, lora: dict[str, Any]) -> None:
    job.options["lora"] = {**job.options["lora"], **lora}
    job.options["max_steps"] = 2
    job.run()
    settings = json.loads((job.folder / "seed-1" / "adapter_config.json").read_text())
    ours = {"rslora": "use_rslora", "dora": "use_dora"}
    for name, value in lora.items():
        assert settings[ours.get(name, name)] == value


def test_held_out_personas_are_never_trained_on_and_their_loss_is_logged(job: Tuning) -> None:
    job.transcripts = [transcript(number).model_copy(update={"persona": f"p{number // 2}"}) for number in range(12)]
    job.options.update(max_steps=4, held_out={"share": 0.3, "every": 2})
    job.run()
    lock, log = lock_of(job), log_of(job)
    assert (len(lock["corpus"]["personas_held_out"]), lock["corpus"]["rows_held_out"], lock["corpus"]["rows"]) == (
        2,
        4,
        8,
    )
    assert ["held_out_loss" in entry for entry in log] == [False, True, False, True]
    assert lock["held_out_loss"]["last"] == log[-1]["held_out_loss"]


def test_personas_are_held_out_whole_and_never_all() -> None:
    told = [transcript(number).model_copy(update={"persona": f"p{number % 4}"}) for number in range(20)]
    assert len(held_out_personas(told, 0.01, 1)) == 1
    assert len(held_out_personas(told, 0.99, 1)) == 3
    assert held_out_personas(told, 0, 1) == frozenset()
    assert held_out_personas(told[:1], 0.5, 1) == frozenset()
    assert held_out_personas(told, 0.5, 1) == held_out_personas(told[::-1], 0.5, 1)


def long_rows(base: Path, long: str, carry: int = 0) -> Any:
    tokenizer = load_tokenizer(find_model(str(base)))
    told = [transcript(0, 21, opens="patient"), transcript(1, 4)]
    return tokenizer, training_rows(tokenizer, told, 300, long, carry)


def test_truncation_keeps_the_first_exchanges_and_counts_what_it_took(base: Path) -> None:
    tokenizer, rows = long_rows(base, "truncate")
    _, split = long_rows(base, "split")
    assert rows.rows[0] == split.rows[0]
    kept = len(list(trained_spans(tokenizer, rows.rows[0])))
    assert (rows.counts.truncated, rows.counts.turns_lost, len(rows.rows)) == (1, 10 - kept, 2)


def test_dropping_leaves_long_sessions_out_and_counts_them(base: Path) -> None:
    _, rows = long_rows(base, "drop")
    assert (rows.counts.dropped, len(rows.rows)) == (1, 1)


def test_carried_exchanges_are_context_without_loss(base: Path) -> None:
    tokenizer, plain = long_rows(base, "split")
    _, carried = long_rows(base, "split", carry=1)
    told = [[span for row in rows.rows for span in trained_spans(tokenizer, row)] for rows in (plain, carried)]
    assert told[0] == told[1]
    last_of_first = list(trained_spans(tokenizer, carried.rows[0]))[-1]
    assert last_of_first in tokenizer.decode(carried.rows[1].input_ids)
    assert max(len(row.input_ids) for row in carried.rows) <= 300


def test_tokens_of_a_batch_decide_the_passes_of_a_step() -> None:
    options = {"batch_size": 4, "gradient_accumulation": 1, "batch_tokens": 32_000, "epochs": 2}
    assert batches(options, rows=100, tokens=100_000) == Batches(passes=8, steps=8)
    assert batches(options, rows=100, tokens=100_000, devices=2) == Batches(passes=4, steps=8)


def test_a_diverging_loss_stops_and_says_where() -> None:
    falling = [5 - step / 10 for step in range(30)]
    check_loss(30, 90, falling)
    with pytest.raises(StageError, match=r"the loss diverges: 9\.00 .* at step 45 of 90, 2\.55 at its best"):
        check_loss(45, 90, [*falling, *[9.0] * 10])


def test_a_bump_is_no_divergence() -> None:
    check_loss(33, 90, [*[5 - step / 10 for step in range(30)], 30.0])


def test_a_disk_without_room_is_reported_before_the_first_step(job: Tuning, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 10))  # type: ignore[attr-defined]
    with pytest.raises(StageError, match=r"needs about \d.* and the disk has 0.0 GiB free"):
        job.run()
    assert [one for one in job.told if one[1]] == []  # no step


def test_out_of_memory_names_three_settings_and_the_estimated_need(
    job: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from trl.trainer.sft_trainer import SFTTrainer

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SFTTrainer, "training_step", full)
    wanted = (
        r"out of memory in training; the estimated need is \d.* GiB \(weights .*\); what helps: checkpointing: true; "
        r"batch_size: 2 with twice the gradient_accumulation; precision: bfloat16$"
    )
    with pytest.raises(StageError, match=wanted):
        job.run()


def test_four_bits_without_a_gpu_are_refused(job: Tuning) -> None:
    job.options["quantisation"] = "nf4"
    with pytest.raises(StageError, match=r"nf4 needs (a GPU|bitsandbytes)"):
        job.run()


def options(**more: Any) -> dict[str, Any]:
    plain = {"precision": "bfloat16", "quantisation": "none", "double_quantisation": True, "attention": "auto"}
    plain |= {"liger": False, "compile": False, "devices": 1, "sharding": False}
    return {**plain, "lora": {"rank": 16, "train_embeddings": False}, "checkpointing": True, "max_length": 4096, **more}


def test_the_shape_of_8b_has_8_billion_weights() -> None:
    assert (LLAMA_8B.blocks + LLAMA_8B.embeddings) / 1e9 == pytest.approx(8.03, abs=0.01)


@pytest.mark.parametrize(
    ("shape", "settings", "gib"),
    [
        (LLAMA_8B, {"batch_size": 4, "checkpointing": True}, 23.4),
        (LLAMA_8B, {"batch_size": 8, "checkpointing": True}, 31.9),
        (LLAMA_8B, {"batch_size": 1, "checkpointing": False}, 40.1),
        (LLAMA_8B, {"batch_size": 2, "checkpointing": False}, 64.4),
        (LLAMA_8B, {"batch_size": 2, "checkpointing": False, "liger": True}, 53.2),
        (LLAMA_8B, {"batch_size": 2, "checkpointing": False, "compile": True}, 53.4),
        (LLAMA_8B, {"batch_size": 1, "checkpointing": True, "quantisation": "nf4"}, 8.0),
        (QWEN_7B, {"batch_size": 2, "checkpointing": False, "liger": True}, 52.1),
    ],
)
def test_the_estimate_is_within_a_tenth_of_what_an_h100_measured(
    shape: Shape, settings: dict[str, Any], gib: float
) -> None:
    # Peak of torch's own allocations, rows of 4,096 tokens; what CUDA itself takes is not in it.
    assert estimate(shape, options(**settings)).gib - CONTEXT_GIB == pytest.approx(gib, rel=0.1)


def test_four_bits_of_8b_fit_into_24_gib() -> None:
    assert estimate(LLAMA_8B, options(batch_size=1, quantisation="nf4")).gib < 24


def test_settings_that_help_are_three_that_are_not_taken_yet() -> None:
    assert settings_that_help(options(batch_size=1, quantisation="nf4")) == ["max_length: 2048", "a smaller base model"]
    assert len(settings_that_help(options(batch_size=4, checkpointing=False))) == 3


def test_a_config_that_says_its_size_in_other_words_has_no_shape() -> None:
    assert shape_from({"n_embd": 768}) is None
