"""A study that tunes two small models, in a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cbtrun.testing.projects import StudyProject
from tests.helpers.families import family_model
from tests.helpers.tiny_models import SENTENCES, make_model

STUDY = """\
cbtrun: 1
study: tuned
seed: 1
models:
  tiny: {using: transformers, model: ./base, threads: 1}
  other: {using: transformers, model: ./other, threads: 1}
corpus:
  talk:
    using: files
    path: talk.jsonl
    columns: {transcript: id, messages: said}
    speakers: {T: therapist, P: patient}
    checks: {near_duplicates: 0}
tune:
  broken: {using: sft, base: other, corpus: talk, max_steps: 2, batch_size: 2, threads: 1, device: cpu}
  good: {using: sft, base: tiny, corpus: talk, max_steps: 2, batch_size: 2, threads: 1, device: cpu, learning_rate: 0.01}
"""


def talk() -> str:
    rows = [
        {"id": str(n), "said": [{"role": "TP"[turn % 2], "content": SENTENCES[(n + turn) % 7]} for turn in range(4)]}
        for n in range(6)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def tune_project(study_project: Callable[[dict[str, str]], StudyProject], tmp_path: Path) -> StudyProject:
    """The study with both of its models, not yet run."""
    make_model(tmp_path / "base", spread=0.05)
    family_model("mistral", tmp_path / "other")
    return study_project({"study.yaml": STUDY, "talk.jsonl": talk()})
