"""A simulated patient's state, read off the session so far: nothing is kept between turns.

Trust rises when the patient feels heard and asked, and falls with advice, repetition and nonsense; how much it tells
depends on trust and on its disclosure style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from cbtrun.plugin import FullPersona, derive_seed, digest
from cbtrun.plugins.patients.course import FIRST_SESSION, CourseState
from cbtrun.plugins.patients.hearing import Heard, hear
from cbtrun.plugins.patients.manner import Manner, shipped_manner
from cbtrun.plugins.personas.material import Material, occurs, patient_material

TRUST = {
    "open": 0.6, "overtalkative": 0.6, "compliant": 0.5, "guarded": 0.35, "sceptical": 0.3, "withdrawn": 0.25,
}  # fmt: skip
"""Trust at the start, 0 to 1, by engagement style."""

RESERVE = {"immediate": 0.0, "gradual": 0.15, "reluctant": 0.3}
"""How much more trust a patient of this disclosure style wants before it tells the same."""

DEPTH = {
    "event": 0.25, "thought": 0.4, "feeling": 0.3, "percent": 0.4, "meaning": 0.55, "core": 0.65, "origin": 0.6,
    "for": 0.4, "against": 0.4, "alternative": 0.5, "friend": 0.4, "prediction": 0.45, "who": 0.3, "risk": 0.0,
}  # fmt: skip
"""Trust that a question needs to be answered in full; what is not named needs none."""


@dataclass(frozen=True)
class State:
    """Where the patient stands after the therapist's last turn."""

    trust: float
    heard: Heard
    """The last turn, as it came across."""
    lost: int
    """How many turns in a row, up to the last, made no sense to the patient."""
    asked: frozenset[str]
    """Kinds of question that were asked before the last turn."""
    own: tuple[str, ...]
    """The patient's turns so far."""
    material: Material
    course: CourseState = FIRST_SESSION
    """What earlier sessions left."""
    manner: Manner = field(default_factory=shipped_manner)

    def tells(self, question: str, persona: FullPersona) -> bool:
        """Whether the patient answers such a question in full."""
        need = {**DEPTH, **(self.manner.needs_trust or {})}.get(question, 0.0)
        return not need or self.trust >= need + RESERVE[persona.disclosure_style]

    @property
    def mood(self) -> int:
        """Points of 10, a little above the start when trust is high."""
        return int(self.material.slots["mood"])


def read_state(
    persona: FullPersona,
    therapist: Sequence[str],
    own: Sequence[str],
    repeat: int,
    course: CourseState = FIRST_SESSION,
    manner: Manner | None = None,
) -> State:
    """The state after the therapist's turns and the patient's own, oldest first. The last turn is the therapist's."""
    manner = manner or shipped_manner()
    world = persona.model_dump_json()
    earlier, said = tuple(therapist), tuple(own)
    material = _material(persona, world, said, repeat, course)
    trust, lost = min(1.0, TRUST[persona.engagement_style] + course.trust), 0
    asked: set[str] = set()
    heard = Heard(question="hello")
    for number, turn in enumerate(therapist):
        asked |= {heard.question} if number else set()
        heard = _heard(turn, earlier[:number], said[: len(said) - len(earlier) + 1 + number], world, manner)
        trust = min(1.0, max(0.0, trust + trust_gained(heard)))
        lost = lost + 1 if heard.senseless or heard.mistaken else 0
    return State(trust, heard, lost, frozenset(asked), said, material, course, manner)


@lru_cache(maxsize=2**15)
def _heard(turn: str, earlier: tuple[str, ...], own: tuple[str, ...], world: str, manner: Manner) -> Heard:
    """As `hear`. A session is read anew for each turn: what was heard before is not listened to again."""
    return hear(turn, earlier, " ".join(own), world, manner)


def trust_gained(heard: Heard) -> float:
    """What one turn of the therapist does to the patient's trust."""
    if heard.senseless:
        return -0.06
    gain = 0.05 * heard.mirror + 0.04 * heard.comfort + 0.03 * (heard.question not in ("", "closed"))
    return gain - 0.07 * heard.advice - 0.09 * heard.mistaken - 0.06 * heard.repeated


def _material(persona: FullPersona, world: str, own: tuple[str, ...], repeat: int, course: CourseState) -> Material:
    """What there is to tell, the same in every turn of a session, and what of it has been told."""
    for end in range(len(own)):  # what is not kept any more is made from the start, not from within itself
        _told_so_far(world, own[:end], repeat, course)
    material = _copy(_told_so_far(world, own, repeat, course))
    told = " ".join(own).lower()
    if occurs(material.slots["event"], told) and occurs(material.slots["behaviour"], told):
        _go_on_to_another(material, persona, told)
    return material


@lru_cache(maxsize=2**14)
def _told_so_far(world: str, own: tuple[str, ...], repeat: int, course: CourseState) -> Material:
    """The material after these turns of the patient; nobody may change it. world: the persona as JSON."""
    if not own:
        return _untold(FullPersona.model_validate_json(world), repeat, course)
    material = _copy(_told_so_far(world, own[:-1], repeat, course))
    material.note(own[-1])
    return material


def _copy(material: Material) -> Material:
    spare = {name: list(texts) for name, texts in material.spare.items()}
    return Material(dict(material.slots), spare, set(material.said), dict(material.heard), set(material.latest))


def _untold(persona: FullPersona, repeat: int, course: CourseState) -> Material:
    start = derive_seed("situation", digest(persona), repeat) % len(persona.situations)
    # In each session of a course another situation is in the middle; its number also moves the mood a little.
    number = course.number + start
    seeds = ("patient", digest(persona), repeat, *([course.number] if course.number > 1 else []))
    material = patient_material(persona, number, Random(derive_seed(*seeds)))
    if course.number > 1:
        material.slots["mood"] = str(course.mood(persona))
    return material


def _go_on_to_another(material: Material, persona: FullPersona, told: str) -> None:
    """Thought and feeling stay with the first situation; another one is kept to tell of when asked for more."""
    from cbtrun.plugins.wording.pronouns import clause

    for situation in persona.situations:
        if not occurs(clause(situation.event), told):
            material.slots["event_b"], material.slots["behaviour_b"] = (
                clause(situation.event),
                clause(situation.behaviour),
            )
            return
