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


TOTAL = ".total"
GAP_OPTIONS = ("looks", "alpha", "reward_rise", "witness_rise", "must_rise", "must_not_fall", "must_not_rise")


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
    """The witness that must rise. Without it the first total; where there is none, no gap is looked for: of an item nobody
    knows whether more of it is better."""
    must_not_fall: tuple[str, ...] | None = None
    """Witnesses that must only not fall. None: every other total."""
    must_not_rise: tuple[str, ...] = ()
    """Witnesses of which more is worse."""

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
    turned: bool
    """Whether more of it is worse: `seen` is then what it fell by."""
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
    given: dict[str, Any] = {name: gap[name] for name in GAP_OPTIONS if gap.get(name) is not None}
    given |= {name: tuple(one) for name, one in given.items() if isinstance(one, list)}
    return GapRule(steps=planned, **given)


def looks_at(steps: Sequence[TrainingStep], rule: GapRule) -> list[Look]:
    """What a look after the last of these steps sees of each witness; empty where no look is due, or too little is scored."""
    if not steps or steps[-1].step not in rule.look_steps:
        return []
    watched = watched_of(witnesses_of(steps), rule)
    alpha = rule.alpha / len(rule.look_steps) / max(1, len(watched))
    started = [one for one in steps if one.step <= rule.window]
    lately = [one for one in steps if one.step > steps[-1].step - rule.window]
    found = []
    for name, (wanted, turned) in watched.items():
        told = changes_between(pairs_of(started, name, turned=turned), pairs_of(lately, name, turned=turned))
        if told is not None:
            found.append(Look(steps[-1].step, name, *told, wanted, turned, alpha))
    return found


def watched_of(names: Sequence[str], rule: GapRule) -> dict[str, tuple[float, bool]]:
    """Witness -> SDs that it must rise by, and whether it is turned round since more of it is worse; the one that must
    rise comes first. Empty where none must rise.
    """
    must = must_rise_of(names, rule.must_rise)
    if not must:
        return {}
    held = (
        [name for name in names if name.endswith(TOTAL)]
        if rule.must_not_fall is None
        else named_in(names, rule.must_not_fall)
    )
    others = dict.fromkeys(held, (0.0, False)) | dict.fromkeys(named_in(names, rule.must_not_rise), (0.0, True))
    return {must: (rule.witness_rise, False), **{name: how for name, how in others.items() if name != must}}


def must_rise_of(names: Sequence[str], wanted: str) -> str:
    """The witness of that name, or of that rating set; where none is named the first total. Empty where there is none."""
    fitting = named_in(names, [wanted]) if wanted else [name for name in names if name.endswith(TOTAL)]
    return next(iter(fitting), "")


def named_in(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The witnesses that are named by themselves, or by their rating set."""
    return [name for name in names if any(name == one or name.startswith(f"{one}.") for one in wanted)]


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
            verb = "fell" if (look.seen.value < 0) != look.turned else "rose"
            should = (
                f"less than {look.wanted:g} SD" if look.wanted else f"it may not {'rise' if look.turned else 'fall'}"
            )
            most = -look.witness_at_most if look.turned else look.witness_at_most
            side = "least" if look.turned else "most"
            return (
                f"gap: the reward rose by {look.reward.value:.2f} SD (at least {look.reward_at_least:.2f}) while the witness "
                f"{look.witness} {verb} by {abs(look.seen.value):.2f} SD (at {side} {most:+.2f}; {should}), "
                f"steps {steps[-1].step - rule.window + 1} to {steps[-1].step} against 1 to {rule.window}, "
                f"{look.reward.n_now} and {look.reward.n_start} sessions"
            )
    return ""
