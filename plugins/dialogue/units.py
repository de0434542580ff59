"""Who talks with whom: an arm's therapist, and the course that it holds with one persona."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cbtrun.plugin import Persona


@dataclass(frozen=True)
class Therapist:
    """An arm's therapist: one for each seed of its tune job."""

    arm: str
    model: str
    """Name of a model or a tune job, `job@seed` where the job has several."""
    patient: str
    system: str
    """Template of its instruction."""
    factors: Mapping[str, str]
    label: str
    """The arm's name, with the seed where there are several: first part of the sessions' ids."""
    reminder: str = ""
    """Template of the note that the patient gets before each of its turns; empty for none."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A course that waits to be held: thousands do, so it holds no persona."""

    therapist: Therapist
    number: int
    """Of the persona, from 0."""
    repeat: int

    def unit(self, personas: Sequence[Persona]) -> Unit:
        """The course, with its persona."""
        return Unit(self.therapist, personas[self.number], self.repeat)


@dataclass(frozen=True)
class Unit:
    """A course to hold: one session, or several in a row."""

    therapist: Therapist
    persona: Persona
    repeat: int

    @property
    def id(self) -> str:
        """Unique within the study."""
        return f"{self.therapist.label}/{self.persona.id}/{self.repeat}"

    def session_id(self, number: int, sessions: int) -> str:
        """Id of one session; in a course of several the number is its last part."""
        return self.id if sessions == 1 else f"{self.id}/{number}"
