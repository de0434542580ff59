"""Writes what models are told by default into docs/prompts.md, from the code that tells them: `python tools/prompts_page.py`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from cbtrun.plugins.corpus.course_messages import AUTHOR_SYSTEM, REGISTERS
from cbtrun.plugins.dialogue.carry import SUMMARY_REQUEST
from cbtrun.plugins.dialogue.context import SUMMARISE
from cbtrun.plugins.dialogue.notes import CLOSING, END, REMINDER, START
from cbtrun.plugins.dialogue.phq9 import ASKED
from cbtrun.plugins.dialogue.prompts import PATIENT_SYSTEM
from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.plugins.personas.written import SYSTEM
from cbtrun.ratings.request import TEMPLATES

PAGE = Path(__file__).resolve().parents[1] / "docs/prompts.md"
BEGIN, END_MARK = "<!-- prompts: python tools/prompts_page.py -->\n", "<!-- prompts end -->\n"


class Prompt(NamedTuple):
    """What a model is told."""

    title: str
    when: str
    """Who is told, when, and what changes it."""
    text: str


def prompts() -> Iterator[Prompt]:
    """Every default prompt, in the order of a study."""
    yield Prompt("Persona author", "System message of `personas: {using: written}`. `{keys}` lists the fields of a persona; `about:` goes into the user message.", SYSTEM)  # fmt: skip
    yield Prompt("Transcript author", "System message of `corpus: {using: written-course}`, for each session of a course. `{register}` is one of the texts below, or a practice's `instruction`.", AUTHOR_SYSTEM.format(register="{register}"))  # fmt: skip
    for name, text in REGISTERS.items():
        yield Prompt(
            f"Register `{name}`", f"In the author's system message where the corpus says `register: {name}`.", text
        )
    yield Prompt("Therapist", "System message of a therapist, in sessions and in training data; `system:` under `sessions`, of an arm, or of a corpus.", THERAPIST_SYSTEM)  # fmt: skip
    yield Prompt("Patient", "System message of a patient that is a language model; `patient_system:` under `sessions` or of an arm.", PATIENT_SYSTEM)  # fmt: skip
    yield Prompt("Patient's note against drift", "At the end of the last message that the patient sees, at every turn; `reminder:` (`false` for none).", REMINDER)  # fmt: skip
    yield Prompt(
        "Therapist's note before the end", "In the same place, when a session is about to end; `closing.note`.", CLOSING
    )
    yield Prompt("How a note stands there", "Around every note.", f"{START.strip()}NOTE{END}")
    yield Prompt("Notes of what was left out", "System message where a session outgrows a model and `context: {policy: summarise}`. `{speaker}` is whose model it is.", SUMMARISE)  # fmt: skip
    yield Prompt("Summary for the next session", "In a course of several sessions, as a note to the therapist after each where `carry: {summary: therapist}`.", SUMMARY_REQUEST)  # fmt: skip
    yield Prompt("PHQ-9", "User message to the patient before each session of a course; `phq9: false` for none.", ASKED)
    for name in TEMPLATES:
        yield Prompt(f"Rater: `{name}`", RATER[name], resources.files("cbtrun.rubrics").joinpath(f"templates/{name}").read_text(encoding="utf-8"))  # fmt: skip


RATER = {
    "rater-system.j2": "System message of a rater. `wordings:` puts other words in the place of the first lines; the last two always stand.",
    "rater-brief.j2": "First part of the user message: the rubric, word for word, the rules and the form of the answer.",
    "rater-user.j2": "The user message: the part above, then the transcript between marks that nothing said in it can forge.",
}
"""Template -> when it is used."""


def with_prompts(page: str) -> str:
    """The page with its prompts made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END_MARK)
    told = "\n".join(f"### {one.title}\n\n{one.when}\n\n```text\n{one.text.strip()}\n```\n" for one in prompts())
    return f"{before}{BEGIN}\n{told}\n{END_MARK}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_prompts(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
