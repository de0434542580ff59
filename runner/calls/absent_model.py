"""A model that is not here: its kept replies are found by what it was, and it can say nothing new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.contract.models import Draw, Reply, Request
from cbtrun.errors import ModelError


@dataclass(frozen=True)
class AbsentModel:
    """Stands for a model of an offline run whose weights are not opened, whether or not they are there."""

    name: str
    identity: Mapping[str, Any]
    """The model's own, as the journal keeps it."""
    code: str
    """Digest of the code that answered."""

    async def reply(self, request: Request) -> Reply:
        """Raises ModelError."""
        raise ModelError(not_kept(self.name, request.draw, weights=True))

    async def close(self) -> None:
        """There is nothing to give back."""


def not_kept(name: str, draw: Draw, *, weights: bool = False) -> str:
    """That a call is not in the journal of an offline run, in words. weights: whether it would take the model's weights."""
    parts = [draw.role, *([f"turn {draw.turn}"] if draw.turn else []), *([draw.item] if draw.item else [])]
    parts += [f"try {draw.attempt}"] if draw.attempt > 1 else []
    needs = "; a new reply needs the model's weights: run it where they are, without --offline" if weights else ""
    return f"model '{name}': this call is not in the journal and the run is offline ({', '.join(parts)}){needs}"
