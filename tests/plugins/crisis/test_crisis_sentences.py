"""The labelled sentences of today's words: are they those that were frozen, and split by chance?"""

from __future__ import annotations

import hashlib
import random
import re
from math import sqrt

import pytest
import yaml

from cbtrun.plugins.crisis.risk_check import risk_of, written_out
from tests.helpers.places import ROOT, TESTS

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


def wilson(found: int, of: int) -> tuple[float, float]:
    """95 % interval of a share. Source: Wilson 1927."""
    z = 1.959964
    share, size = found / of, 1 + z * z / of
    middle, half = share + z * z / 2 / of, z * sqrt(share * (1 - share) / of + z * z / 4 / of / of)
    return (middle - half) / size, (middle + half) / size


def right(half: str, label: str) -> list[bool]:
    """Whether each sentence is told as it is labelled."""
    said = [one for kind in sentences(half)[label].values() for one in kind]
    return [(risk_of(one) is not None) == (label == "risk") for one in said]


@pytest.mark.parametrize("half", FROZEN)
def test_the_docs_tell_the_rates_of_a_half_as_they_are(half: str) -> None:
    row = re.search(
        rf"\| `sentences_{half}.yaml`[^|]*\|([^|]*)\|([^|]*)\|", (ROOT / "docs/safety.md").read_text("utf-8")
    )
    assert row is not None
    for cell, label in zip(row.groups(), ("risk", "no_risk"), strict=True):
        told = right(half, label)
        low, high = wilson(sum(told), len(told))
        assert f"{sum(told)} of {len(told)}" in cell
        assert f"({low:.1%}".rstrip("%") in cell
        assert f"{high:.1%}".rstrip("%") in cell


@pytest.mark.parametrize(
    "said",
    [
        "kms",
        "honestly kms",
        "I wanna unalive myself.",
        "im gonna k!ll my self",
        "Honestly, they'd be better off without me.",
        "they told me to kys and i think theyre right",
        "thinking about sewerslide again",
        "I'm not saying I'd do it, but I think about killing myself.",
    ],
)
def test_todays_words_are_a_sign(said: str) -> None:
    assert risk_of(said) is not None


@pytest.mark.parametrize(
    "said", ["I ran 5 kms.", "I ran five kms.", "My brother-in-law drove 300 kms.", "It's killing time."]
)
def test_other_things_of_the_same_letters_are_none(said: str) -> None:
    assert risk_of(said) is None


def test_masked_and_misspelt_words_are_written_out() -> None:
    assert written_out("I DONT wanna die, idk, sleeeep") == "i don't want to die, idk, sleep"
    assert written_out("su1c1de s*icide sucidal suicidle") == "suicide suicide suicidal suicidal"


def test_a_turn_without_a_full_stop_is_read_in_pieces() -> None:
    assert risk_of("and then we went on " * 2_000 + "i want to die") is not None
