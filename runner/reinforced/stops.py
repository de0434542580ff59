"""What ends a reinforcement training before its last step, as its block `stop` declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.reinforced.control_pairs import control_reason
from cbtrun.reinforced.gap import gap_reason, rule_of
from cbtrun.reinforced.watched import vetoed_share

if TYPE_CHECKING:
    from cbtrun.contract.reinforced import TrainingStep

VETO_STEPS = 5
"""Over how many steps the share of vetoed sessions is taken: of one step it jumps."""


def stop_reason(steps: Sequence[TrainingStep], stops: Mapping[str, Any], planned: int) -> str:
    """Why the training ends with the last of these steps, in words; empty where it goes on.

    steps: all so far, first to last. stops: the block `stop`, with `gap`, `controls`, `kl`, `vetoed`; what is missing is
    looked at with its defaults, what is null is not looked at (`kl` and `vetoed` have no default). planned: the steps that the
    training was declared with.
    """
    if not steps:
        return ""
    step = steps[-1]
    controls, gap, kl, vetoed = (stops.get(name, own) for name, own in _DEFAULTS.items())
    reasons = (
        control_reason(steps, controls) if controls is not None else "",
        gap_reason(steps, rule_of(gap, planned)) if gap is not None else "",
        f"kl: {step.kl:.3f} nats a token from where it began, above {kl:g}"
        if kl is not None and step.kl is not None and step.kl > kl
        else "",
        _vetoed_reason(steps, vetoed) if vetoed is not None else "",
    )
    return next(filter(None, reasons), "")


_DEFAULTS: dict[str, Any] = {"controls": {}, "gap": {}, "kl": None, "vetoed": None}


def _vetoed_reason(steps: Sequence[TrainingStep], most: float) -> str:
    if len(steps) < VETO_STEPS:
        return ""
    share = vetoed_share(steps[-VETO_STEPS:])
    if share is None or share <= most:
        return ""
    return f"vetoed: {share:.0%} of the sessions of the last {VETO_STEPS} steps earned nothing, above {most:.0%}"
