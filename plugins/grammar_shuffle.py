"""The control that has the words and not the sense: sentences of CBT for another patient, in no order."""

from __future__ import annotations

from random import Random

from cbtrun.plugins.grammar_brief import Brief, Written
from cbtrun.plugins.grammar_course import write_cbt
from cbtrun.plugins.persona_attributes import attributes_path, read_attributes
from cbtrun.plugins.persona_draw import draw_persona
from cbtrun.plugins.persona_material import sentences
from cbtrun.records import Persona


def write_shuffled(brief: Brief, rng: Random) -> Written:
    """The patient's side of a session, and a therapist who says what belongs elsewhere."""
    own = write_cbt(brief, rng)
    other = write_cbt(brief.model_copy(update={"patient": _somebody_else(brief.patient, rng)}), rng)
    pool = [one for role, words in other.turns if role == "therapist" for one in sentences(words)]
    rng.shuffle(pool)
    lengths = [len(words.split()) for role, words in own.turns if role == "therapist"]
    strange = iter(deal(pool, lengths))
    turns = tuple((role, next(strange) if role == "therapist" else words) for role, words in own.turns)
    return Written(turns, own.summary, own.homework)


def deal(pool: list[str], lengths: list[int]) -> list[str]:
    """The pool's sentences in order, dealt to turns of about the given lengths in words; every turn gets one."""
    turns: list[list[str]] = []
    left = list(pool)
    owed = 0
    for length in lengths:
        owed += length
        turn = [left.pop(0)] if left else [pool[len(turns) % len(pool)]]
        owed -= len(turn[0].split())
        while left and len(left[0].split()) / 2 < owed and len(left) > 0:
            turn.append(left.pop(0))
            owed -= len(turn[-1].split())
        turns.append(turn)
    return [" ".join(turn) for turn in turns]


def _somebody_else(patient: Persona, rng: Random) -> Persona:
    """A shipped persona with another life than the patient's."""
    path = attributes_path("depression", __import__("pathlib").Path())
    assert path is not None
    while True:
        other = draw_persona(read_attributes(path), "other", rng.getrandbits(62))
        if not set(other.automatic_thoughts) & set(patient.automatic_thoughts) and other.name != patient.name:
            return other
