"""Who answered: the model's name and fingerprint that replies state, and whether they changed while a study ran.

A name such as `gpt-4o` is an alias: a vendor may put another model behind it on any day, and only the replies tell.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

from cbtrun.journal.columns import LAST_MOMENT, cast_of
from cbtrun.journal.tables import columns_there

MOST_TOLD = 6
"""Names or fingerprints of one model that a sentence lists."""

LONGEST_NAME = 80
"""Characters of a name that a sentence shows."""


@dataclass(frozen=True)
class Served:
    """Replies of one model of the study that state the same and are counted for the same arm."""

    model: str
    """Its name in the study."""
    asked: str
    """Digest of what was asked for; empty where an earlier version noted none."""
    name: str
    """The model that answered, in the server's words."""
    fingerprint: str
    arm: str
    replies: int
    first: float
    """When the first of them came, in seconds since 1970; 0 where nobody noted it."""
    last: float


@dataclass(frozen=True)
class Drift:
    """A model that changed while the study ran."""

    model: str
    what: str
    """`model` where the name changed, `fingerprint` where that alone did."""
    answered: tuple[Served, ...]
    """By name and fingerprint, in the order in which they came; `arm` says nothing."""
    by_arm: tuple[tuple[str, tuple[int, ...]], ...]
    """Arm -> replies by each of `answered`."""

    @property
    def sentence(self) -> str:
        """What happened, for the terminal and the report: from what to what, when, and how many replies of each arm."""
        told = [_one(each, self.what) for each in self.answered[:MOST_TOLD]]
        if more := len(self.answered) - MOST_TOLD:
            told += [f"{more} more"] if more > 0 else []
        arms = "; ".join(f"{arm or 'no arm'} {', '.join(f'{n:,}' for n in counts)}" for arm, counts in self.by_arm)
        changed = "changed" if self.what == "model" else "had another fingerprint"
        return f"the model behind `{self.model}` {changed} while the study ran: {', then '.join(told)}. Replies by arm, in that order: {arms}"


def served_in(connection: sqlite3.Connection) -> list[Served]:
    """Who answered, in a journal of any format; sorted. Replies that state neither name nor fingerprint are left out."""
    columns = ", ".join(columns_there(connection, ("model", "asked", "served", "fingerprint", "arm", "at")))
    whose = ", ".join(map(cast_of, ("model", "asked", "served", "fingerprint", "arm")))
    at = f"min(max({cast_of('at')}, 0), {LAST_MOMENT})"
    query = f"""SELECT {whose}, count(*), coalesce(min(nullif({at}, 0)), 0), max({at})
                FROM (SELECT {columns} FROM calls) WHERE served <> '' OR fingerprint <> ''
                GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"""
    return [Served(*row) for row in connection.execute(query)]


def drifts(served: Iterable[Served]) -> list[Drift]:
    """The models that changed while they were asked for the same, by name."""
    return [found for group in _asked_alike(served) if (found := _drift(group)) is not None]


def _asked_alike(served: Iterable[Served]) -> Iterator[list[Served]]:
    """Replies of one model that were asked for by the same block. Where an earlier version did not note which, they count
    as asked for by the one block that is known.
    """
    for _, group in groupby(sorted(served, key=lambda one: one.model), key=lambda one: one.model):
        replies = list(group)
        known = sorted({one.asked for one in replies if one.asked})
        if len(known) == 1:
            replies = [replace(one, asked=known[0]) for one in replies]
        for asked in sorted({one.asked for one in replies}):
            yield [one for one in replies if one.asked == asked]


def _drift(replies: Sequence[Served]) -> Drift | None:
    """What changed among replies; none where all that state a name state the same, and the fingerprints too."""
    names = {one.name for one in replies if one.name}
    prints = {one.fingerprint for one in replies if one.fingerprint}
    if len(names) < 2 and len(prints) < 2:
        return None
    ways = sorted({(one.name, one.fingerprint) for one in replies})
    sums = {way: [one for one in replies if (one.name, one.fingerprint) == way] for way in ways}
    answered = sorted((_together(group) for group in sums.values()), key=lambda one: (one.first, one.last))
    arms = sorted({one.arm for one in replies})
    counts = tuple(
        (
            arm,
            tuple(sum(one.replies for one in sums[each.name, each.fingerprint] if one.arm == arm) for each in answered),
        )
        for arm in arms
    )
    return Drift(replies[0].model, "model" if len(names) > 1 else "fingerprint", tuple(answered), counts)


def _together(group: Sequence[Served]) -> Served:
    first = min((one.first for one in group if one.first), default=0.0)
    return replace(
        group[0], arm="", replies=sum(one.replies for one in group), first=first, last=max(one.last for one in group)
    )


def _one(each: Served, what: str) -> str:
    named, fingerprint = _shown(each.name) or "(no name)", _shown(each.fingerprint)
    if fingerprint:
        named = f"{named} ({fingerprint})" if what == "model" else fingerprint
    elif what == "fingerprint":
        named = "(no fingerprint)"
    replies = "reply" if each.replies == 1 else "replies"
    return f"{named} {each.replies:,} {replies}{_when(each)}"


def _shown(text: str) -> str:
    """A server's words as part of one line, also where an import brought them: nothing that draws on a terminal."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]} ..."


def _when(each: Served) -> str:
    if not each.last:
        return ""
    first, last = (
        datetime.fromtimestamp(one, UTC).strftime("%Y-%m-%d %H:%M") for one in (each.first or each.last, each.last)
    )
    until = "" if first == last else f" to {last}"
    return f" ({first}{until} UTC)"
