"""Whether a patient does the homework."""

from __future__ import annotations

from random import Random


def homework_outcome(style: str, rng: Random) -> str:
    """Whether a patient of this engagement style has done the homework: hw_done, hw_partly or hw_not."""
    done = {"compliant": 0.75, "open": 0.6, "overtalkative": 0.4, "guarded": 0.45, "sceptical": 0.35}.get(style, 0.25)
    draw = rng.random()
    if draw < done:
        return "hw_done"
    return "hw_partly" if draw < done + (1 - done) * 0.5 else "hw_not"
