"""`grpo`: tuning by reinforcement. The policy talks with patients, raters rate the sessions, and it learns from what it earned.

Group-relative policy optimisation (Shao et al. 2024, arXiv:2402.03300) by TRL: sessions of one group have the same patient and
are held against each other. What else watches, and what ends a training, stands in grpo_stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.plugin import hookimpl
from cbtrun.plugins.tuning import sft
from cbtrun.plugins.tuning.grpo_options import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from cbtrun.plugin import (
        Adapter,
        BlockContext,
        Check,
        ExportContext,
        Json,
        Plan,
        PlanContext,
        Problem,
        StageContext,
    )


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `tune`."""
    return SCHEMA if stage == "tune" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """A start that is no local model, patients of the evaluation, ratings that no rubric gives, a template that cannot be trained on."""
    if context.stage != "tune":
        return []
    from cbtrun.plugins.tuning.grpo_checks import grpo_problems

    return grpo_problems(context)


@hookimpl
def check_before_run(context: BlockContext) -> list[Problem]:
    """As `sft`, of the model that it starts from."""
    if context.stage != "tune":
        return []
    from cbtrun.plugins.tuning.grpo_checks import with_base

    return sft.check_before_run(with_base(context))


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """Extras and GPUs that are missing."""
    if context.stage != "tune":
        return []
    from cbtrun.plugins.tuning.grpo_options import tuning_options
    from cbtrun.plugins.tuning.tune_requirements import lacking

    return lacking(tuning_options(context.options))


@hookimpl
def doctor_checks(context: BlockContext) -> list[Check]:
    """Whether the training finds enough GPU memory here, beside the engine that holds its sessions."""
    if context.stage != "tune":
        return []
    from cbtrun.plugins.tuning.grpo_plan import memory_beside_engine

    return memory_beside_engine(context)


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """Sessions and ratings of all steps, and the memory of a training."""
    if context.stage != "tune":
        return None
    from cbtrun.plugins.tuning.grpo_plan import planned_training

    return planned_training(context)


@hookimpl
def export_adapter(context: ExportContext) -> Path:
    """As `sft`."""
    return sft.export_adapter(context)


@hookimpl
def tune_model(context: StageContext) -> list[Adapter]:
    """One adapter for each seed. A finished one is kept, a stopped one goes on from its last step."""
    context.advance(0, None, "loading libraries and the base model")
    from cbtrun.plugins.tuning.grpo_job import reinforce, reinforced_job

    return context.run(reinforce(context, reinforced_job(context)))
