"""What a training gets of the sessions of a step: a row each, with the record of what it earned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbtrun.plugin import HeldStep, Rollout, SessionRow

if TYPE_CHECKING:
    from cbtrun.plugins.tuning.held_sessions import Held

RUN = 4
"""Words of a run that the therapist may have said before."""


def held_step(held: Sequence[Held], step: int, pad: int) -> HeldStep:
    """What a training gets of a step's sessions. pad: a token for the row of a session that cannot be learnt from."""
    return HeldStep(tuple(_row(one, step, pad) for one in held))


def _row(held: Held, step: int, pad: int) -> SessionRow:
    tokens = held.tokens
    rollout = rollout_of(held, step)
    if tokens is None:
        return SessionRow((pad,), (pad,), (0,), rollout)
    spoken = tuple(int(one) for one in tokens.spoken[tokens.start :])
    return SessionRow(tokens.ids[: tokens.start], tokens.ids[tokens.start :], spoken, rollout)


def rollout_of(held: Held, step: int) -> Rollout:
    """The record of a session."""
    place, session, tokens = held.place, held.session, held.tokens
    turns = session.turns if session is not None else ()
    return Rollout(
        session=f"{step}/{place.persona.id}/{place.draw}",
        persona=place.persona.id,
        group=f"{step}/{place.group + 1}",
        draw=place.draw,
        reward=held.earned.reward if tokens is not None else None,
        veto=held.earned.veto,
        rewarded=held.earned.rewarded,
        witness=dict(held.earned.witness),
        turns=len(turns),
        tokens=sum(tokens.spoken) if tokens is not None else 0,
        repetition=repetition([turn.text for turn in turns if turn.speaker == "therapist"]),
    )


def repetition(turns: Sequence[str]) -> float | None:
    """Share of the runs of four words that had been said before, 0 to 1; none where there is no such run."""
    seen: set[tuple[str, ...]] = set()
    again = count = 0
    for turn in turns:
        words = turn.lower().split()
        for place in range(len(words) - RUN + 1):
            run = tuple(words[place : place + RUN])
            again += run in seen
            count += 1
            seen.add(run)
    return again / count if count else None
