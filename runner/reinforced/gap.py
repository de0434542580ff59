"""Over-optimisation as a declared stop: the reward has risen, the witness has not.

A training is looked at a declared number of times. Each look holds the last window of steps against the first, both of the
same length, and says "gap" only if the reward has certainly risen by so many SDs and the witness has certainly risen by less
than it should. Each look may err in a share alpha / looks, so that over the whole training a reward whose witness does rise
is stopped in a share of at most alpha (Bonferroni: it holds however the looks depend on each other).

Sources: Gao, Schulman & Hilton 2023, "Scaling laws for reward model overoptimization", arXiv:2210.10760 (the gold reward
turns while the proxy goes on rising); Lan & DeMets 1983, "Discrete sequential boundaries for clinical trials" (spending an
error rate over looks). A confidence sequence (Howard et al. 2021) would allow a look at every step, and is wider at each; its
small-sample form is not known for clusters, of which a training has as few as its personas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from cbtrun.reinforced.change import Change, change, spread_within
from cbtrun.reinforced.watched import Pair, pairs_of, witnesses_of

if TYPE_CHECKING:
    from cbtrun.contract.reinforced import TrainingStep


@dataclass(frozen=True)
class GapRule:
    """The block `stop: gap`, and how long the training is."""

    steps: int
    """Of the whole training, as declared."""
    looks: int = 8
    alpha: float = 0.05
    """Over all looks and witnesses."""
    reward_rise: float = 0.5
    """SDs of a session that the reward has risen by, before a gap is spoken of."""
    witness_rise: float = 0.2
    """SDs that the witness must then have risen by."""
    must_rise: str = ""
    """The witness that must rise; the others must only not fall. Without it the first total, or else the first."""

    @property
    def window(self) -> int:
        """Steps in one window."""
        return max(1, self.steps // (self.looks + 1))

    @property
    def look_steps(self) -> range:
        """The steps after which the training is looked at."""
        return range(2 * self.window, self.steps + 1, self.window)


@dataclass(frozen=True)
class Look:
    """One look at one witness."""

    step: int
    witness: str
    reward: Change
    """In SDs of a session."""
    seen: Change
    """The witness's, in its SDs."""
    wanted: float
    """SDs that it must have risen by."""
    alpha: float
    """That this look may spend."""

    @property
    def reward_at_least(self) -> float:
        """SDs that the reward has risen by, as surely as the look asks."""
        return self.reward.value - self.reward.bound(self.alpha)

    @property
    def witness_at_most(self) -> float:
        """SDs that the witness has risen by, as surely."""
        return self.seen.value + self.seen.bound(self.alpha)


def rule_of(gap: Mapping[str, Any], planned: int) -> GapRule:
    """The rule of a block; planned: the training's declared steps."""
    names = ("looks", "alpha", "reward_rise", "witness_rise", "must_rise")
    return GapRule(steps=planned, **{name: gap[name] for name in names if gap.get(name) is not None})


def looks_at(steps: Sequence[TrainingStep], rule: GapRule) -> list[Look]:
    """What a look after the last of these steps sees of each witness; empty where no look is due, or too little is scored."""
    if not steps or steps[-1].step not in rule.look_steps:
        return []
    names = witnesses_of(steps)
    alpha = rule.alpha / len(rule.look_steps) / max(1, len(names))
    must = must_rise_of(names, rule.must_rise)
    started = [one for one in steps if one.step <= rule.window]
    lately = [one for one in steps if one.step > steps[-1].step - rule.window]
    found = []
    for name in names:
        told = changes_between(pairs_of(started, name), pairs_of(lately, name))
        if told is not None:
            wanted = rule.witness_rise if name == must else 0.0
            found.append(Look(steps[-1].step, name, *told, wanted, alpha))
    return found


def must_rise_of(names: Sequence[str], wanted: str) -> str:
    """The witness of that name, or of that rating set; where none is named the first total, or else the first."""
    fitting = [name for name in names if name == wanted or name.startswith(f"{wanted}.")]
    totals = [name for name in names if name.endswith(".total")]
    return next(iter([*fitting, *totals, *names]), "")


def changes_between(start: Sequence[Pair], now: Sequence[Pair]) -> tuple[Change, Change] | None:
    """Change of reward and of witness, each in SDs of a session within the windows; none where either does not vary."""
    found = []
    for score in (attrgetter("reward"), attrgetter("witness")):
        scores = [[(one.persona, float(score(one))) for one in part] for part in (start, now)]
        scale = spread_within(*([value for _, value in part] for part in scores))
        moved = change(*([(persona, value / scale) for persona, value in part] for part in scores)) if scale else None
        if moved is None:
            return None
        found.append(moved)
    return found[0], found[1]


def is_gap(look: Look, rule: GapRule) -> bool:
    """Whether the reward has certainly risen, and the witness certainly by less than it should."""
    return look.reward_at_least > rule.reward_rise and look.witness_at_most < look.wanted


def gap_reason(steps: Sequence[TrainingStep], rule: GapRule) -> str:
    """Why the gap stops the training after the last of these steps; empty where it does not."""
    for look in looks_at(steps, rule):
        if is_gap(look, rule):
            verb = "fell" if look.seen.value < 0 else "rose"
            should = f"less than {look.wanted:g} SD" if look.wanted else "it may not fall"
            return (
                f"gap: the reward rose by {look.reward.value:.2f} SD (at least {look.reward_at_least:.2f}) while the witness "
                f"{look.witness} {verb} by {abs(look.seen.value):.2f} SD (at most {look.witness_at_most:+.2f}; {should}), "
                f"steps {steps[-1].step - rule.window + 1} to {steps[-1].step} against 1 to {rule.window}, "
                f"{look.reward.n_now} and {look.reward.n_start} sessions"
            )
    return ""
