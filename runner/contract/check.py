"""What the doctor finds, and what it asks a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class ServerContext:
    """A model behind a server, for the plugin that says how to ask whether the server has it."""

    url: str
    """The address in the study, without a slash at its end."""
    model: str
    key: str = field(repr=False)
    """Empty where the study names none. It has passed the key ring: it may go to this host."""


@dataclass(frozen=True)
class ServerQuestion:
    """A GET that costs nothing: a server's list of models, or what it says of one."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
