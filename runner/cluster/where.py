"""Where a study is to run, as the user says it with `--on`: here, on a Ray cluster, or as a file of the user's says."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cbtrun.documents.schema import schema_problems
from cbtrun.documents.yaml_source import read_yaml
from cbtrun.errors import SpecError

ADDRESS = re.compile(r"(ray://)?[A-Za-z0-9_.\-\[\]:]+:\d{1,5}/?")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["on"],
    "additionalProperties": False,
    "description": "Where studies run: a file of the user's own, given with --on. A study never names one.",
    "properties": {
        "on": {"type": "string", "minLength": 1, "description": "`local`, `ray`, or `ray://HOST:PORT`."},
        "trusted": {
            "enum": [True, False, "yes", "no"],
            "default": False,
            "description": "Whether words of real people may go to the machines of the cluster.",
        },
        "replicas": {"type": "integer", "minimum": 1, "maximum": 4096, "description": "Most replicas of an engine."},
        "new_engines_an_hour": {
            "type": "integer",
            "minimum": 0,
            "default": 6,
            "description": "How often an hour an engine is opened in the place of a lost one, for each kind of engine.",
        },
        "deadline_seconds": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 600,
            "description": "An engine that gives no reply for so long while it is asked is lost.",
        },
        "ping_seconds": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 30,
            "description": "A process without a sign of life for so long is lost.",
        },
        "opening_seconds": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 1800,
            "description": "How long an engine may take to open, the wait for a free GPU included.",
        },
        "checkpoint_minutes": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 10,
            "description": "How often a training's checkpoint comes back to the driver.",
        },
    },
}


@dataclass(frozen=True)
class Where:
    """Where a study runs."""

    on: str = "local"
    """`local`, `ray`, or an address of a cluster."""
    trusted: bool = False
    """Whether words of real people may go to its machines."""
    replicas: int | None = None
    new_engines_an_hour: int = 6
    deadline_seconds: float = 600.0
    ping_seconds: float = 30.0
    opening_seconds: float = 1800.0
    checkpoint_minutes: float = 10.0
    file: str = field(default="", compare=False)
    """Where it was written; empty where the command line said it."""

    @property
    def is_local(self) -> bool:
        """Whether all runs in this process and on this machine, as without `--on`."""
        return self.on == "local"

    @property
    def told(self) -> dict[str, Any]:
        """For the lock file."""
        return {name: value for name, value in asdict(self).items() if name != "file" and value is not None}


def where_of(said: str) -> Where:
    """What `--on` says. Raises SpecError for what is neither a place nor a file that names one."""
    if said in ("local", "ray") or said.startswith("ray://"):
        return Where(on=_checked(said, "--on"))
    path = Path(said)
    if path.suffix not in (".yaml", ".yml"):
        raise SpecError.at(
            "--on", f"'{said}' is no place to run; known: local, ray, ray://HOST:PORT, or a YAML file of yours"
        )
    if not path.is_file():
        raise SpecError.at("--on", f"{path}: no such file")
    return _read(path)


def _read(path: Path) -> Where:
    located = read_yaml(path)
    problems = list(schema_problems(located.value, SCHEMA, located.place))
    if problems:
        raise SpecError(problems)
    known = {one.name for one in fields(Where)}
    values = {key: value for key, value in located.value.items() if key in known}
    values["trusted"] = values.get("trusted") in (True, "yes")
    return Where(**{**values, "on": _checked(values["on"], str(path)), "file": str(path)})


def _checked(on: str, said_by: str) -> str:
    if on in ("local", "ray") or (on.startswith("ray://") and ADDRESS.fullmatch(on)):
        return on.rstrip("/")
    raise SpecError.at(said_by, f"'{on}' is no place to run; known: local, ray, ray://HOST:PORT")
