"""What a run's replies rest on, kept beside them: which model each name stood for, and what each tuning came to.

With it a run is replayed where neither the weights nor the adapters are: the key of a call names the model by what it was,
and that is written here in plain figures. No weight and no word of a corpus is in it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.contract.digests import canonical
from cbtrun.journal.columns import LAST_MOMENT, cast_of
from cbtrun.journal.tables import has_table

MOST_BYTES = 2**16
"""Of a block or an identity as JSON: those of studies take some hundred."""
DEEPEST = 20
MODEL_COLUMNS = ("name", "block", "identity", "code", "plugin", "version", "at")
OUTCOME_COLUMNS = ("stage", "said", "output", "units")
SIZE_COLUMNS = ("prompt", "tokens")


@dataclass(frozen=True)
class KeptModel:
    """What answered under a name of the study."""

    name: str
    """As stages use it: a model, or `job@seed`."""
    block: Mapping[str, Any]
    """What the study said of it, without where its weights lay: see run/kept_models.py."""
    identity: Mapping[str, Any]
    """The model's own, which the keys of its calls are made of."""
    code: str
    """Digest of the code that answered, which is in the keys too; empty where it was not ours."""
    plugin: str
    """Digest of its plugin's code then."""
    version: str
    """Version of cbtrun."""
    at: float = 0.0
    """When it first answered, in seconds since 1970."""

    def row(self) -> tuple[str, str, str, str, str, str, float]:
        """In the order of the table's columns."""
        return (
            *(self.name, canonical(self.block), canonical(self.identity)),
            *(self.code, self.plugin, self.version, self.at),
        )


@dataclass(frozen=True)
class KeptOutcome:
    """What a stage came to that leaves more than records behind: a tuning."""

    stage: str
    said: Mapping[str, Any]
    """All that decided it, without where weights lay: see run/fingerprints.py."""
    output: str
    """SHA-256 of its records."""
    units: int

    def row(self) -> tuple[str, str, str, int]:
        """In the order of the table's columns."""
        return self.stage, canonical(self.said), self.output, self.units


@dataclass(frozen=True)
class KeptSize:
    """How long a prompt was that a model counted: where a session outgrew its limit, that decided what was asked."""

    prompt: str
    """Digest of the model's identity and the messages."""
    tokens: int

    def row(self) -> tuple[str, int]:
        """In the order of the table's columns."""
        return self.prompt, self.tokens


def sizes_in(connection: sqlite3.Connection) -> list[KeptSize]:
    """The counted prompts of a journal of any format."""
    if not has_table(connection, "sizes"):
        return []
    rows = connection.execute(f"SELECT {', '.join(map(cast_of, SIZE_COLUMNS))} FROM sizes ORDER BY prompt")
    return [KeptSize(*row) for row in rows]


def models_in(connection: sqlite3.Connection) -> list[KeptModel]:
    """The models of a journal of any format, in the order in which they answered. What is no mapping is left out."""
    if not has_table(connection, "models"):
        return []
    rows = connection.execute(
        f"SELECT {', '.join(map(cast_of, MODEL_COLUMNS))} FROM models ORDER BY at, name, block, identity, code"
    )
    found = []
    for name, block, identity, code, plugin, version, at in rows:
        told, known = plain_mapping(block), plain_mapping(identity)
        if told is not None and known is not None:
            found.append(KeptModel(name, told, known, code, plugin, version, min(max(at, 0.0), LAST_MOMENT)))
    return found


def outcomes_in(connection: sqlite3.Connection) -> list[KeptOutcome]:
    """The outcomes of a journal of any format, by stage. What is no mapping is left out."""
    if not has_table(connection, "outcomes"):
        return []
    rows = connection.execute(f"SELECT {', '.join(map(cast_of, OUTCOME_COLUMNS))} FROM outcomes ORDER BY stage")
    told = [(stage, plain_mapping(said), output, units) for stage, said, output, units in rows]
    return [KeptOutcome(stage, said, output, units) for stage, said, output, units in told if said is not None]


def plain_mapping(text: str) -> dict[str, Any] | None:
    """A mapping of plain values that a text holds as JSON; none for anything else, or for one too long or too deep."""
    if len(text) > MOST_BYTES:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and is_shallow(value) else None


def is_shallow(value: Any, depth: int = DEEPEST) -> bool:
    """Whether a value of JSON is nested no deeper than blocks of a study are."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(is_shallow(child, depth - 1) for child in children)
