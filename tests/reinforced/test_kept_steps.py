"""Trainings read back from a run folder."""

from pathlib import Path

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.errors import StageError
from cbtrun.reinforced.kept_steps import kept_trainings
from tests.helpers.made_up_training import made_up_steps, write_training


def test_trainings_come_by_seed_and_a_step_done_again_counts_once(tmp_path: Path) -> None:
    steps = made_up_steps(3)
    for seed in (10, 2):
        write_training(tmp_path / f"seed-{seed}", [*steps, steps[1].model_copy(update={"loss": 9.0})])
    found = list(kept_trainings(tmp_path))
    assert [one.seed for one in found] == ["2", "10"]
    assert [(step.step, step.loss) for step in found[0].steps] == [(1, 0.1), (2, 9.0), (3, 0.1)]


def test_sessions_of_a_step_are_found_by_id_and_may_be_gone(tmp_path: Path) -> None:
    session = Session(id="a", draw="a", turns=(Turn(speaker="patient", text="Hi"),), ended="farewell")
    write_training(tmp_path / "seed-1", made_up_steps(2), {2: [session]})
    (found,) = kept_trainings(tmp_path)
    assert found.sessions(2) == {"a": session}
    assert found.sessions(1) == {}
    (tmp_path / "seed-1" / "sessions-00001.words.json").write_text("{}")
    with pytest.raises(StageError, match="not as cbtrun wrote it"):
        found.sessions(1)


def test_a_line_that_is_no_step_is_refused_with_its_place(tmp_path: Path) -> None:
    write_training(tmp_path / "seed-1", made_up_steps(1))
    file = tmp_path / "seed-1" / "steps.jsonl"
    file.write_text(file.read_text() + '{"step": "two"}\n')
    with pytest.raises(StageError, match=r"steps\.jsonl:2"):
        list(kept_trainings(tmp_path))


def test_a_job_without_steps_has_no_trainings(tmp_path: Path) -> None:
    (tmp_path / "seed-1").mkdir()
    assert list(kept_trainings(tmp_path)) == []
    assert list(kept_trainings(tmp_path / "none")) == []
