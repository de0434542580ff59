"""What one persona, session, rating and tuning seed of a study cost: at its prices, in batches or not, and in GPU hours.

Tokens of a call are what the run's journal holds on average; where it holds none, what `plan` assumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cbtrun.before.hours import BILLIONS as MEASURED_BILLIONS
from cbtrun.before.hours import is_local, size_of, speeds_of_machines, training_work
from cbtrun.power.design_search import UnitCosts

if TYPE_CHECKING:
    from cbtrun.before.plan_costs import CallCost
    from cbtrun.contract.plans import Plan
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

DOLLARS, CALLS = "US dollars", "model calls"


@dataclass(frozen=True)
class Bought:
    """How a study would be bought."""

    gpu_hour: float | None = None
    """US dollars for an hour of the machine."""
    machine: str = "H100"
    batches: bool = False
    """Whether ratings are bought in batches where their vendor sells them so, whatever the study says."""


@dataclass(frozen=True)
class StudyCosts:
    """Costs of one of each thing, with what they rest on."""

    units: UnitCosts
    currency: str
    """DOLLARS, or CALLS where nothing of the study has a price."""
    hours: UnitCosts
    """The same in GPU hours of the machine."""
    rating_in_batches: float | None
    """What a rating costs the other way, in batches; none where that is not to be had."""
    notes: tuple[str, ...]


def study_costs(
    study: Study, registry: Registry, folder: RunFolder, buying: Bought, personas: int, rated: str
) -> StudyCosts:
    """personas: of each arm in the run, crossed or not. rated: the rating set whose ratings a design counts."""
    from cbtrun.before.plan import plan_study
    from cbtrun.before.plan_costs import call_costs, kept_calls

    plans = plan_study(study, registry)
    kept = kept_calls(folder)
    again: dict[str, Plan | None] = {
        stage: plan
        and replace(
            plan,
            calls=tuple(
                replace(one, calls=one.calls + (kept[stage, one.model].calls if (stage, one.model) in kept else 0))
                for one in plan.calls
            ),
        )
        for stage, plan in plans.items()
    }
    costs = call_costs(again, study, registry, folder)  # of as many calls again as the study makes
    arms = _arms(study)
    counts = _counts(plans, study, personas, rated)
    money = [_usd(one, batches=buying.batches) for one in costs]
    hours = _hours(study, registry, plans, costs, buying, counts)
    if any(one is not None for one in money):
        units = _by_kind({one: usd or 0.0 for one, usd in zip(costs, money, strict=True)}, counts, **arms)
        currency = DOLLARS
    elif buying.gpu_hour is not None and any((hours.session, hours.rating, hours.seed)):
        units, currency = replace(UnitCosts(), **arms), DOLLARS
    else:
        units, currency = _by_kind({one: float(one.left) for one in costs}, counts, **arms), CALLS
    if currency == DOLLARS and buying.gpu_hour is not None:
        units = _with_hours(units, hours, buying.gpu_hour)
    return StudyCosts(
        units,
        currency,
        hours,
        _rating_in_batches(costs, counts, rated, batches=buying.batches),
        tuple(_notes(study, costs, money, hours, buying, currency)),
    )


def _arms(study: Study) -> dict[str, int]:
    tuned = sum(study.job_of(arm.therapist) is not None and "@" not in arm.therapist for arm in study.arms.values())
    return {"tuned_arms": tuned, "plain_arms": max(len(study.arms), 1 if not study.arms else 0) - tuned}


def _counts(plans: Mapping[str, Plan | None], study: Study, personas: int, rated: str) -> dict[str, float]:
    """Kind of stage -> how many of what its cost is for the plans have."""
    sessions = plans.get("sessions")
    ratings = plans.get(f"ratings.{rated}")
    seeds = [len(job.seeds) for job in study.tune_jobs.values()]
    return {
        "personas": float(max(personas, 1)),
        "sessions": float(max(sessions.units if sessions else 0, 1)),
        f"ratings.{rated}": float(max(ratings.units if ratings else 0, 1)),
        "tune": float(max([1, *seeds])),
        "corpus": 1.0,
    }


def _by_kind(costs: Mapping[CallCost, float], counts: Mapping[str, float], **arms: int) -> UnitCosts:
    sums = dict.fromkeys(counts, 0.0)
    for cost, amount in costs.items():
        kind = cost.stage.partition(".")[0]
        of = cost.stage if cost.stage in sums else "sessions" if kind == "ratings" else kind  # other sets: by session
        sums[of] = sums.get(of, 0.0) + amount
    one = {kind.partition(".")[0]: sums[kind] / count for kind, count in counts.items()}
    return UnitCosts(one["personas"], one["sessions"], one["ratings"], one["tune"], one["corpus"], **arms)


def _usd(cost: CallCost, *, batches: bool) -> float | None:
    other = cost.other
    return other.usd if batches and other is not None and not cost.batched else cost.usd


def _rating_in_batches(
    costs: list[CallCost], counts: Mapping[str, float], rated: str, *, batches: bool
) -> float | None:
    stage = f"ratings.{rated}"
    of_set = [one for one in costs if one.stage == stage]
    if batches or not any(one.other is not None and not one.batched for one in of_set):
        return None
    return sum(_usd(one, batches=True) or 0.0 for one in of_set) / counts[stage]


def _hours(
    study: Study,
    registry: Registry,
    plans: Mapping[str, Plan | None],
    costs: list[CallCost],
    buying: Bought,
    counts: Mapping[str, float],
) -> UnitCosts:
    speeds: dict[str, Any] = speeds_of_machines()[buying.machine]
    seconds: dict[CallCost, float] = {}
    for one in costs:
        if is_local(study, registry, one.model):
            spoken = (
                one.tokens_out * size_of(study, one.model) / MEASURED_BILLIONS / speeds["session_tokens_per_second"]
            )
            seconds[one] = max(spoken, one.left / speeds["turns_per_second"])
    talking = _by_kind(seconds, counts)
    trained = sum(training_work(study, name, plans) for name in study.tune_jobs) / counts["tune"]
    seed = talking.seed + trained / speeds["training_tokens_per_second"]
    whole = replace(talking, seed=seed, **_arms(study))
    return _times(whole, 1 / 3600)


def _times(units: UnitCosts, by: float) -> UnitCosts:
    names = ("persona", "session", "rating", "seed", "fixed")
    return replace(units, **{name: getattr(units, name) * by for name in names})


def _with_hours(units: UnitCosts, hours: UnitCosts, price: float) -> UnitCosts:
    names = ("persona", "session", "rating", "seed", "fixed")
    return replace(units, **{name: getattr(units, name) + getattr(hours, name) * price for name in names})


def _notes(
    study: Study,
    costs: list[CallCost],
    money: list[float | None],
    hours: UnitCosts,
    buying: Bought,
    currency: str,
) -> list[str]:
    unpriced = sorted(
        {one.model for one, usd in zip(costs, money, strict=True) if usd is None and _served(study, one.model)}
    )
    told = []
    if currency == CALLS:
        told.append(
            "no model of the study has a price: cost is counted in model calls (`prices:` of a model, or --gpu-hour, give dollars)"
        )
    elif unpriced:
        told.append(f"without a price, and counted as free: calls to {', '.join(unpriced)}")
    local = any((hours.session, hours.rating, hours.seed))
    if local and buying.gpu_hour is None:
        told.append("weights on own GPUs cost nothing here: --gpu-hour USD counts them")
    if local:
        told.append(f"GPU hours are of one {buying.machine}, by cbtrun's measured speeds (`cbtrun plan`)")
    priced = [one for one, usd in zip(costs, money, strict=True) if usd is not None]
    told += dict.fromkeys(
        line for one in priced for line in one.assumed if "takes" not in line
    )  # of time, not of money
    return told


def _served(study: Study, model: str) -> bool:
    """Whether somebody else's machine answers for a model."""
    block = study.models.get(study.base_of(model))
    return block is not None and bool(block.options.get("base_url"))
