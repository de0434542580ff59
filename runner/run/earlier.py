"""What the register knows of a study from before its registration, in words for the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from cbtrun.analysis.preregistration import Deviation, MadeDigests, Registration, differences

if TYPE_CHECKING:
    from cbtrun.run.register import RegisterLine

MOST_TOLD = 10
"""Differences from one earlier registration that are told one by one."""


def earlier_words(
    registration: Registration, entries: Sequence[RegisterLine], first_run: float | None
) -> tuple[str, ...]:
    """What weakens a promise that was not the first: another one before it, data that were there already.

    entries: as the register has them. first_run: of the run folder, in seconds since 1970. The same promise made anew
    counts from when it was first made.
    """
    others = [one for entry in entries if (one := _registration(entry)) is not None]
    began = min([registration.when, *(one.when for one in others if not differences(one, registration))])
    runs = [*([first_run] if first_run is not None else []), *(one.when for one in entries if one.event == "run")]
    told = []
    if runs and began > min(runs):
        began_at = datetime.fromtimestamp(min(runs), UTC).isoformat(timespec="seconds")
        told.append(f"it was registered after the first run had begun ({began_at}): data may have been seen before")
    before = {differences(one, registration): one for one in reversed(others) if one.when < began}
    for found, one in reversed(before.items()):  # the earliest of those that differ in the same
        told += _other_promise(one, found)
    return tuple(told)


def remade_words(made: MadeDigests, entries: Sequence[RegisterLine], registration: Registration) -> tuple[str, ...]:
    """Personas and corpora that are others than when they were first made under the registration."""
    now = {f"personas.{name}": digest for name, digest in made.personas.items()}
    now |= {f"corpus.{name}": digest for name, digest in made.corpus.items()}
    return tuple(
        f"{entry.of}: first made as {entry.digest} ({entry.at}), now {now[entry.of]}"
        for entry in entries
        if entry.event == "made"
        and entry.under == registration.digest
        and entry.of in now
        and now[entry.of] != entry.digest
    )


def _other_promise(earlier: Registration, found: Sequence[Deviation]) -> Iterator[str]:
    before = f"registered before, on {earlier.registered_at} ({earlier.digest[:12]}), as something else"
    for one in found[:MOST_TOLD]:
        yield f"{before}: {one.path} was {one.registered}, became {one.now}"
    if len(found) > MOST_TOLD:
        yield f"{before}: {len(found) - MOST_TOLD} more differences"


def _registration(entry: RegisterLine) -> Registration | None:
    if entry.event != "registered" or entry.registration is None:
        return None
    try:
        return Registration.model_validate(entry.registration)
    except ValidationError:
        return None  # of another version: its content cannot be compared
