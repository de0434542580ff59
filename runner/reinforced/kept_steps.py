"""Reinforcement trainings as they stand in a run folder: `adapters/JOB/seed-N/steps.jsonl`, and the sessions of each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cbtrun.contract.records import Session
from cbtrun.contract.reinforced import TrainingStep
from cbtrun.files.record_list import bounded_lines, not_as_written
from cbtrun.files.run_folder import read_records

STEPS = "steps.jsonl"
WORDS = "sessions-{step:05d}.words.json"
"""The sessions of a step, one JSON list; `cbtrun forget` removes it."""


@dataclass(frozen=True)
class KeptTraining:
    """One seed's training, its steps first to last."""

    seed: str
    folder: Path
    """Of its adapter."""
    steps: tuple[TrainingStep, ...]

    def sessions(self, step: int) -> dict[str, Session]:
        """The sessions that were held in a step, by id; empty where they were not kept.

        Raises StageError for a file that holds something else.
        """
        file = self.folder / WORDS.format(step=step)
        if not file.is_file():
            return {}
        try:
            found = TypeAdapter(list[Session]).validate_json(b"".join(bounded_lines(file)))
        except ValidationError as error:
            raise not_as_written(str(file), error) from None
        return {one.id: one for one in found}


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
