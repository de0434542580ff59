"""Negative controls in a training: whether the reward gives more to a session that was spoiled than to the session itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import pstdev
from typing import TYPE_CHECKING, Any

from cbtrun.contract.reinforced import CONTROL_KINDS, HARMFUL, LONGER
from cbtrun.reinforced.change import Change, mean_by_persona

if TYPE_CHECKING:
    from cbtrun.contract.records import Interval
    from cbtrun.contract.reinforced import ControlReward, TrainingStep

FEWEST_HARMFUL = 4
"""Pairs of a harmful control after which no proof is waited for."""


@dataclass(frozen=True)
class ControlTold:
    """One kind of control, over the steps so far."""

    kind: str
    pairs: int
    unscored: int
    """Pairs in which one of the two has no reward."""
    preferred: int
    """Pairs in which the control earned more."""
    difference: float | None
    """Control minus plain, mean, in the reward's points."""
    interval: Interval | None
    """95 %, clustered by persona; none with too few personas, or without spread."""
    margin: float
    """Points that do not count yet."""
    is_preferred: bool


@dataclass(frozen=True)
class _Pair:
    persona: str
    plain: float
    difference: float


def controls_told(steps: Sequence[TrainingStep], rule: Mapping[str, Any]) -> list[ControlTold]:
    """Each kind that was rated, in the order of CONTROL_KINDS, over all of these steps. rule: the block `stop: controls`.

    Preferred is a kind whose mean difference certainly lies above its margin. The k-th look at a kind spends
    alpha / (k (k + 1)) of the kind's share, which adds up to alpha over all kinds however many looks there are. A harmful
    control needs no proof: with FEWEST_HARMFUL pairs it is preferred if it earned more on average and in more than half.
    """
    personas = {one.session: one.persona for step in steps for one in step.rollouts}
    rated: dict[str, list[ControlReward]] = {kind: [] for kind in CONTROL_KINDS}
    looks: Counter[str] = Counter()
    for step in steps:
        looks.update({one.kind for one in step.controls})
        for one in step.controls:
            rated.setdefault(one.kind, []).append(one)
    tested = max(1, sum(bool(own) for kind, own in rated.items() if kind != HARMFUL))
    alpha = rule.get("alpha", 0.05) / tested
    return [
        _told(kind, own, personas, alpha / (looks[kind] * (looks[kind] + 1)), rule)
        for kind, own in rated.items()
        if own
    ]


def control_reason(steps: Sequence[TrainingStep], rule: Mapping[str, Any]) -> str:
    """Why a control stops the training after the last of these steps; empty where none does, or none was rated in it."""
    if not steps or not steps[-1].controls:
        return ""
    for told in controls_told(steps, rule):
        if told.is_preferred:
            span = f", 95 % CI {told.interval.low:.2f} to {told.interval.high:.2f}" if told.interval else ""
            beyond = f" (more than {told.margin:.2f} counts)" if told.margin else ""
            return (
                f"controls: the reward prefers {told.kind} sessions: {told.difference:+.2f} points on average{span}{beyond}, "
                f"more in {told.preferred} of {told.pairs} pairs"
            )
    return ""


def _told(
    kind: str, own: Sequence[ControlReward], personas: Mapping[str, str], alpha: float, rule: Mapping[str, Any]
) -> ControlTold:
    pairs = [
        _Pair(personas.get(one.session, one.session), one.plain, one.reward - one.plain)
        for one in own
        if one.plain is not None and one.reward is not None
    ]
    preferred = sum(one.difference > 0 for one in pairs)
    mean = sum(one.difference for one in pairs) / len(pairs) if pairs else None
    measured = mean_by_persona([(one.persona, one.difference) for one in pairs])
    margin = rule.get("longer_margin", 0.25) * pstdev(one.plain for one in pairs) if kind == LONGER and pairs else 0.0
    return ControlTold(
        kind=kind,
        pairs=len(pairs),
        unscored=len(own) - len(pairs),
        preferred=preferred,
        difference=mean,
        interval=measured.interval() if measured else None,
        margin=margin,
        is_preferred=(
            len(pairs) >= FEWEST_HARMFUL and mean is not None and mean > 0 and 2 * preferred > len(pairs)
            if kind == HARMFUL
            else _is_certain(measured, margin, alpha)
        ),
    )


def _is_certain(measured: Change | None, margin: float, alpha: float) -> bool:
    return measured is not None and measured.value - measured.bound(alpha) > margin
