"""What a mixed model is made of: every single rating, and the random terms that the design can tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cbtrun.plugin import Row, Which, wording_of

RANDOM = (
    *("persona", "rater", "wording", "seed", "patient"),
    *("persona:level", "rater:level", "wording:level", "seed:level", "session"),
)
DEFAULT = ("persona", "rater", "seed", "patient", "persona:level", "rater:level")
OF_WORDINGS = ("wording", "wording:level")
"""Added to DEFAULT where ratings were asked for in several wordings."""
ENOUGH_RATERS = 3
"""From so many raters on `rater:level` is in the model by default, and from so many wordings on `wording:level`: two leave it
a single degree of freedom."""

LEFT_OUT = "random `{}` left out: {}"
TWO_RATERS = "random `rater:level` left out: two raters cannot show how raters differ; results hold for these two"
TWO_WORDINGS = (
    "random `wording:level` left out: two wordings cannot show how wordings differ; results hold for these two"
)
CONFOUNDED = "each compared level has one of its own, which cannot be told from the level"


@dataclass(frozen=True)
class Observation:
    """One rating (or one session's value, where it has one rating) with everything that may have moved it."""

    level: str
    value: float
    terms: Mapping[str, str | None]
    """Random term -> its level here; none where the observation has no part in the term."""


def ratings_are_alike(rows: Sequence[Row]) -> bool:
    """Whether some sessions have several ratings, and none of them differ: they then tell no more than one would."""
    several = [row.ratings.values() for row in rows if len(row.ratings) > 1]
    return bool(several) and all(len(set(ratings)) == 1 for ratings in several)


def observations(level: str, rows: Sequence[Row], alike: bool = False) -> list[Observation]:
    """Every rating with a value, also of sessions without one; the session's value where single ratings are not known.

    alike: the ratings of each session are all the same, so that a session counts once.
    """
    made = []
    for row in sorted(rows, key=lambda row: row.session):
        ratings: dict[tuple[str, Which], float] = dict(row.ratings)
        if alike and ratings:
            ratings = {("", 1): next(iter(ratings.values()))}
        elif not ratings and row.value is not None:
            ratings = {("", 1): row.value}
        persona = row.persona if row.persona is not None else f"session {row.session}"
        tuning = _tuning(row, level)
        own = {
            "persona": persona,
            "session": row.session,
            "seed": tuning,
            "patient": row.levels.get("patient", ""),
            "persona:level": f"{persona} {level}",
            "seed:level": None if tuning is None else f"{tuning} {level}",
        }
        for (rater, which), value in sorted(ratings.items()):
            asked = {"rater": rater, "rater:level": f"{rater} {level}"}
            if wording := wording_of(which):
                asked |= {"wording": wording, "wording:level": f"{wording} {level}"}
            made.append(Observation(level, value, {**own, "wording": None, "wording:level": None, **asked}))
    return made


def _tuning(row: Row, level: str) -> str | None:
    """Tune job and seed. Where the study does not tell the job (imported sessions), a seed is one of its arm or level."""
    seed = row.levels.get("seed", "")
    if row.tuning is not None or not seed:
        return row.tuning
    return f"{level if row.arm is None else row.arm}@{seed}"


def random_terms(seen: Sequence[Observation], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Random terms that can be told from the levels, the residual and each other; why others are left out or added."""
    by_default = tuple(wanted) == DEFAULT
    if by_default and len(levels_of_term(seen, "wording")) > 1:
        wanted = [*wanted, *OF_WORDINGS]
    terms: list[str] = []
    notes: list[str] = []
    for term in wanted:
        why = _why_not(seen, term, by_default)
        if why is None:
            terms.append(term)
        elif why:
            notes.append(why)
    finest = len(levels_of_term(seen, "session"))
    if "persona:level" not in terms and len(levels_of_term(seen, "persona:level")) < finest:
        terms.append("persona:level")
        notes.append("random `persona:level` added: several sessions at a level")
    if "session" not in terms and finest < len(seen):
        terms.append("session")
        notes.append("random `session` added: several ratings a session")
    return _different(seen, terms), notes


def _why_not(seen: Sequence[Observation], term: str, by_default: bool) -> str | None:
    """Why a term cannot be in the model: in words, or empty where nobody needs to know; none where it can."""
    count = len(levels_of_term(seen, term))
    if count < 2:
        if term in ("persona", "session"):
            return LEFT_OUT.format(term, "only one")
        named = (
            term == "rater"
            or (term == "wording" and count == 1)
            or (term == "patient" and levels_of_term(seen, term) != {""})
        )
        return f"n = 1 {term}: results do not reach beyond it" if named else ""
    if count == len(seen):
        return LEFT_OUT.format(term, "each has one value") if term in ("persona", "session") else ""
    if all(len({one.terms[term] for one in seen if one.level == level}) == 1 for level in {one.level for one in seen}):
        return LEFT_OUT.format(term, CONFOUNDED) if term in ("rater", "wording", "seed", "patient") else ""
    if term == "rater:level" and by_default and len(levels_of_term(seen, "rater")) < ENOUGH_RATERS:
        return TWO_RATERS
    if term == "wording:level" and by_default and len(levels_of_term(seen, "wording")) < ENOUGH_RATERS:
        return TWO_WORDINGS
    return None


def _different(seen: Sequence[Observation], terms: Sequence[str]) -> list[str]:
    """Without terms that part the observations as another does: `session` stays for `persona:level`, the plain for `:level`."""
    kept: dict[tuple[tuple[int, ...], ...], str] = {}
    order = sorted(terms, key=lambda term: (term.endswith(":level"), terms.index(term)))
    for term in order:
        kept.setdefault(_parts(seen, term), term)
    return [term for term in terms if term in kept.values()]


def _parts(seen: Sequence[Observation], term: str) -> tuple[tuple[int, ...], ...]:
    """The groups of observations that a term makes."""
    groups: dict[str, list[int]] = {}
    for at, one in enumerate(seen):
        level = one.terms[term]
        if level is not None:
            groups.setdefault(level, []).append(at)
    return tuple(sorted(map(tuple, groups.values())))


def levels_of_term(seen: Sequence[Observation], term: str) -> set[str]:
    """The levels of a random term that occur."""
    return {level for level in (one.terms[term] for one in seen) if level is not None}


def crosses(seen: Sequence[Observation], term: str) -> bool:
    """Whether any level of a random term (a persona, a rater, a tuning) occurs at two of the compared levels."""
    at: dict[str, str] = {}
    return any(at.setdefault(level, one.level) != one.level for one in seen if (level := one.terms[term]) is not None)


def covered(seen: Sequence[Observation], terms: Sequence[str]) -> tuple[str, ...]:
    """What the model's interval reaches beyond: `persona`, `rater`, `wording`, `seed`, `patient`.

    A term whose levels occur at several of the compared levels (the same raters everywhere) drops out of their
    difference; how differently its levels take to them is in the interval through its `:level` term alone. Personas are
    the units, so that the residual holds theirs where they have no such term.
    """
    made = ["persona"] if {"persona", "persona:level", "session"} & {*terms} or not crosses(seen, "persona") else []
    for term in ("rater", "wording", "seed", "patient"):
        if f"{term}:level" in terms or (term in terms and not crosses(seen, term)):
            made.append(term)
    return tuple(made)
