"""Where a training's curves go besides the report: trackers by name, through transformers' own callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

TENSORBOARD = "tensorboard"
TRACKER_KEYS = (
    "WANDB_API_KEY",
    "COMET_API_KEY",
    "NEPTUNE_API_TOKEN",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
)
"""What a process needs that sends curves to a tracker."""


def by_transformers(trackers: Sequence[str]) -> list[str]:
    """The trackers that transformers sets up by itself."""
    return [name for name in trackers if name != TENSORBOARD]


def add_trackers(trainer: Any, trackers: Sequence[str], checkpoints: Path) -> None:
    """Send the curves to the trackers that need to be told where.

    TensorBoard's files would lie among the checkpoints, which are removed when the adapter is there: they go beside them.
    """
    if TENSORBOARD in trackers:
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations.integration_utils import TensorBoardCallback

        trainer.add_callback(TensorBoardCallback(SummaryWriter(str(checkpoints.parent / TENSORBOARD))))
