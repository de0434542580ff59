"""A session to train on: its words, and the scores that raters agreed on with their reasons, from a YAML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.documents.plain_yaml import read_plain_yaml
from cbtrun.errors import Place, Problem, SpecError
from cbtrun.people.human_ratings import ScoreError, item_score

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric

SHIPPED = ("ctrs",)
"""Rubrics that a training session is shipped for."""
SPEAKERS = ("therapist", "patient")
MOST_TURNS, LONGEST_TURN = 400, 20_000


@dataclass(frozen=True)
class Agreed:
    """The score of one item that was agreed on."""

    score: str
    why: str


@dataclass(frozen=True)
class Training:
    """A training session."""

    turns: tuple[tuple[str, str], ...]
    agreed: Mapping[str, Agreed]
    """Item -> score and reason."""
    about: str
    """Where the session and the scores come from."""


def shipped_training(rubric: Rubric) -> Training | None:
    """The invented session that comes with cbtrun for this rubric, if there is one."""
    if rubric.name not in SHIPPED:
        return None
    with as_file(files("cbtrun.humans.training_sessions").joinpath(f"{rubric.name}.yaml")) as path:
        return read_training(path, rubric)


def read_training(path: Path, rubric: Rubric) -> Training:
    """The training session of a file: `about`, `turns` (`{therapist: ...}`) and `scores` (item -> `{score, why}`).

    Raises SpecError with all that is wrong with it.
    """
    told = read_plain_yaml(path)
    problems = [Problem(Place(str(path)), "", what) for what in _faults(told, rubric)]
    if problems:
        raise SpecError(problems)
    turns = tuple((who, str(said)) for turn in told["turns"] for who, said in turn.items())
    agreed = {item: Agreed(str(one["score"]), str(one.get("why", ""))) for item, one in told["scores"].items()}
    return Training(turns, agreed, str(told.get("about", "")))


def _faults(told: Mapping[str, Any], rubric: Rubric) -> Iterator[str]:
    if unknown := [key for key in told if key not in ("about", "turns", "scores")]:
        yield f"unknown key '{unknown[0]}'; a training session has about, turns and scores"
    turns, scores = told.get("turns"), told.get("scores")
    if not isinstance(turns, list) or not 0 < len(turns) <= MOST_TURNS:
        yield f"turns: expected a list of 1 to {MOST_TURNS} turns"
    else:
        yield from (
            f"turns: turn {at} {fault}" for at, turn in enumerate(turns, start=1) if (fault := _turn_fault(turn))
        )
    if not isinstance(scores, Mapping) or not scores:
        yield "scores: expected the agreed score of each item"
        return
    items = {item.id: item for item in rubric.items}
    for name, one in scores.items():
        if name not in items:
            yield f"scores: {rubric.name} has no item '{name}'; it has {', '.join(items)}"
        elif not isinstance(one, Mapping) or "score" not in one or not {*one} <= {"score", "why"}:
            yield f"scores: {name}: expected `score` and, if you like, `why`"
        else:
            try:
                item_score(items[name], str(one["score"]))
            except ScoreError as error:
                yield f"scores: {name}: {error}"


def _turn_fault(turn: object) -> str:
    if not isinstance(turn, Mapping) or len(turn) != 1 or next(iter(turn)) not in SPEAKERS:
        return "is not `therapist:` or `patient:` with what is said"
    said = next(iter(turn.values()))
    return (
        ""
        if isinstance(said, str) and 0 < len(said) <= LONGEST_TURN
        else f"needs a text of {LONGEST_TURN} characters at most"
    )
