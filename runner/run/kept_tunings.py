"""What a tuning was asked for, kept so that an offline run can tell whether what it came to still stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.run.fingerprints import models_of, said_for, stage_code
from cbtrun.run.kept_models import portable_block, same_block, written_block
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.study.graph import Stage
    from cbtrun.study.spec import Study

Said = Mapping[str, Any]


def said_of_tuning(
    stage: Stage, study: Study, registry: Registry, rubrics: Mapping[str, Rubric], outputs: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All that decides a tuning, wherever its base's weights lie; and what of its blocks was written, without defaults."""
    told = {key: value for key, value in said_for(stage, study, rubrics, outputs).items() if value is not None}
    models = models_of(stage, study)
    told["models"] = {name: portable_block(study, registry, name) for name in models}
    told["made_by"] = [__version__, stage_code(stage, study, registry)]
    written = {
        "block": study.document.value.get("tune", {}).get(stage.name, {}),
        "models": {name: written_block(study, registry, name) for name in models},
    }
    return told, written


def what_differs(kept: Said, now: Said, written: Said) -> str:
    """What of all that decides a tuning is not as it was, in a word; empty where it is the same."""
    strictly = kept.get("made_by") == now["made_by"]
    words = {"reads": "corpus or input", "files": "file", "rubrics": "rubric", "aggregates": "rating", "seed": "seed"}
    for key, word in words.items():
        if kept.get(key) != now.get(key):
            return word
    for key, word in {"block": "`tune` block", "models": "model"}.items():
        if not same_block(kept.get(key), written[key], now[key], strictly=strictly):
            return word
    return ""
