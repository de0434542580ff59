"""How a scripted patient moves on in a course: what it makes of the sessions before, told to it in its instruction.

Work on a thought and homework move the PHQ-9 down a little, sessions without either leave it; trust grows with every
session. A toy: it lets a study of courses be tried, and says nothing about how people get better.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from cbtrun.plugin import ChatMessage, FullPersona
from cbtrun.plugins.patients.homework import homework_outcome

TRUST_A_SESSION, MOST_TRUST = 0.03, 0.2
GAIN_OF_WORK, GAIN_OF_HOMEWORK = 1.0, 0.6  # PHQ-9 points a session

_COURSE = re.compile(r"This is session (\d+) of (\d+) with your therapist\.")
_BEFORE = re.compile(r"^Session (\d+): (.*)$", re.MULTILINE)
_PHQ9 = re.compile(r"Your PHQ-9 was (\d+)\.")


@dataclass(frozen=True)
class CourseState:
    """Where a patient stands in its course, as it was told."""

    number: int = 1
    homework: str = ""
    """What the last session set."""
    worked: bool = False
    """Whether the last session came to a new view."""
    phq9: int | None = None
    """PHQ-9 before the last session."""

    @property
    def trust(self) -> float:
        """Trust beyond the first session's."""
        return min(MOST_TRUST, TRUST_A_SESSION * (self.number - 1))

    def mood(self, persona: FullPersona) -> int:
        """Points of 10 at the start of a later session: higher with a lower PHQ-9."""
        return max(1, min(9, round(7 - self.expected(persona) / 4)))

    def expected(self, persona: FullPersona) -> float:
        """PHQ-9 to be expected now: the last one, less what the last session gave."""
        last = persona.phq9 if self.phq9 is None else self.phq9
        return max(0.0, last - GAIN_OF_WORK * self.worked - GAIN_OF_HOMEWORK * bool(self.homework))


FIRST_SESSION = CourseState()


def read_course_state(messages: Sequence[ChatMessage]) -> CourseState:
    """The state that the system message tells of; that of a first session where it tells of none."""
    system = "\n".join(message.content for message in messages if message.role == "system")
    found = _COURSE.search(system)
    if not found:
        return FIRST_SESSION
    told = _BEFORE.findall(system)
    last = told[-1][1] if told else ""
    homework = re.search(r"Homework: (.+?)\.(?: Your PHQ-9|$)", last)
    scored = _PHQ9.search(last)
    return CourseState(
        number=int(found[1]),
        homework=homework[1] if homework else "",
        worked="new view" in last,
        phq9=int(scored[1]) if scored else None,
    )


def later_answer(kind: str, persona: FullPersona, course: CourseState, rng: Random) -> str:
    """What is answered when a later session asks about homework or about last time."""
    if kind == "no_last_time":
        return rng.choice(("bridge_yes", "bridge_vague"))
    return homework_outcome(persona.engagement_style, rng) if course.homework else kind


def answer_phq9(persona: FullPersona, course: CourseState, rng: Random) -> str:
    """The nine answers as JSON: their sum is what is to be expected now, give or take a point."""
    total = round(course.expected(persona) + rng.choice((-1, 0, 0, 1)))
    last = {"none": 0, "passive-ideation": 1, "active-ideation": 2}[persona.risk]
    points = [0] * 8 + [last]
    left = max(0, min(24, total - last))
    while left > 0:
        place = rng.choice([place for place in range(8) if points[place] < 3])
        points[place] += 1
        left -= 1
    return json.dumps({"items": points})
