"""What an offline run took from its journal instead of opening it: told in the terminal and kept in the lock file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from cbtrun.files.run_folder import RunFolder, write_atomically
from cbtrun.run.study_lock import lock_of
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.journal.recorded import KeptModel
    from cbtrun.run.options import Outcome

SHOWN = 12
"""Digits of a digest that are shown."""
REPLAYED = "replayed"
"""Key of the lock file."""


def told_of_replay(outcome: Outcome) -> list[str]:
    """A line for the tunings that were not done, and one for the models that were not opened, by their weights."""
    lines = []
    if outcome.untrained:
        found = sum(map(len, outcome.untrained.values()))
        names = ", ".join(outcome.untrained)
        lines.append(
            f"{names} as the journal has them: {found} adapter{'s' * (found != 1)}, not trained and not opened here"
        )
    groups: dict[str, list[str]] = {}
    for model in {name: one for used in outcome.unopened.values() for name, one in used.items()}.values():
        groups.setdefault(_weights(model), []).append(model.name)
    return [*lines, *(f"{', '.join(names)} not opened: {words}" for words, names in groups.items())]


def _weights(model: KeptModel) -> str:
    """Whose replies they are, as far as it is known, and what nobody has looked at."""
    made = f"; by other code (cbtrun {model.version})" if model.version != __version__ else ""
    named = model.block.get("named")
    known = named if isinstance(named, Mapping) else {}
    name = str(known.get("model", "")) + (f" at {str(known['revision'])[:SHOWN]}" if known.get("revision") else "")
    if "folder" not in model.block:
        return f"its code or its options then gave these replies, not those of now{made}"
    weights = str(model.identity.get("weights") or "unknown")[:SHOWN]
    if not model.block["folder"]:
        return f"the replies are those of {name}{made}"
    stands = f" in place of {name}; whether they are the same nobody has looked" if name else ""
    return f"the replies are those of weights {weights} in a folder of the machine that made them{stands}{made}"


def note_in_lock(folder: RunFolder, outcome: Outcome, before: Mapping[str, Any]) -> None:
    """Write into the lock file what was replayed. before: what the lock said of it; it stays for stages left as they were."""
    kept = {stage: told for stage, told in before.items() if stage not in outcome.done}
    new = {
        **{stage: {"adapters": list(digests)} for stage, digests in outcome.untrained.items()},
        **{stage: _models(used.values()) for stage, used in outcome.unopened.items()},
    }
    if found := {**kept, **new}:
        content = {**lock_of(folder), REPLAYED: found}
        write_atomically(folder.lock_file, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _models(used: Iterable[KeptModel]) -> dict[str, Any]:
    """Name -> what answered, for the lock file."""
    return {
        one.name: {
            "weights": one.identity.get("weights"),
            "adapter": one.block.get("adapter"),
            "named": one.block.get("named"),
            "from_a_folder": one.block.get("folder"),
            "cbtrun": one.version,
        }
        for one in used
    }
