"""What can be said only when every analysis of a study is there: families across blocks, scopes, whole sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cbtrun.analysis.block import stored
from cbtrun.analysis.comparison_families import adjusted_study
from cbtrun.analysis.corrected_words import behind, lead_of
from cbtrun.analysis.scope import scope_of
from cbtrun.statistics.sentences import kept_text, sentence_of, usual_sentence
from cbtrun.statistics.wording import missing_text, points

if TYPE_CHECKING:
    from cbtrun.contract.records import Comparison
    from cbtrun.contract.study_view import StudyView


def whole_study(
    comparisons: Sequence[Comparison],
    study: StudyView,
    raters: Mapping[str, Sequence[str]],
    claim: Callable[[Comparison], str],
) -> list[Comparison]:
    """The comparisons of all blocks with p and intervals of their families, their scope, and their sentence.

    raters: rating set -> who rated in it. claim: what the design says of a comparison, in the plugin's words or as usual.
    """
    bare = [_without_usual_words(one) for one in comparisons]
    scoped = (_scoped(one, study, raters) for one in adjusted_study(bare, study))
    return [stored(one.model_copy(update={"sentence": told(one, claim(one))})) for one in scoped]


def _without_usual_words(one: Comparison) -> Comparison:
    """Without its sentence where that is the usual one, which now says more; words of a plugin's own stay."""
    return one.model_copy(update={"sentence": ""}) if one.sentence == sentence_of(one, usual_sentence) else one


def _scoped(one: Comparison, study: StudyView, raters: Mapping[str, Sequence[str]]) -> Comparison:
    return one if one.scope is not None else one.model_copy(update={"scope": scope_of(one, study, raters)})


def told(one: Comparison, claim: str) -> str:
    """A claim with what it holds for in front, and behind it what a reader must know before believing it.

    In front: the sessions that were kept, and the scope. Behind: what is missing by level, where the claim does not say
    it itself, and how far the difference could move where that would change its sign.
    """
    kept = f"among sessions with {kept_text(one)}" if one.where else ""
    if kept and claim.lower().startswith(kept):
        kept = ""
    front = ", ".join(filter(None, [kept, *(one.scope or ()), lead_of(one)]))
    if front and claim.startswith(("The ", "Whether ")):
        claim = f"{claim[0].lower()}{claim[1:]}"
    lead = f"{front[0].upper()}{front[1:]}: {claim}" if front else claim
    return " ".join(filter(None, [lead, behind(one), _missing(one, claim), worst_case_words(one)]))


def _missing(one: Comparison, claim: str) -> str:
    words = missing_text(one)
    return "" if words in claim else f"{words.removeprefix('; ')}."


def worst_case_words(one: Comparison) -> str:
    """How far the difference could move over everything that is missing, where that would change its sign; else nothing."""
    bounds, estimate = one.worst_case, one.estimate
    if bounds is None or estimate is None or bounds.low > 0 or bounds.high < 0:
        return ""
    low, high = points(bounds.low, 1), points(bounds.high, 1)
    return (
        f"Were every missing score at the worst end of its scale, the difference would lie anywhere from {low} to {high} "
        "points: what is missing could change its sign."
    )
