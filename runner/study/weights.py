"""Where the weights of a model lie: a fact of the machine, and no part of what a study says.

A file names a model on the hub by its commit. Where there is no hub, `--set models.NAME.model=FOLDER` says where the same
weights are: the study stays the one that the file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract import marks
from cbtrun.study.overrides import SET

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.overrides import Written

WHERE = ("model", "revision", "gguf_file")
"""Options of a model that loads weights, which say where they are."""


def is_folder_name(model: str) -> bool:
    """Whether a `model` is a folder, on whatever machine: a name on the hub begins otherwise, and is no folder here."""
    if model.startswith("cbtrun:"):
        return False
    try:
        return model.startswith(("/", ".", "~")) or Path(model).exists()
    except (OSError, ValueError):
        return False


def named_weights(written: Written, data: Mapping[str, Any], registry: Registry) -> dict[str, dict[str, Any]]:
    """Model -> what its file names (`model`, `revision`), where the command line says in which folder it lies."""
    found: dict[str, dict[str, Any]] = {}
    models = data.get("models")
    for name, block in models.items() if isinstance(models, dict) else ():
        if not isinstance(block, dict) or not _is_moved(written, name, block):
            continue
        using = str(block.get("using"))
        named = written.in_files.get(name)
        if (
            named is not None
            and registry.offers("models", using)
            and marks.loads_weights(registry.schema("models", using))
        ):
            found[name] = named
    return found


def _is_moved(written: Written, name: str, block: Mapping[str, Any]) -> bool:
    model = block.get("model")
    if not isinstance(model, str) or not is_folder_name(model):
        return False
    return written.document.place("models", name, "model").file.startswith(SET)


def as_named(data: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """A resolved study with its models as its file names them."""
    if not named:
        return data
    models = {
        name: {**{key: value for key, value in block.items() if key not in WHERE}, **named[name]}
        if name in named
        else block
        for name, block in data["models"].items()
    }
    return {**data, "models": models}
