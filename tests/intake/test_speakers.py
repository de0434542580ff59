"""Who is the therapist is known by a word, said by the user, or a guess that is marked; never silent."""

from __future__ import annotations

import pytest

from cbtrun.errors import SpecError
from cbtrun.intake.speakers import Speakers, SpeakerTally, known_part, speakers_of

NOBODY: dict[str, tuple[str, ...]] = {}


def told(*words: str, **said: tuple[str, ...]) -> Speakers:
    return speakers_of({word: SpeakerTally(10, 0) for word in words}, said, "t.csv")


@pytest.mark.parametrize(
    ("therapist", "patient"),
    [
        ("Therapist", "Client"),
        ("T", "C"),
        ("T1", "P1"),
        ("Counselor", "Patient"),
        ("assistant", "user"),
        ("gpt", "human"),
        ("supporter", "seeker"),
        ("agent", "user"),
        ("Therapeutin", "Klient"),
        ("咨询师", "来访者"),
        ("Ellie", "Participant"),
        ("THERAPIST:", "Jane Roe"),
    ],
)
def test_words_tell_who_is_who(therapist: str, patient: str) -> None:
    found = told(patient, therapist)
    assert dict(found.parts) == {therapist: "therapist", patient: "patient"}
    assert not found.guessed
    assert len([reason for reason in found.reasons if "model" not in reason]) == 2


def test_what_the_user_says_goes_before_words() -> None:
    found = told("assistant", "user", therapist=("user",), patient=("assistant",))
    assert dict(found.parts) == {"user": "therapist", "assistant": "patient"}
    with pytest.raises(SpecError, match="nobody is called 'X'"):
        told("A", "B", therapist=("X",))


def test_a_model_that_may_play_the_patient_is_told() -> None:
    assert (
        "a model is taken for the therapist; if the model plays the patient here, say --patient assistant"
        in told("assistant", "user").reasons
    )


def test_speakers_without_a_word_are_guessed_only_where_one_asks_and_the_guess_is_marked() -> None:
    found = speakers_of({"A": SpeakerTally(10, 1), "B": SpeakerTally(10, 8)}, NOBODY, "t.csv")
    assert dict(found.parts) == {"B": "therapist", "A": "patient"}
    assert found.guessed
    assert found.reasons[0].startswith("A GUESS: 'B' is taken for the therapist, since 80% of those turns ask")
    for other in (SpeakerTally(10, 5), SpeakerTally(5, 0)):  # no clear difference; too few turns
        with pytest.raises(SpecError) as refused:
            speakers_of({"A": other, "B": SpeakerTally(10, 8)}, NOBODY, "t.csv")
        said = str(refused.value)
        assert "who is the therapist and the patient cannot be known: speakers (turns) are" in said
        assert "Say it: --therapist A --patient B, or the other way round" in said


def test_a_third_speaker_is_left_out_and_counted() -> None:
    found = told("Therapist", "Client", "Husband", "system")
    assert found.parts["Husband"] == found.parts["system"] == "skip"
    assert found.skipped == {"Husband": 10, "system": 10}
    assert any("'Husband' is neither by its word" in reason for reason in found.reasons)
    both = told("Therapist", "Wife", "Husband", patient=("Wife", "Husband"))
    assert [word for word, part in both.parts.items() if part == "patient"] == ["Wife", "Husband"]


def test_words_are_not_found_inside_others() -> None:
    assert [known_part(word) for word in ("Tom", "Carl", "Agentur", "SPEAKER_00")] == [""] * 4
    with pytest.raises(SpecError, match="the column of speakers seems to be another one"):
        told(*map(str, range(50)))
