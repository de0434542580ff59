"""Templates of a `sessions` block and of the arms, filled in before the run with what they will see in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cbtrun.plugin import CbtrunError, FullPersona, Persona, Place, Problem, Situation, template_faults
from cbtrun.plugins.dialogue.prompts import PATIENT_SYSTEM, patient_variables, therapist_variables
from cbtrun.plugins.dialogue.prompts import Place as CoursePlace

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext

MOST_TRIED = 200
"""Personas of a file with whom a template is tried."""

Samples = Mapping[str, Mapping[str, Any]]
"""Whose values -> variables."""


def template_problems(context: BlockContext) -> Iterator[Problem]:
    """What is wrong with the templates of the block and of the arms."""
    written = [one for one in _templates(context) if "{" in one.text and one.text != PATIENT_SYSTEM]
    if not written:  # most studies: then no sample is needed, and Jinja need not be loaded
        return
    therapist, patient = _samples(context)
    for one in written:
        for fault in template_faults(one.text, therapist if one.path[-1] == "system" else patient):
            yield Problem(one.place, "/".join(one.path), fault)


class _Written(NamedTuple):
    """A template, and where it stands."""

    path: tuple[str, ...]
    text: str
    place: Place


def _templates(context: BlockContext) -> Iterator[_Written]:
    for key in ("system", "patient_system", "reminder"):
        if isinstance(text := context.options.get(key), str):
            yield _Written((context.stage, key), text, context.place(key))
    for name, arm in context.study.arms.items():
        for key in ("system", "reminder"):
            if isinstance(text := arm.options.get(key), str):
                yield _Written(("arms", name, key), text, context.place_in_study("arms", name, key))


def _samples(context: BlockContext) -> tuple[Samples, Samples]:
    """Variables of the therapist's and of the patient's templates: of a first session, and of one that follows it."""
    turns, sessions = context.options.get("max_turns", 24), context.options.get("sessions", 1)
    later = {"in a later session": CoursePlace(2, sessions, "Before: we spoke of sleep.")} if sessions > 1 else {}
    places = {"": CoursePlace(1, sessions), **later}
    therapist = {when: therapist_variables(turns, place) for when, place in places.items()}
    patient = {when: patient_variables(sample_persona(), turns, place) for when, place in places.items()}
    own = {f"with '{one.id}' as the patient": patient_variables(one, turns, places[""]) for one in _written(context)}
    return therapist, {**patient, **own}


def _written(context: BlockContext) -> Sequence[Persona]:
    """The patients, where the study names a file of them: a row may lack what the sample has."""
    from cbtrun.plugins.personas.files import personas_of

    chosen = context.study.personas.get(str(context.options.get("personas")))
    block = chosen.options if chosen else {}
    if not isinstance(block.get("path"), str | Path):
        return ()
    try:
        return personas_of(block, context.folder)[:MOST_TRIED]
    except (CbtrunError, OSError, ValueError):
        return ()  # whoever reads the set says what is wrong with it


@cache
def sample_persona() -> Persona:
    """Stands in for the patients where nobody has drawn them yet. Made when asked for: records are costly to set up."""
    return FullPersona(
        id="sample", name="Sam", age=40, gender="man", occupation="a baker", living_situation="alone", presenting_problem="I am tired.",
        phq9=14, symptoms=("I wake at four",), automatic_thoughts=("I will fail",), intermediate_beliefs=("I must not ask",),
        situations=(Situation(event="a call", thought="I will fail", feeling="fear", behaviour="I hid"),), core_beliefs=("I am weak",),
        distortions=("fortune telling",), history="He grew up by the sea.", strengths=("patience",), goals=("to sleep",),
        engagement_style="open", disclosure_style="gradual", speech="short sentences",
    )  # fmt: skip
