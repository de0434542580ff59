"""Pairs for "which of the two is better?": one persona's sessions under two arms, drawn at random, which side is left too."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from cbtrun.contract.records import Session
from cbtrun.errors import SpecError, StageError
from cbtrun.files.csv_cells import bare_cell, csv_text
from cbtrun.files.run_folder import write_atomically
from cbtrun.people.draws import generator

PAIRS_KEY = "preference-key.csv"
COLUMNS = ("code", "session_a", "session_b", "arm_a", "arm_b")


class Pair(NamedTuple):
    """Two sessions of one persona; which is `a` was drawn."""

    code: str
    a: Session
    b: Session


def draw_pairs(
    sessions: Sequence[Session], count: int, secret: str, earlier: Sequence[tuple[str, str, str]]
) -> tuple[Pair, ...]:
    """Pairs from a secret, in random order, even over personas as far as they go; those of an earlier key come first.

    earlier: (code, session a, session b). Raises StageError where no persona speaks under two arms, or one is gone.
    """
    there = {session.id: session for session in sessions}
    if gone := [one for _, *both in earlier for one in both if one not in there]:
        raise StageError(f"{PAIRS_KEY}: the run has no session '{gone[0]}' any more; --new draws another sheet")
    kept = [Pair(code, there[a], there[b]) for code, a, b in earlier]
    if count <= len(kept):
        return tuple(kept)
    known = {frozenset((pair.a.id, pair.b.id)) for pair in kept}
    drawn = [pair for pair in _in_turn(_couples(sessions), secret) if frozenset(one.id for one in pair) not in known]
    if not drawn and not kept:
        raise StageError(
            "--preferences: no persona has sessions of two arms (or two levels of the first factor) to compare"
        )
    width = max(2, len(str(count)))
    fresh = drawn[: count - len(kept)]
    return (*kept, *(Pair(f"P{at:0{width}}", *both) for at, both in enumerate(fresh, start=len(kept) + 1)))


def arm_of(session: Session) -> str:
    """The arm, or the first factor's level of a session without one."""
    return session.arm or next((session.factors[name] for name in sorted(session.factors)), "")


def _couples(sessions: Sequence[Session]) -> Mapping[str, list[tuple[Session, Session]]]:
    """Persona -> every two of its sessions that differ in the arm alone."""
    by_place: dict[tuple[str, int, int], list[Session]] = {}
    for session in sorted(sessions, key=lambda one: one.id):
        if session.persona and session.turns:
            by_place.setdefault((session.persona, session.repeat, session.number), []).append(session)
    couples: dict[str, list[tuple[Session, Session]]] = {}
    for (persona, _, _), here in by_place.items():
        couples.setdefault(persona, []).extend(
            both for both in combinations(here, 2) if arm_of(both[0]) != arm_of(both[1])
        )
    return couples


def _in_turn(couples: Mapping[str, list[tuple[Session, Session]]], secret: str) -> list[tuple[Session, Session]]:
    """One couple of each persona after the other, each in an order of its own."""
    by_chance = generator(secret, "preference pairs")
    mixed = [list(couples[persona]) for persona in sorted(couples) if couples[persona]]
    for couple in mixed:
        by_chance.shuffle(couple)
    by_chance.shuffle(mixed)
    longest = max((len(couple) for couple in mixed), default=0)
    drawn = [couple[depth] for depth in range(longest) for couple in mixed if depth < len(couple)]
    return [(a, b) if by_chance.random() < 0.5 else (b, a) for a, b in drawn]


def read_pairs(run_folder: Path) -> list[tuple[str, str, str]]:
    """Code, session a and session b of the key of pairs; none where there is no such file. Raises SpecError for no key."""
    path = run_folder / PAIRS_KEY
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        return [(row["code"], bare_cell(row["session_a"]), bare_cell(row["session_b"])) for row in rows]
    except (UnicodeDecodeError, csv.Error, KeyError, TypeError) as error:
        raise SpecError.at(path, f"not the key of preference pairs ({error})") from None


def write_pairs(run_folder: Path, pairs: Sequence[Pair]) -> None:
    """Write the key of pairs beside the key of the sheet."""
    rows = [(one.code, one.a.id, one.b.id, arm_of(one.a), arm_of(one.b)) for one in pairs]
    write_atomically(run_folder / PAIRS_KEY, csv_text(COLUMNS, rows))
