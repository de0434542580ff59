"""Preference tuning: pairs from files or made by the study, DPO and ORPO on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.records import Message, Transcript
from cbtrun.errors import StageError
from cbtrun.plugins.corpus.compared_turns import openings_of
from cbtrun.plugins.tuning import preference
from cbtrun.plugins.tuning.preference_rows import preference_rows
from cbtrun.plugins.tuning.preference_training import orpo_row
from cbtrun.testing.projects import StudyProject, study_project
from tests.helpers.tiny_models import SENTENCES, make_model
from tests.helpers.trainings import defaults, tokenizer_of, transcript

__all__ = ["study_project"]
Make = Callable[[Mapping[str, str]], StudyProject]

STUDY = """\
cbtrun: 1
study: preferred
seed: 1
models:
  tiny: {using: transformers, model: ./base, threads: 1}
corpus:
  pairs:
    using: files
    path: pairs.jsonl
    columns: {transcript: id, messages: said, rejected: worse}
    speakers: {T: therapist, P: patient}
    checks: {near_duplicates: 0}
tune:
  better: {using: preference, base: tiny, corpus: pairs, METHOD, max_steps: 12, batch_size: 4, threads: 1, device: cpu,
           learning_rate: 0.01, warmup_ratio: 0, schedule: constant, max_length: 256}
"""


def pair_lines() -> str:
    """Sessions that end with a question of the therapist, where a farewell was liked less."""
    rows = [
        {
            "id": str(n),
            "said": [
                {"role": "P", "content": SENTENCES[n % 7]},
                {"role": "T", "content": "What went through your mind just then?"},
            ],
            "worse": "Goodbye, until next week!",
        }
        for n in range(8)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def log_of(project: StudyProject) -> list[dict[str, Any]]:
    path = project.folder / "runs/preferred/adapters/better/seed-1/training-log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("method", ["dpo", "orpo"])
def test_pairs_of_a_file_make_the_preferred_turn_the_likelier_one(
    study_project: Make, tmp_path: Path, method: str
) -> None:
    make_model(tmp_path / "base", spread=0.05)
    study = STUDY.replace("METHOD", f"method: {method}, beta: 0.5")
    project = study_project({"study.yaml": study, "pairs.jsonl": pair_lines()})
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    log = log_of(project)
    assert len(log) == 12
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[-1]["accuracy"] == 1.0
    assert log[0]["tokens"] > 4 * 2 * 10
    lock = (project.folder / "runs/preferred/adapters/better/seed-1/adapter.lock.yaml").read_text()
    assert "pairs: 8\n" in lock
    assert f"method: {method}\n" in lock
    again = project.run()
    assert "up to date" in again.out or "nothing" in again.out


def test_a_corpus_without_pairs_is_refused_and_says_why(study_project: Make, tmp_path: Path) -> None:
    make_model(tmp_path / "base", spread=0.05)
    study = STUDY.replace("METHOD", "method: dpo").replace(", rejected: worse", "")
    outcome = study_project({"study.yaml": study, "pairs.jsonl": pair_lines()}).run()
    assert outcome.code == 3
    assert (
        "corpus 'pairs' holds no pair to train on: 8 transcripts have no turn that was liked less, 0 pairs are longer "
        "than max_length" in outcome.err
    )


def test_bad_options_are_reported_with_their_place(study_project: Make, tmp_path: Path) -> None:
    make_model(tmp_path / "base", spread=0.05)
    study = STUDY.replace("METHOD", "method: ppo, packing: true, beta: 0")
    outcome = study_project({"study.yaml": study, "pairs.jsonl": pair_lines()}).run("validate", "study.yaml")
    assert outcome.code == 2
    for words in ("tune/better/method: ", "'dpo'", "unknown key 'packing'", "tune/better/beta: "):
        assert words in outcome.err + outcome.out, words


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base"), spread=0.05)


def paired(number: int = 0) -> Transcript:
    return transcript(number, 5).model_copy(update={"rejected": "Goodbye, until next week!"})


def test_a_pair_differs_in_the_last_turn_alone_and_each_ends_its_turn(base: Path) -> None:
    tokenizer = tokenizer_of(base)
    (row,) = preference_rows(tokenizer, [paired()], 512).rows
    said = paired().messages[-1].content
    assert tokenizer.decode(row.chosen_ids) == f"{said}<|end|>"
    assert tokenizer.decode(row.rejected_ids) == "Goodbye, until next week!<|end|>"
    prompt = tokenizer.decode(row.prompt_ids)
    assert prompt.endswith("<|assistant|>\n")
    assert all(one.content in prompt for one in paired().messages[:-1])


def test_orpo_learns_from_the_turn_and_not_from_what_was_said_before() -> None:
    row = orpo_row({"prompt_ids": [5, 6], "chosen_ids": [7, 8], "rejected_ids": [9]})
    assert (row["chosen_input_ids"], row["chosen_labels"]) == ([5, 6, 7, 8], [-100, -100, 7, 8])
    assert (row["rejected_input_ids"], row["rejected_labels"]) == ([5, 6, 9], [-100, -100, 9])


def test_long_pairs_are_left_out_and_counted_and_so_are_transcripts_without_a_pair(base: Path) -> None:
    found = preference_rows(tokenizer_of(base), [paired(), transcript(1)], 20)
    assert (found.rows, found.dropped, found.unpaired) == ((), 1, 1)


def test_a_pair_that_ends_with_the_patient_is_refused(base: Path) -> None:
    odd = transcript(0, 4).model_copy(update={"rejected": "No."})
    with pytest.raises(StageError, match="pair 't0': its last message is the patient's"):
        preference_rows(tokenizer_of(base), [odd], 512)


def test_openings_end_before_the_therapists_answers_and_leave_out_the_greeting() -> None:
    openings = openings_of(transcript(0, 6), 2)
    assert [len(one.messages) for one in openings] == [2, 4]
    assert all(one.messages[-1].role == "patient" for one in openings)
    assert openings[0].id == "t0/2"


MADE = """\
cbtrun: 1
study: made
seed: 3
models:
  author: {using: grammar}
  rater: {using: lexical-rater}
  bold: {using: transformers, model: ./base, threads: 1, device: cpu, max_tokens: 12, temperature: 1.0}
personas:
  train: {using: sampled, attributes: depression, count: 2}
corpus:
  begun: {using: written-course, author: author, personas: train, sessions: [1]}
  pairs: {using: compared-turns, sessions: begun, therapist: bold, rater: rater, rubric: ctrs, openings: 2}
tune:
  better: {using: preference, base: bold, corpus: pairs, max_steps: 1, batch_size: 1, threads: 1, device: cpu, max_length: 2048}
"""


def test_a_study_makes_its_own_pairs_in_the_order_of_need(study_project: Make, tmp_path: Path) -> None:
    project = study_project({"study.yaml": MADE})
    make_model(tmp_path / "base", spread=0.05)
    said = project.run("validate", "study.yaml").out
    assert "corpus.begun, corpus.pairs, tune.better" in said


def test_pairs_of_a_tuned_therapist_are_made_after_its_tuning(study_project: Make, tmp_path: Path) -> None:
    make_model(tmp_path / "base", spread=0.05)
    study = MADE.replace("therapist: bold", "therapist: first").replace(
        "tune:\n", "tune:\n  first: {using: sft, base: bold, corpus: begun, max_steps: 1, device: cpu}\n"
    )
    said = study_project({"study.yaml": study}).run("validate", "study.yaml").out
    assert said.index("tune.first") < said.index("corpus.pairs") < said.index("tune.better")


@pytest.mark.parametrize("name", ["method", "beta", "max_length"])
def test_options_of_its_own_have_defaults(name: str) -> None:
    assert name in defaults(preference.SCHEMA)


def test_a_message_that_was_liked_less_stays_in_the_record() -> None:
    one = Transcript(id="a", persona="p", messages=(Message(role="therapist", content="Yes."),), rejected="No.")
    assert Transcript.model_validate_json(one.model_dump_json()).rejected == "No."
