"""What a plan says of a training by reinforcement: sessions, ratings, money, hours."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cbtrun.testing.projects import StudyProject

STUDY = """
cbtrun: 1
study: priced
title: t
seed: 1
models:
  patient: {using: scripted-patient}
  fast: {using: openai, model: m, base_url: "https://api.openai.com/v1", api_key_env: OPENAI_API_KEY, prices: {input: 1, output: 2}}
  second: {using: openai, model: n, base_url: "https://api.openai.com/v1", api_key_env: OPENAI_API_KEY}
  llama: {using: transformers, model: some/Llama-8B}
personas:
  train: {using: sampled, attributes: depression, count: 8}
  eval: {using: sampled, attributes: depression, count: 2}
tune:
  job: {using: grpo, start: llama, patient: patient, personas: train, reward: {rating: panel}, witness: [other], group: 4,
        personas_per_step: 2, steps: 20, seeds: [1, 2], max_turns: 10, controls: {every: 10, sessions: 8}}
arms: {one: {therapist: job}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 24}
ratings:
  panel: {using: rubric, rubric: ctrs, raters: [fast, second]}
  other: {using: rubric, rubric: miti, raters: [second], repeats: 3}
limits: {batch: true}
"""


def test_a_plan_multiplies_steps_personas_sessions_and_ratings_and_prices_gpu_hours(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    said = study_project({"study.yaml": STUDY}).run("plan", "study.yaml").out
    assert (
        "tune.job: 2 x 20 steps x 2 personas x 4 sessions = 320 sessions of at most 10 turns; x 5 ratings of each (panel 2, "
        "other 3) = 1,600 ratings, and 256 of controls; with `panel: cyclic` 448 fewer"
    ) in said
    tuning = said[said.index("tune.job ") : said.index("sessions  ")]
    assert "second                     1,408 calls" in tuning
    assert "fast                       448 calls" in tuning
    assert "in batches" not in tuning, "each step waits for its ratings"
    assert "of one H100" in said


def test_a_panel_in_turn_asks_one_rater_a_session(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    project = study_project({"study.yaml": STUDY})
    said = project.run("plan", "study.yaml", "--set", "tune.job.reward.panel=cyclic").out
    assert "x 4 ratings of each (panel 1, other 3) = 1,280 ratings, and 128 of controls\n" in said
