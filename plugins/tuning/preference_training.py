"""TRL's trainers for pairs, DPO and ORPO, on rows that are tokens already: the model's own template made them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

    from cbtrun.plugins.tuning.preference_rows import PreferenceRow


def pair_dataset(rows: Sequence[PreferenceRow]) -> Dataset:
    """The rows as TRL's trainers take them."""
    from datasets import Dataset

    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    return Dataset.from_dict({name: [list(getattr(row, name)) for row in rows] for name in names})


def pair_trainer(options: Mapping[str, Any]) -> tuple[type[Any], type[Any], dict[str, Any]]:
    """The trainer, its settings' class, and the settings that a method has of its own."""
    return _orpo(options) if options["method"] == "orpo" else _dpo(options)


def _dpo(options: Mapping[str, Any]) -> tuple[type[Any], type[Any], dict[str, Any]]:
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    class Trainer(DPOTrainer):
        """Rows are tokens already."""

        def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
            return dataset

    return Trainer, DPOConfig, {"beta": options["beta"], "max_length": options["max_length"]}


def _orpo(options: Mapping[str, Any]) -> tuple[type[Any], type[Any], dict[str, Any]]:
    os.environ.setdefault(
        "TRL_EXPERIMENTAL_SILENCE", "1"
    )  # it would warn that its ORPO may change: versions are pinned
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    class Trainer(ORPOTrainer):
        """Rows are tokens already, and tokens seen are counted."""

        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            collate = self.data_collator
            self.data_collator = lambda rows: with_all_tokens(collate(rows))

        def tokenize_row(self, feature: dict[str, Any], model: Any = None) -> dict[str, Any]:
            return orpo_row(feature)

    own = {"beta": options["beta"], "max_length": options["max_length"], "remove_unused_columns": False}
    return Trainer, ORPOConfig, own


def orpo_row(feature: Mapping[str, Any]) -> dict[str, Any]:
    """What TRL's ORPO makes of a pair of texts, from a pair of tokens: labels on the turn alone."""
    prompt = list(feature["prompt_ids"])
    row: dict[str, Any] = {"prompt": "", "chosen": "", "rejected": ""}
    row |= {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
    for name in ("chosen", "rejected"):
        turn = list(feature[f"{name}_ids"])
        row[f"{name}_input_ids"] = prompt + turn
        row[f"{name}_attention_mask"] = [1] * (len(prompt) + len(turn))
        row[f"{name}_labels"] = [-100] * len(prompt) + turn
    return row


def with_all_tokens(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch with the names that transformers counts tokens by."""
    import torch

    for name in ("input_ids", "attention_mask"):
        both = [batch[f"{side}_{name}"].flatten() for side in ("chosen", "rejected")]
        batch[name] = torch.cat(both)
    return batch
