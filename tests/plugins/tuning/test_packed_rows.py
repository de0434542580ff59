"""Packed rows: nothing lost, nothing too long, no session sees another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cbtrun.plugins.tuning.packed_rows import ATTENTION, packs, register_packed_attention
from tests.helpers.families import family_model

LENGTHS = [7, 3, 9, 1, 5]


@pytest.fixture(scope="module", params=["mistral", "qwen", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family_model(request.param, tmp_path_factory.mktemp(request.param))


def opened(folder: Path, attention: str) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(str(folder), attn_implementation=attention).eval()


def sessions(seed: int = 0) -> list[Any]:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(5, 300, (length,), generator=generator) for length in LENGTHS]


def packed(parts: list[Any]) -> dict[str, Any]:
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    row = {"input_ids": [int(token) for part in parts for token in part], "seq_lengths": [len(part) for part in parts]}
    batch: dict[str, Any] = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)([row])
    return batch


def test_packs_hold_every_row_once_and_never_more_than_fits() -> None:
    lengths = [(number * 37) % 100 + 1 for number in range(500)]
    found = packs(lengths, 128)
    assert sorted(place for pack in found for place in pack) == list(range(500))
    assert max(sum(lengths[place] for place in pack) for pack in found) <= 128
    assert len(found) <= 1.02 * sum(lengths) / 128 + 1


def test_packing_is_the_same_every_time_and_ties_go_by_place() -> None:
    assert packs([4, 6, 4, 6], 10) == [[1, 0], [3, 2]]


@pytest.mark.parametrize("attention", [ATTENTION, "sdpa", "eager"])
def test_logits_of_a_packed_session_are_those_of_the_session_alone(folder: Path, attention: str) -> None:
    import torch

    register_packed_attention()
    parts = sessions()
    with torch.no_grad():
        together = opened(folder, attention)(**packed(parts), use_cache=False).logits[0].split(LENGTHS)
        plain = opened(folder, "sdpa")
        for ours, part in zip(together, parts, strict=True):
            torch.testing.assert_close(ours, plain(input_ids=part[None]).logits[0], rtol=1e-4, atol=1e-5)


def test_changing_one_packed_session_changes_no_bit_of_the_others(folder: Path) -> None:
    import torch

    register_packed_attention()
    model, parts = opened(folder, ATTENTION), sessions()
    other = [*parts[:2], sessions(seed=1)[2], *parts[3:]]
    with torch.no_grad():
        before, after = (model(**packed(given)).logits[0].split(LENGTHS) for given in (parts, other))
    same = [bool(torch.equal(one, two)) for one, two in zip(before, after, strict=True)]
    assert same == [True, True, False, True, True]


def test_the_loss_of_a_pack_leaves_out_each_sessions_first_token() -> None:
    labels = packed(sessions())["labels"][0]
    starts = [0, 7, 10, 19, 20]
    assert [place for place, label in enumerate(labels.tolist()) if label == -100] == starts
