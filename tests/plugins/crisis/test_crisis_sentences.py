"""The labelled sentences of today's words: are they those that were frozen, and split by chance?"""

from __future__ import annotations

import hashlib
import random

import pytest
import yaml

from tests.helpers.places import TESTS

GOLDEN = TESTS / "golden" / "crisis"
FROZEN = {
    "dev": "58482e3f57c7430de2f53c07d5aada03bab7c4ac4c961918fd2e80a12513b6d6",
    "held": "6f46de1379912d862e9416c49d7b95a43ba8eb8b02ac2008b7ac54e5943cec5e",
}
"""SHA-256 of each half, as it was before the list of words was changed."""

Sentences = dict[str, dict[str, list[str]]]


def sentences(half: str) -> Sentences:
    """Sentences by label and kind."""
    found: Sentences = yaml.safe_load((GOLDEN / f"sentences_{half}.yaml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("half", FROZEN)
def test_a_half_is_as_it_was_frozen(half: str) -> None:
    content = (GOLDEN / f"sentences_{half}.yaml").read_bytes()
    assert hashlib.sha256(content).hexdigest() == FROZEN[half]


def test_both_directions_have_at_least_150_sentences_and_none_stands_twice() -> None:
    for label in ("risk", "no_risk"):
        said = [one for half in FROZEN for kind in sentences(half)[label].values() for one in kind]
        assert len(set(said)) == len(said) >= 150


def test_chance_alone_decided_which_half_a_sentence_is_in() -> None:
    dev, held = sentences("dev"), sentences("held")
    for label, kinds in dev.items():
        for kind, first in kinds.items():
            order = sorted([*first, *held[label][kind]])
            random.Random(f"2412 {label} {kind}").shuffle(order)
            assert order[: len(first)] == first
            assert len(first) == (len(order) + 1) // 2
