"""Families of comparisons: what error is held over, in which order questions are asked, and what each p becomes.

A study's primary outcomes, over all its blocks, are one family. Behind it stand the pairs of levels of an outcome that was
tested over all levels, the items, the tests of interaction and, behind each of those, its subgroups: what stands behind
counts as shown only where everything before it was (a serial gate), whatever its own p.

Source: Holm 1979; Westfall & Krishen 2001, "Optimally weighted, fixed sequence and gatekeeper multiple testing procedures";
Dmitrienko, Offen & Westfall 2003, "Gatekeeping strategies for clinical trials".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.contract.records import Comparison
from cbtrun.statistics.multiplicity import Correction, adjusted_p
from cbtrun.statistics.simultaneous import ALPHA, together

if TYPE_CHECKING:
    from cbtrun.contract.study_view import StudyView

PRIMARY = "primary"
"""The family of a study's declared outcomes, the default of every block."""
BEHIND = (
    (True, "pair"),
    (False, "lead"),
    (False, "pair"),
    (True, "moderated"),
    (False, "moderated"),
    (True, "subgroup"),
    (False, "subgroup"),
)
"""Families behind the primary one: whether of declared outcomes, and what they ask."""
BY_PRIMARY = "a primary outcome of the study was not shown"
BY_WHOLE = "the test of all levels did not show a difference"
BY_INTERACTION = "no interaction was shown"


def family_of(options: Mapping[str, Any]) -> tuple[str, Correction]:
    """What an analysis's options say of its family and correction, defaults filled in."""
    return options.get("family", PRIMARY), options.get("correction", "holm")


def adjusted_block(comparisons: Sequence[Comparison], options: Mapping[str, Any]) -> list[Comparison]:
    """A block's comparisons adjusted among themselves, where its family is the block.

    Pairs of levels, tests of all levels and tests of interaction each by themselves. `outcome-alone`: the declared outcome
    by itself. With `primary` nothing is adjusted yet: the family is the study's.
    """
    family, correction = family_of(options)
    if correction == "none" or family == PRIMARY:
        return list(comparisons)
    primary = options.get("outcome", "")
    done = list(comparisons)
    whole = _wholes(done, range(len(done)))
    together_with: dict[object, list[int]] = {}
    for at, one in enumerate(done):
        alone = family == "outcome-alone" and one.outcome == primary and not one.subgroup
        kind = (alone, at in whole, _kind_of(one))
        if not one.correction:
            together_with.setdefault(kind, []).append(at)
    for members in together_with.values():
        _adjust(done, members, correction)
    _hold_back_subgroups(done, range(len(done)))
    return done


def _hold_back_subgroups(done: list[Comparison], inside: Sequence[int]) -> None:
    """Levels of `by` wait for their test of interaction, in whatever family they are."""
    asked = [done[at] for at in inside if done[at].moderated]
    for at in inside:
        if done[at].subgroup:
            _wait_for(done, at, _interaction_of(done[at], asked), BY_INTERACTION)


def _kind_of(one: Comparison) -> str:
    """Comparisons of one kind ask like questions of like data: effects of two factors, interactions, pairs, controls."""
    return "factorial" if one.design.startswith("factorial") else "moderated" if one.moderated else one.design


def adjusted_study(comparisons: Sequence[Comparison], study: StudyView) -> list[Comparison]:
    """All comparisons of a study, p adjusted over the families that go across blocks.

    Blocks with another family, and tests that correct over their own pairs, keep what they have; the latter wait at the
    gates like all others.
    """
    done = list(comparisons)
    corrections: tuple[Correction, ...] = ("holm", "bh")
    for correction in corrections:
        blocks = {name for name in {one.analysis for one in done} if _options(study, name) == (PRIMARY, correction)}
        found = [at for at, one in enumerate(done) if one.analysis in blocks]
        whole = _wholes(done, found)
        # What an analysis has corrected in its own way stays; pairs by Tukey, Games-Howell or Nemenyi wait at the gates.
        inside = [at for at in found if not done[at].correction or at in whole]
        _adjust_tiers(done, inside, study, correction)
    return done


def _adjust_tiers(done: list[Comparison], inside: Sequence[int], study: StudyView, correction: Correction) -> None:
    """Adjust the primary comparisons of some blocks, then what stands behind them, in place."""
    among = [done[at] for at in inside]
    whole = _wholes(done, inside)
    declared = {at for at in inside if done[at].outcome == _declared(study, done[at].analysis, among)}

    def those(tier: str, *, primary: bool) -> list[int]:
        return [at for at in inside if (at in declared) == primary and _tier(done[at], at in whole) == tier]

    first = those("lead", primary=True)
    _adjust(done, first, correction)
    gate = max((_p_of(done[at]) for at in first), default=1.0)
    for primary, tier in BEHIND:
        members = those(tier, primary=primary)
        _adjust(done, members, correction)
        if gate >= ALPHA and (primary, tier) != (True, "pair"):  # these wait for their own test of all levels
            _hold_back(done, members, BY_PRIMARY, gate)
    for at, of in whole.items():
        _wait_for(done, at, done[of], BY_WHOLE)
    _hold_back_subgroups(done, inside)


def adjusted(members: Sequence[Comparison], correction: Correction) -> list[Comparison]:
    """Comparisons adjusted over the family that they are: first tests with first tests, second with second.

    A comparison with fewer tests stands in the further families with its last one, so that no family gets smaller.
    """
    tested = [one for one in members if one.tests]
    if correction == "none" or not tested:
        return list(members)
    made = {id(one): list(one.tests) for one in tested}
    for place in range(max(len(one.tests) for one in tested)):
        raw = [one.tests[min(place, len(one.tests) - 1)].p for one in tested]
        for one, p in zip(tested, adjusted_p(raw, correction), strict=True):
            if place < len(one.tests):
                made[id(one)][place] = one.tests[place].model_copy(update={"p_adjusted": p})
    told = [
        one.model_copy(update={"tests": tuple(made[id(one)]), "correction": correction, "family": len(tested)})
        if one.tests
        else one
        for one in members
    ]
    rejected = sum(_is_rejected(one) for one in told)
    return [
        one.model_copy(update={"interval_adjusted": together(one, correction, len(tested), rejected)})
        if one.tests
        else one
        for one in told
    ]


def _adjust(done: list[Comparison], places: Sequence[int], correction: Correction) -> None:
    free = [at for at in places if not done[at].correction]
    for at, one in zip(free, adjusted([done[at] for at in free], correction), strict=True):
        done[at] = one


def _hold_back(done: list[Comparison], places: Sequence[int], why: str, gate: float) -> None:
    for at in places:
        if done[at].tests:
            done[at] = _held_back(done[at], why, gate)


def _wait_for(done: list[Comparison], at: int, gate: Comparison | None, why: str) -> None:
    """Hold a comparison back where what it waits for was not shown; what was not made holds nothing back."""
    if gate is not None and done[at].tests and not done[at].held_back and not _is_rejected(gate):
        done[at] = _held_back(done[at], why, _p_of(gate))


def _held_back(one: Comparison, why: str, least: float) -> Comparison:
    """A comparison behind a closed gate: its adjusted p is no smaller than the gate's, and it has no interval of its family."""
    floor = max(least, ALPHA)
    tests = tuple(
        test.model_copy(update={"p_adjusted": max(floor, test.p if test.p_adjusted is None else test.p_adjusted)})
        for test in one.tests
    )
    return one.model_copy(update={"tests": tests, "held_back": why, "interval_adjusted": None})


def _options(study: StudyView, name: str) -> tuple[str, str]:
    block = study.analyses.get(name)
    return family_of(block.options) if block else (PRIMARY, "holm")


def _declared(study: StudyView, name: str, among: Sequence[Comparison]) -> str:
    """The outcome that an analysis declares; of a plugin that has no such option that of its first comparison."""
    block = study.analyses.get(name)
    return (block.outcome if block else "") or next(one.outcome for one in among if one.analysis == name)


def _tier(one: Comparison, is_pair: bool) -> str:
    if one.moderated or one.subgroup:
        return "moderated" if one.moderated else "subgroup"
    return "pair" if is_pair else "lead"


def _is_rejected(one: Comparison) -> bool:
    return bool(one.tests) and _p_of(one) < ALPHA and not one.held_back


def _p_of(one: Comparison) -> float:
    first = next(iter(one.tests), None)
    return 1.0 if first is None else first.p if first.p_adjusted is None else first.p_adjusted


def _wholes(done: Sequence[Comparison], inside: Iterable[int]) -> dict[int, int]:
    """Place of a pair of levels -> place of the test of all levels that it belongs to."""
    alike: dict[object, list[int]] = {}
    for at in inside:
        one = done[at]
        alike.setdefault((one.analysis, one.outcome, one.factor, *sorted(one.where.items())), []).append(at)
    return {
        at: of
        for members in alike.values()
        for of in members
        for at in members
        if {*done[at].levels} < {*done[of].levels} and not done[of].moderated
    }


def _interaction_of(one: Comparison, others: Iterable[Comparison]) -> Comparison | None:
    """The test of interaction that a subgroup's comparison stands behind."""
    return next(
        (
            other
            for other in others
            if other.moderated == one.levels
            and (other.analysis, other.outcome) == (one.analysis, one.outcome)
            and other.factor in one.where
        ),
        None,
    )
