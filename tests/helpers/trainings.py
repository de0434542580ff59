"""A training of `sft` without a study around it, on a small random model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbtrun.contract.records import Adapter, Message, Transcript
from cbtrun.contract.study_view import StudyView
from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer
from cbtrun.plugins.tuning import sft
from cbtrun.plugins.tuning.training_rows import UNTRAINED, TrainingRow
from tests.helpers.tiny_models import SENTENCES

SYSTEM = Message(role="system", content="You listen.")


def defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Every default of a schema, nested ones too."""
    found = {}
    for name, option in schema["properties"].items():
        if option.get("type") == "object":
            found[name] = defaults(option)
        elif "default" in option:
            found[name] = option["default"]
    return found


def transcript(number: int, turns: int = 4, *, opens: str = "therapist") -> Transcript:
    """A session whose sentences follow from its number."""
    roles = ("therapist", "patient") if opens == "therapist" else ("patient", "therapist")
    said = [Message(role=roles[turn % 2], content=SENTENCES[(number + turn) % 7]) for turn in range(turns)]  # type: ignore[arg-type]
    return Transcript(id=f"t{number}", persona="p", messages=(SYSTEM, *said))


@dataclass
class Tuning:
    """A tune stage with a base and a corpus made for the test."""

    folder: Path
    base: Path
    options: dict[str, Any] = field(default_factory=dict)
    transcripts: list[Transcript] = field(default_factory=lambda: [transcript(number) for number in range(12)])
    told: list[tuple[int, int, str]] = field(default_factory=list)
    name: str = "tuned"
    workplace: None = None

    def __post_init__(self) -> None:
        small = {"base": "b", "corpus": "c", "max_steps": 6, "batch_size": 4, "threads": 1, "device": "cpu"}
        self.options = {**defaults(sft.SCHEMA), **small, "learning_rate": 1e-2, **self.options}
        self.study = StudyView({"models": {"b": {"using": "transformers", "model": str(self.base)}}})

    seed: int = 7

    def corpus(self, _: str) -> list[Transcript]:
        return self.transcripts

    def advance(self, done: int, total: int, detail: str) -> None:
        self.told.append((done, total, detail))

    def run(self) -> list[Adapter]:
        return sft.tune_model(self)  # type: ignore[arg-type]


def tokenizer_of(base: Path) -> Any:
    return load_tokenizer(find_model(str(base)))


def trained_spans(tokenizer: Any, row: TrainingRow) -> Iterator[str]:
    """What the loss sees, decoded, span by span."""
    span: list[int] = []
    for token, label in zip((*row.input_ids, 0), (*row.labels, UNTRAINED), strict=True):
        if label != UNTRAINED:
            assert label == token
            span.append(token)
        elif span:
            yield tokenizer.decode(span)
            span = []


def log_of(job: Tuning) -> list[Any]:
    return [json.loads(line) for line in (job.folder / "seed-1" / "training-log.jsonl").read_text().splitlines()]
