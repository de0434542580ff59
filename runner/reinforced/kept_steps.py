"""Reinforcement trainings as they stand in a run folder: `adapters/JOB/seed-N/steps.jsonl`, and the sessions of each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cbtrun.contract.records import Session
from cbtrun.contract.reinforced import TrainingStep
from cbtrun.files.run_folder import read_records

STEPS = "steps.jsonl"
ROLLOUTS = "rollouts"


@dataclass(frozen=True)
class KeptTraining:
    """One seed's training, its steps first to last."""

    seed: str
    folder: Path
    """Of its adapter."""
    steps: tuple[TrainingStep, ...]

    def sessions(self, step: int) -> dict[str, Session]:
        """The sessions that were held in a step, by id; empty where they were not kept."""
        file = self.folder / ROLLOUTS / f"step-{step}.jsonl"
        return {one.id: one for one in read_records(file, Session)} if file.is_file() else {}


def kept_trainings(adapters: Path) -> Iterator[KeptTraining]:
    """The trainings of a tune job that have steps, in the order of their seeds. adapters: `adapters/JOB` of a run.

    Of a step that was done again after a stop the last line counts. Raises StageError for a line that is no step.
    """
    for file in sorted(adapters.glob(f"seed-*/{STEPS}"), key=_seed):
        steps = {one.step: one for one in read_records(file, TrainingStep)}
        if steps:
            yield KeptTraining(str(_seed(file)), file.parent, tuple(steps[at] for at in sorted(steps)))


def _seed(file: Path) -> int:
    named = file.parent.name.removeprefix("seed-")
    return int(named) if named.isdigit() else 0
