"""One finding of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "stop"]


@dataclass(frozen=True)
class Check:
    """What was looked at and what was found."""

    state: State
    """`stop`: the study could not run to its end."""
    subject: str
    """`key of author`, `disk` ..."""
    found: str
    todo: str = ""
    """What to do about it; empty where all is well."""

    def __str__(self) -> str:
        todo = f"; {self.todo}" if self.todo else ""
        return f"{self.state:<5} {self.subject}: {self.found}{todo}"
