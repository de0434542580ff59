"""Which sessions people rate: drawn at random by a design whose chances are known, and written into the key.

Whoever corrects a judge by people must know with which chance each session was drawn: within a stratum every unit (a session,
or a persona with a session of every arm) has the same, so many of so many.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cbtrun.contract.records import Session
from cbtrun.errors import StageError


@dataclass(frozen=True)
class Design:
    """How a sheet is drawn."""

    kind: str = "sessions"
    """`sessions`, `pairs` or `all`."""
    by: tuple[str, ...] = ()
    """What to be even over."""
    arms: tuple[str, ...] = ()
    """The arms (or levels of the first factor) to draw from; empty for all."""


@dataclass(frozen=True)
class Unit:
    """What is drawn as one: a session, or a persona's sessions of every arm."""

    name: str
    stratum: str
    sessions: tuple[Session, ...]
    share: Fraction
    """Chance of each of its sessions once the unit is drawn: one of so many repeats."""


def generator(secret: str, what: str) -> random.Random:
    """Random numbers that follow from a sheet's secret alone."""
    return random.Random(hashlib.sha256(f"{secret} {what}".encode()).digest())


def units_of(sessions: Sequence[Session], design: Design, secret: str) -> list[Unit]:
    """All units that a design draws from, by name. Raises StageError where the sessions do not fit it."""
    kept = _of_arms(sessions, design.arms)
    names = design.by or (() if design.kind in ("pairs", "all") else usual_strata(sessions))
    known = {"arm", *(name for session in sessions for name in (*session.factors, *session.labels))}
    if unknown := [name for name in names if name not in known]:
        raise StageError(f"--by {unknown[0]}: no session has it; known: {', '.join(sorted(known))}")
    if design.kind == "pairs":
        return _pairs(kept, names, secret)
    return [Unit(one.id, stratum(one, names), (one,), Fraction(1)) for one in sorted(kept, key=lambda one: one.id)]


def usual_strata(sessions: Sequence[Session]) -> tuple[str, ...]:
    """Arms where there are any, else the first factor."""
    if any(session.arm for session in sessions):
        return ("arm",)
    return tuple(sorted({name for session in sessions for name in session.factors})[:1])


def stratum(session: Session, names: Sequence[str]) -> str:
    """`arm cbt, kind fine`; `all` without names."""
    levels = {**session.labels, **session.factors, "arm": session.arm or ""}
    return ", ".join(f"{name} {levels.get(name, '')}".strip() for name in names) or "all"


def side_of(session: Session, names: Sequence[str]) -> str:
    """The arm of a session, or its level of the first factor: what a pair is across."""
    return stratum(session, names)


def drawn_units(units: Sequence[Unit], count: int, kept: Sequence[str], secret: str) -> list[Unit]:
    """So many units in turn from each stratum, behind those that were drawn before, in random order."""
    chance = generator(secret, f"draw behind {len(kept)}")
    strata: dict[str, list[Unit]] = {}
    for unit in units:
        if unit.name not in kept:
            strata.setdefault(unit.stratum, []).append(unit)
    for name in sorted(strata):
        chance.shuffle(strata[name])
    chosen: list[Unit] = []
    depth, wanted = 0, min(count, len(units)) - len(kept)
    while len(chosen) < wanted:
        here = [strata[name][depth] for name in sorted(strata) if depth < len(strata[name])]
        chance.shuffle(here)
        chosen += here[: wanted - len(chosen)]
        depth += 1
    chance.shuffle(chosen)
    return chosen


def chances(units: Sequence[Unit], drawn: Collection[str]) -> dict[str, tuple[Fraction, int]]:
    """Stratum -> the chance of each of its units, and how many they are. drawn: names of the units on the sheet."""
    sizes: dict[str, int] = {}
    taken: dict[str, int] = {}
    for unit in units:
        sizes[unit.stratum] = sizes.get(unit.stratum, 0) + 1
        taken[unit.stratum] = taken.get(unit.stratum, 0) + (unit.name in drawn)
    return {name: (Fraction(taken[name], size), size) for name, size in sizes.items()}


def _of_arms(sessions: Sequence[Session], arms: Sequence[str]) -> list[Session]:
    if not arms:
        return list(sessions)
    names = usual_strata(sessions)
    known = {side_of(one, names).partition(" ")[2] for one in sessions}
    if unknown := [arm for arm in arms if arm not in known]:
        raise StageError(f"--arm {unknown[0]}: no session has it; known: {', '.join(sorted(known))}")
    return [one for one in sessions if side_of(one, names).partition(" ")[2] in arms]


def _pairs(sessions: Sequence[Session], names: Sequence[str], secret: str) -> list[Unit]:
    """Personas that have a session of every arm, with one of its repeats at each."""
    sides = usual_strata(sessions)
    wanted = {side_of(one, sides) for one in sessions}
    if len(wanted) < 2:
        raise StageError("--design pairs: the sessions have one arm; pairs are of one persona under two or more")
    of_persona: dict[str, dict[str, list[Session]]] = {}
    for session in sorted(sessions, key=lambda one: one.id):
        if session.persona is not None:
            of_persona.setdefault(session.persona, {}).setdefault(side_of(session, sides), []).append(session)
    whole = {name: there for name, there in of_persona.items() if {*there} == wanted}
    if not whole:
        raise StageError(
            "--design pairs: no persona has sessions of every arm; --design sessions draws them one by one"
        )
    return [_pair(name, whole[name], names, secret) for name in sorted(whole)]


def _pair(name: str, there: Mapping[str, Sequence[Session]], names: Sequence[str], secret: str) -> Unit:
    chance = generator(secret, f"repeat of {name}")
    strata = {stratum(session, names) for repeats in there.values() for session in repeats}
    if len(strata) > 1:
        what = ", ".join(names)
        raise StageError(f"--by {what}: the sessions of '{name}' differ in it, so a pair would stand in two strata")
    repeats = max(len(found) for found in there.values())
    chosen = tuple(found[chance.randrange(len(found))] for _, found in sorted(there.items()))
    return Unit(name, strata.pop(), chosen, Fraction(1, repeats))
