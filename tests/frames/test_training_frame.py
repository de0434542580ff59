"""The frame of trainings by reinforcement."""

from pathlib import Path

import pytest

from cbtrun.files.run_folder import RunFolder
from cbtrun.frames.frame_table import table_of
from cbtrun.frames.run_records import RunRecords
from cbtrun.frames.training_frame import training_rows
from tests.helpers.made_up_training import WITNESS, made_up_steps, write_training


def test_a_step_has_its_means_and_seeds_stand_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "study.lock.yaml").write_text(
        "resolved: {cbtrun: 1, tune: {job: {using: grpo}, other: {using: sft}}}\n"
    )
    steps = made_up_steps(2, vetoed=(2,))
    unscored = steps[1].rollouts[0].model_copy(update={"rewarded": None, "reward": None})
    steps[1] = steps[1].model_copy(update={"rollouts": (unscored, *steps[1].rollouts[1:]), "stopped": "kl: too far"})
    for seed in (1, 2):
        write_training(tmp_path / f"adapters/job/seed-{seed}", steps)
    table = table_of("training_steps", training_rows(RunRecords(RunFolder(tmp_path))))
    values = table.values
    assert list(zip(values["seed"], values["step"], strict=True)) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    scored = [one.rewarded or 0 for one in steps[1].rollouts[1:]]
    assert values["rewarded"][1] == pytest.approx(sum(scored) / len(scored))
    assert values[f"witness.{WITNESS}"][0] == pytest.approx(
        sum(one.witness[WITNESS] or 0 for one in steps[0].rollouts) / len(steps[0].rollouts)
    )
    assert (values["unscored"][1], values["vetoed"][1], values["stopped"][:2]) == (1, 1.0, [None, "kl: too far"])
