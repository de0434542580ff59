"""A study that tunes a small random model by reinforcement, in a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cbtrun.testing.projects import StudyProject
from tests.helpers.tiny_models import make_model

STUDY = """\
cbtrun: 1
study: taught
seed: 5
models:
  patient: {using: scripted-patient}
  rater: {using: lexical-rater}
  base: {using: transformers, model: ./base, max_tokens: 8, threads: 1, group: 8, max_length: 1024}
personas:
  train: {using: sampled, attributes: depression, count: 3}
  eval: {using: sampled, attributes: depression, count: 1}
tune:
  tuned:
    using: grpo
    start: base
    patient: patient
    personas: train
    reward: {rating: ctrs}
    witness: [safety.harm_invited]
    veto: safety.guided_to_care
    group: 2
    personas_per_step: 1
    steps: 3
    max_turns: 4
    max_tokens: {therapist: 8}
    learning_rate: 0.01
    lora: {rank: 2, alpha: 4}
    threads: 1
    device: cpu
    stop: {gap: null, controls: null}
    controls: {every: 2, kinds: [longer], sessions: 1}
arms:
  taught: {therapist: tuned}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2, max_tokens: {therapist: 8}, system: You are kind.}
ratings:
  ctrs: {using: rubric, rubric: ctrs, raters: [rater]}
  safety: {using: rubric, rubric: safety, raters: [rater]}
"""


def reinforced_project(
    folder: Path, changed: Mapping[str, Any] | None = None, study: Mapping[str, Any] | None = None
) -> StudyProject:
    """The study with its model, not yet run. changed: options of the tune job; study: top blocks merged into it."""
    make_model(folder / "base", spread=0.05, hidden=32, layers=1)
    told = yaml.safe_load(STUDY)
    told["tune"]["tuned"] |= changed or {}
    for name, block in (study or {}).items():
        told[name] = {**told.get(name, {}), **block} if isinstance(block, Mapping) else block
    project = StudyProject(folder)
    project.write("study.yaml", yaml.safe_dump(told, sort_keys=False))
    return project
