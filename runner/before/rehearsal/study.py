"""A study as it is rehearsed: every model that costs money or a GPU has a stand-in of its kind, every count is small.

What a plugin's schema says decides, so that a plugin of anybody's can be rehearsed: `x-remote` models are asked at a
mock server on this machine through their own plugin and protocol; `x-weights` models become `cbtrun:tiny` in the
architecture of their family; all others run as they are. Counts follow `x-rehearsal` (see scaling).
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from cbtrun.before.rehearsal.scaling import Change, scale
from cbtrun.contract.marks import is_remote, loads_weights
from cbtrun.contract.models import ModelContext
from cbtrun.contract.stage_kinds import block_path
from cbtrun.contract.study_blocks import addresses_of
from cbtrun.documents.schema import with_defaults
from cbtrun.documents.yaml_source import Located
from cbtrun.errors import Place, PluginError
from cbtrun.study.checks import blocks, check_study
from cbtrun.study.overrides import Written, find_path
from cbtrun.study.spec import node_of
from cbtrun.study.study_schema import block_schema

if TYPE_CHECKING:
    from cbtrun.contract.stand_in import StandIn
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

URL = "CBTRUN_REHEARSAL_URL"
"""Variable that stands for the mock server's address: the same in every run, so that journals fit."""
STAMP = "REHEARSAL"
SUFFIX = "-rehearsal"


def rehearsed(study: Study, registry: Registry) -> Study:
    """The study to rehearse, checked like any other. Its `rehearsal` block says what stands in for what."""
    data = copy.deepcopy(dict(study.data))
    data["study"] = f"{study.name}{SUFFIX}"
    data["title"] = f"{STAMP}: {study.title}"
    models = {name: words for name, block in data["models"].items() if (words := _stand_in(block, registry))}
    counts = {"/".join(map(str, one.path)): str(one) for one in _scaled(data, registry)}
    data["rehearsal"] = {"models": models, "counts": counts}
    for block in ("assumptions", "instead_of"):
        data[block] = {path: why for path, why in data[block].items() if _is_there(data, path)}
    place = Place(str(study.path))
    return check_study(Written(Located(node_of(data, place), place.file), study.path, study.sources), registry)


def _stand_in(block: dict[str, Any], registry: Registry) -> str:
    """Put a stand-in into a model's block. Returns what was done, in words; empty for a model that runs as it is.

    Raises PluginError for a remote model that would be asked in earnest.
    """
    schema = registry.schema("models", block["using"])
    if is_remote(schema):
        if "base_url" not in block:
            raise PluginError(
                f"nothing can stand in for models of '{block['using']}' in a rehearsal: its models are remote (`x-remote`) "
                "and have no option `base_url` that could lead them to the mock server"
            )
        block["base_url"] = f"${{{URL}}}{_path(addresses_of(block)[0])}"
        for limit in ("requests_per_minute", "tokens_per_minute"):
            (block.get("limits") or {}).pop(limit, None)
        return f"{block.get('model', 'the model')}: embedded models behind a mock server, asked by `{block['using']}`"
    if loads_weights(schema) and not str(block["model"]).startswith("cbtrun:"):
        words = _weights(block, registry)
        block.update(with_defaults(block, block_schema("models", registry.schema("models", block["using"]))))
        return words
    return ""


def _weights(block: dict[str, Any], registry: Registry) -> str:
    model, before = block["model"], block["using"]
    stand_in: StandIn = registry.ask("rehearsal_model", context=ModelContext("", dict(block)))
    block.clear()
    block.update(stand_in.options)
    by = "" if before == block["using"] else f", by `{block['using']}` instead of `{before}`"
    return f"{model}: {stand_in.words}{by}"


def _path(address: str) -> str:
    """The path of an address, without host or variables: a server is asked below it."""
    return re.sub(r"^(\w+://[^/]*|\$\{[^}]*\}(:\$\{[^}]*\})?)", "", address).rstrip("/")


def _scaled(data: dict[str, Any], registry: Registry) -> list[Change]:
    found = []
    for stage, name, block in blocks(data):
        schema = block_schema(stage, registry.schema(stage, block["using"]))
        above = block_path(stage, name)
        found += [Change((*above, *one.path), one.before, one.after) for one in scale(block, schema)]
    return found


def _is_there(data: dict[str, Any], path: str) -> bool:
    try:
        find_path(data, path)
    except KeyError:
        return False
    return True
