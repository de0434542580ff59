"""What a tuning was asked for, kept so that an offline run can tell whether what it came to still stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.errors import StageError
from cbtrun.run.fingerprints import models_of, said_for, stage_code
from cbtrun.run.kept_models import portable_block, same_block, written_block
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.journal.recorded import KeptOutcome
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


def refuse_another(kept: KeptOutcome, now: Said, written: Said) -> None:
    """Raises StageError, which ends an offline run, where a tuning was asked for something else than the study asks now."""
    if other := _what_differs(kept.said, now, written):
        raise StageError(
            f"{kept.stage}: what the journal keeps of it was made from another {other}, and an offline run trains nothing: "
            "bring back what the study said, or run it without --offline where the weights are"
        )


def _what_differs(kept: Said, now: Said, written: Said) -> str:
    """What of all that decides a tuning is not as it was, in a word; empty where it is the same."""
    strictly = kept.get("made_by") == now["made_by"]
    for key, word in {"reads": "corpus", "files": "file", "rubrics": "rubric", "seed": "seed"}.items():
        if kept.get(key) != now.get(key):
            return word
    for key, word in {"block": "`tune` block", "models": "base model's block"}.items():
        if not same_block(kept.get(key), written[key], now[key], strictly=strictly):
            return word
    return ""
