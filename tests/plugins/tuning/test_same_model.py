"""Is the model that speaks the one that was trained? What a training leaves beside its adapter, and planted faults."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from cbtrun.contract.models import ModelContext
from cbtrun.errors import StageError, WrongModel
from cbtrun.plugins.local_models import transformers_model
from cbtrun.plugins.local_models.turn_probes import AGREED, COUNT, Agreement, Probe, read_probes
from cbtrun.plugins.tuning.learnt import check_learnt, check_loss_mask, check_trainable, turns_of
from cbtrun.plugins.tuning.model_export import export_merged
from cbtrun.plugins.tuning.training_rows import UNTRAINED, TrainingRow
from cbtrun.plugins.vllm_models.shared_engine import SharedEngine
from tests.helpers.tiny_models import make_model
from tests.helpers.trainings import Tuning, defaults


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    """Two seeds of one job, on a random base."""
    folder = tmp_path_factory.mktemp("run")
    base = make_model(folder / "base", spread=0.05)
    job = Tuning(
        folder / "adapters" / "tuned", base, {"max_steps": 12, "seeds": [1, 2], "held_out": {"share": 0.2, "every": 5}}
    )
    job.transcripts = [one.model_copy(update={"persona": f"p{place}"}) for place, one in enumerate(job.transcripts)]
    job.run()
    return job


@pytest.fixture
def adapter(tuned: Tuning, tmp_path: Path) -> Path:
    """A copy of the first seed's folder, to break."""
    return Path(shutil.copytree(tuned.folder / "seed-1", tmp_path / "adapter"))


def opened(base: Path, adapter: Path) -> Any:
    options = {**defaults(transformers_model.SCHEMA), "model": str(base), "threads": 1, "device": "cpu"}
    return transformers_model.open_model(ModelContext("therapist", options, adapter=str(adapter), adapter_digest="d"))


def test_a_training_leaves_turns_and_their_likelihood_under_both_models(tuned: Tuning) -> None:
    probes = read_probes(tuned.folder / "seed-1")
    lock = yaml.safe_load((tuned.folder / "seed-1" / "adapter.lock.yaml").read_text())
    assert 0 < len(probes) <= COUNT
    assert all(0 < one.start < len(one.ids) and one.base < 0 and one.tuned < 0 for one in probes)
    assert lock["probes"]["turns"] == len(probes)
    assert lock["probes"]["tuned"] > lock["probes"]["base"]
    assert lock["trainable_parameters"] > 0
    assert lock["held_out_loss"]["first"] > lock["held_out_loss"]["last"]
    log = [json.loads(line) for line in (tuned.folder / "seed-1" / "training-log.jsonl").read_text().splitlines()]
    assert [one["step"] for one in log if "held_out_loss" in one] == [5, 10, 12]


def test_the_model_that_was_trained_agrees_with_its_trainer(tuned: Tuning, adapter: Path) -> None:
    opened(tuned.base, adapter)
    found = json.loads((adapter / AGREED).read_text())
    assert found["engine"] == "transformers"
    assert found["base"] < 1e-4
    assert found["tuned"] < 1e-4


def test_another_seeds_weights_are_noticed(tuned: Tuning, adapter: Path) -> None:
    shutil.copy(tuned.folder / "seed-2" / "adapter_model.safetensors", adapter)
    with pytest.raises(WrongModel, match="is not the model that was trained"):
        opened(tuned.base, adapter)


def test_another_rank_scaling_is_noticed(tuned: Tuning, adapter: Path) -> None:
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**settings, "use_rslora": True}))
    with pytest.raises(WrongModel, match=r"0\.010 would be rounding"):
        opened(tuned.base, adapter)


def test_another_chat_template_is_noticed(tuned: Tuning, adapter: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tuned.base, tmp_path / "base"))
    template = (base / "chat_template.jinja").read_text()
    (base / "chat_template.jinja").write_text(
        template.replace("<|user|>", "<|client|>").replace("<|end|>\n", "<|end|>")
    )
    with pytest.raises(WrongModel, match="renders a prompt otherwise"):
        opened(base, adapter)


def test_a_merged_export_is_asked_too(tuned: Tuning, adapter: Path, tmp_path: Path) -> None:
    export_merged(adapter, str(tuned.base), None, tmp_path / "merged")
    kept = json.loads((adapter / "probes.words.json").read_text())
    (adapter / "probes.words.json").write_text(json.dumps([{**one, "tuned": one["tuned"] - 0.05} for one in kept]))
    with pytest.raises(WrongModel, match="merged into its base"):
        export_merged(adapter, str(tuned.base), None, tmp_path / "again")
    assert not (tmp_path / "again").exists()


class _Engine:
    """Answers as vLLM's engine would, with likelihoods that are off by some nats."""

    def __init__(self, probes: tuple[Probe, ...], base_off: float, tuned_off: float) -> None:
        self._probes, self._off = {one.ids: one for one in probes}, (base_off, tuned_off)
        self.made = 0

    async def likelihood(self, ids: tuple[int, ...], _start: int, adapter: str | None = None, *_: Any) -> float:
        probe = self._probes[ids]
        return probe.base + self._off[0] if adapter is None else probe.tuned + self._off[1]

    async def make(self, _: Any) -> str:
        self.made += 1
        return "said"


@pytest.mark.parametrize(
    ("base_off", "tuned_off", "holds"),
    [(0.0, 0.009, True), (0.02, 0.05, True), (0.0, 0.02, False), (0.02, 0.07, False), (0.6, 0.0, False)],
)
def test_an_engine_may_differ_on_the_adapter_as_it_does_on_the_base(
    adapter: Path, base_off: float, tuned_off: float, holds: bool
) -> None:
    from cbtrun.plugins.vllm_models.engine import Asked

    engine = _Engine(read_probes(adapter), base_off, tuned_off)
    shared = SharedEngine("base", {}, [str(adapter)], _engine=engine)  # type: ignore[arg-type]
    asked = Asked([1], 1, 1, {}, frozenset(), adapter=str(adapter))
    if holds:
        assert [asyncio.run(shared.make(asked)), asyncio.run(shared.make(asked))] == ["said", "said"]
        return
    with pytest.raises(WrongModel, match="nothing was said with it"):
        asyncio.run(shared.make(asked))
    assert engine.made == 0


def test_an_output_layer_that_is_not_the_trained_one_is_noticed(tuned: Tuning, adapter: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tuned.base, tmp_path / "base"))
    weights = load_file(base / "model.safetensors")
    weights["lm_head.weight"] = torch.randn_like(weights["model.embed_tokens.weight"])
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    settings = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**settings, "tie_word_embeddings": False}))
    with pytest.raises(WrongModel, match="does not stand on the base that was trained"):
        opened(base, adapter)


def test_nothing_passes_that_is_as_far_off_as_no_adapter_at_all() -> None:
    assert Agreement(0.1, 0.25, learnt=1.0).holds
    assert not Agreement(0.1, 0.25, learnt=0.4).holds


def test_no_number_is_no_agreement() -> None:
    assert not Agreement(0.0, float("nan")).holds
    assert not Agreement(float("nan"), 0.02).holds


def test_an_adapter_that_did_not_change_is_refused() -> None:
    still = {"layer.lora_A.weight": torch.ones(2, 2), "layer.lora_B.weight": torch.zeros(2, 2)}
    with pytest.raises(StageError, match="the adapter is what it was before the first step"):
        check_learnt(still)
    with pytest.raises(StageError, match="no numbers"):
        check_learnt({**still, "layer.lora_B.weight": torch.full((2, 2), float("nan"))})
    check_learnt({**still, "layer.lora_B.weight": torch.eye(2)})


def test_a_training_that_changes_nothing_ends_without_an_adapter(tuned: Tuning, tmp_path: Path) -> None:
    still = Tuning(tmp_path / "adapters" / "tuned", tuned.base, {"max_steps": 2, "learning_rate": 0.0})
    with pytest.raises(StageError, match="no weight of it has changed"):
        still.run()
    assert not (still.folder / "seed-1" / "adapter.lock.yaml").exists()


def test_a_training_of_one_step_learns_in_it(tuned: Tuning, tmp_path: Path) -> None:
    short = Tuning(tmp_path / "adapters" / "tuned", tuned.base, {"max_steps": 1})
    assert len(short.run()) == 1


def test_rows_without_loss_and_models_without_weights_to_train_are_refused() -> None:
    silent = TrainingRow((1, 2, 3), (UNTRAINED,) * 3)
    with pytest.raises(StageError, match="the loss sees no token"):
        check_loss_mask([silent, silent])
    check_loss_mask([silent, TrainingRow((1, 2), (UNTRAINED, 2))])
    with pytest.raises(StageError, match="no weight of this model can be trained"):
        check_trainable(torch.nn.Linear(2, 2).requires_grad_(False))


def test_a_probe_is_a_turn_with_what_stands_before_it_as_far_as_it_fits() -> None:
    def row(before: int, said: int) -> TrainingRow:
        ids = tuple(range(before + said))
        return TrainingRow(ids, (UNTRAINED,) * before + ids[before:])

    (short,) = turns_of([row(10, 5)])
    (long,) = turns_of([row(2000, 5)])
    assert (short.ids, short.start) == (tuple(range(15)), 10)
    assert (long.ids, long.start) == (tuple(range(2005 - 512, 2005)), 507)
    assert turns_of([row(10, 2)]) == ()
    assert len(turns_of([row(10, 5)] * 100)) == COUNT
