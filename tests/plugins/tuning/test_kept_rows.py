"""A corpus is tokenised once for all jobs on it, and anew where anything that decides its rows is another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cbtrun.plugins.tuning import sft, training_rows
from cbtrun.plugins.tuning.kept_rows import MOST, KeptRows
from cbtrun.plugins.tuning.training_rows import TrainingRows
from tests.helpers.tiny_models import make_model
from tests.helpers.trainings import Tuning, transcript


def test_jobs_on_one_corpus_share_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    make = training_rows.training_rows

    def noting(*given: Any, **named: Any) -> TrainingRows:
        made.append(named)
        return make(*given, **named)

    monkeypatch.setattr(training_rows, "training_rows", noting)
    job = Tuning(tmp_path / "run", make_model(tmp_path / "base", spread=0.05))
    first = sft._job(job)  # type: ignore[arg-type]
    job.options.update(seeds=[4, 5], learning_rate=0.5, lora={**job.options["lora"], "rank": 2})
    assert sft._job(job).rows is first.rows  # type: ignore[arg-type]
    count = len(made)
    job.options["max_length"] = 200
    assert sft._job(job).rows is not first.rows  # type: ignore[arg-type]
    job.transcripts = [*job.transcripts, transcript(99)]
    sft._job(job)  # type: ignore[arg-type]
    assert (count, len(made)) == (2, 6)  # rows to train on and rows held out


def test_only_a_few_corpora_are_kept() -> None:
    kept, made = KeptRows(), []

    def make(number: int) -> TrainingRows:
        made.append(number)
        return TrainingRows(())

    for number in (*range(MOST + 1), MOST, 0):
        kept.rows(number, lambda number=number: make(number))  # type: ignore[misc]
    assert made == [*range(MOST + 1), 0]
