"""The control that has the words and not the sense: sentences of CBT for another patient, in no order."""

from __future__ import annotations

from pathlib import Path
from random import Random

from cbtrun.plugin import FullPersona
from cbtrun.plugins.grammar.brief import Brief, Written
from cbtrun.plugins.grammar.course import FEWEST_WORDS, MOST_WORDS, write_cbt
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
from cbtrun.plugins.personas.draw import draw_persona
from cbtrun.plugins.personas.material import sentences


def write_shuffled(brief: Brief, rng: Random) -> Written:
    """The patient's side of a session, and a therapist who says what belongs elsewhere."""
    own = write_cbt(brief, rng)
    before = tuple(one.model_copy(update={"summary": ""}) for one in brief.before)  # it holds this patient's thoughts
    other = write_cbt(brief.model_copy(update={"patient": _somebody_else(brief.patient, rng), "before": before}), rng)
    pool = [one for role, words in other.turns if role == "therapist" for one in sentences(words)]
    rng.shuffle(pool)
    lengths = [len(words.split()) for role, words in own.turns if role == "therapist"]
    strange = iter(deal(pool, lengths))
    turns = tuple((role, next(strange) if role == "therapist" else words) for role, words in own.turns)
    return Written(turns, own.summary, own.homework)


def deal(pool: list[str], lengths: list[int]) -> list[str]:
    """The pool's sentences in order, dealt to turns of about the given lengths in words; the rest falls away."""
    turns: list[str] = []
    left = list(pool)
    owed = 0
    for length in lengths:
        owed += length
        goal = min(max(owed, FEWEST_WORDS), MOST_WORDS)
        turn: list[str] = []
        while not turn or len(" ".join(turn).split()) < FEWEST_WORDS or _nearer_with(left or pool, turn, goal):
            left = left or list(pool)
            turn.append(left.pop(0))
        turns.append(" ".join(turn))
        owed -= len(turns[-1].split())
    return turns


def _nearer_with(left: list[str], turn: list[str], goal: int) -> bool:
    """Whether one more sentence brings the turn nearer to its length."""
    words, more = len(" ".join(turn).split()), len(left[0].split())
    return words + more / 2 < goal and words + more <= MOST_WORDS


def _somebody_else(patient: FullPersona, rng: Random) -> FullPersona:
    """A shipped persona with another life than the patient's."""
    path = attributes_path("depression", Path())
    assert path is not None
    while True:
        other = draw_persona(read_attributes(path), "other", rng.getrandbits(62))
        if not set(other.automatic_thoughts) & set(patient.automatic_thoughts) and other.name != patient.name:
            return other
