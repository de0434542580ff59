"""Which calls of a study are bought in batches: those of stages without turns, where the study or the model's block says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cbtrun.contract.batches import HasBatches
from cbtrun.contract.stage_kinds import STAGES
from cbtrun.contract.study_blocks import addresses_of
from cbtrun.run.fingerprints import models_of

if TYPE_CHECKING:
    from cbtrun.contract.models import Model
    from cbtrun.study.graph import Stage
    from cbtrun.study.spec import Study

MOST_AT_ONCE = 20_000
"""Units of a stage under way at once where their calls gather for batches: each takes some 30 KiB."""


def by_batch(study: Study, stage: Stage, name: str, model: Model) -> bool:
    """Whether a model's calls in a stage are to be handed in by batches."""
    if not isinstance(model, HasBatches) or STAGES[stage.block].turns:
        return False
    block = study.block("models", study.base_of(name))
    wanted = wanted_of(block)
    if wanted is not None:
        return wanted
    service, address = model.batch_service(), next(iter(addresses_of(block)), "")
    return study.limits.get("batch") is True and urlsplit(address).hostname == service.own_host


def wanted_of(block: Mapping[str, Any]) -> bool | None:
    """What a model's own block says; none leaves it to the study."""
    found = (block.get("limits") or {}).get("batch")
    return found if isinstance(found, bool) else None


def units_at_once(study: Study, stage: Stage, concurrency: int) -> int:
    """Units of a stage under way at once: as many as the command line says, or as a batch is to hold."""
    wanted = [wanted_of(study.block("models", name)) for name in models_of(stage, study)]
    batched = any(one or (one is None and study.limits.get("batch") is True) for one in wanted)
    return max(concurrency, MOST_AT_ONCE) if batched and not STAGES[stage.block].turns else concurrency
