"""A patient who speaks both parts is flagged."""

from __future__ import annotations

from cbtrun.contract.records import Turn
from cbtrun.plugins.fidelity.finding import Case
from cbtrun.plugins.fidelity.role_swap import CHECK


def test_a_patient_who_writes_the_therapists_lines_too_is_flagged() -> None:
    turn = Turn(speaker="patient", text="I slept badly again.\n\nTherapist: And then?\nPatient: I got up.")
    assert [one.name for one in CHECK.find(Case((turn,)))] == ["role_swap"]
    assert not list(CHECK.find(Case((Turn(speaker="patient", text="My therapist: a kind man.\nI like him."),))))
