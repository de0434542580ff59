"""What a study found, built from its sessions, rating sets and comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cbtrun.contract.records import Comparison, Failure, Session
from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.ratings.reasons import reason_kind
from cbtrun.reliability.of_ratings import Kind, reliability_of
from cbtrun.results.diagnostics import diagnostics_of
from cbtrun.results.groups import describe, grouping_levels, level_of, members_of_levels, sorted_counts
from cbtrun.results.parts import Parts
from cbtrun.results.records import Counts, Diagnostic, OutcomeSummary, RatingSetResults, Results
from cbtrun.results.session_facts import session_facts
from cbtrun.scores.missing_scores import filled_means
from cbtrun.scores.placed import Placed
from cbtrun.scores.rated_sets import RatedSet


def build_results(
    study: Mapping[str, Any],
    spec_digest: str,
    sessions: Sequence[Session],
    rated: Mapping[str, RatedSet],
    comparisons: Sequence[Comparison],
    failures: Sequence[Failure] = (),
    parts: Parts | None = None,
) -> Results:
    """Everything the study found. `study` is the resolved spec; `rated` holds every rating set by its name.

    parts: takes the parts that cannot be made; without it their errors are raised at the end.
    """
    view = view_of(study)
    placed = session_facts(sessions, rated, view.seed)
    levels = grouping_levels(view, placed)
    made = parts or Parts()
    ratings = {
        name: _set_results(
            name,
            one,
            placed,
            levels,
            view,
            made.make(f"diagnostics of ratings.{name}", partial(diagnostics_of, name, one, placed, view)),
            made,
        )
        for name, one in rated.items()
    }
    if parts is None:
        made.raise_first()
    return Results(
        study=view.name,
        title=view.title,
        question=str(study.get("question", "")),
        seed=view.seed,
        spec_digest=spec_digest,
        ratings=ratings,
        comparisons=tuple(comparisons),
        counts=_counts(placed, rated, (*failures, *made.failures)),
        assumptions={str(path): str(why) for path, why in (study.get("assumptions") or {}).items()},
        flags=sorted_counts(flag for session in placed for flag in {reason_kind(flag) for flag in session.flags}),
    )


def _set_results(
    name: str,
    rated: RatedSet,
    sessions: Sequence[Placed],
    levels: Mapping[str, tuple[str, ...]],
    study: StudyView,
    diagnostics: tuple[Diagnostic, ...],
    parts: Parts,
) -> RatingSetResults:
    """What one rating set gave, outcome by outcome, and how far it can be trusted."""
    titled: list[tuple[str, Kind, str]] = []
    if rated.rubric.has_total:
        titled.append(("total", "total", "Total"))
    titled += [(item.id, item.kind, item.title) for item in rated.rubric.items if item.kind == "subscale"]
    titled += [(item.id, item.kind, item.title) for item in rated.rubric.items if item.kind == "item"]
    titles = {outcome: (kind, title) for outcome, kind, title in titled}
    reliability = partial(reliability_of, name, titles, rated.singles, study.seed)
    filled = partial(filled_means, name, rated.values, rated.filled, members_of_levels(sessions, levels))
    return RatingSetResults(
        rubric=rated.rubric,
        raters=tuple(sorted(rated.tally.raters)),
        repeats=rated.tally.repeats,
        wordings=tuple(sorted(rated.tally.wordings)),
        outcomes=tuple(
            OutcomeSummary(
                outcome=f"{name}.{outcome}",
                kind=kind,
                title=title,
                groups={
                    grouping: tuple(
                        describe(
                            level,
                            rated.values.get(outcome, {}),
                            rated.reasons.get(outcome, {}),
                            [session for session in sessions if level_of(session, grouping) == level],
                            rated.ends.get(outcome, (None, None)),
                        )
                        for level in names
                    )
                    for grouping, names in levels.items()
                },
            )
            for outcome, kind, title in titled
        ),
        reliability=parts.make(f"reliability of ratings.{name}", reliability),
        diagnostics=diagnostics,
        filled=parts.make(f"filled totals of ratings.{name}", filled),
    )


def _counts(sessions: Sequence[Placed], rated: Mapping[str, RatedSet], failures: Sequence[Failure]) -> Counts:
    """How much there is, and what is missing, over all rating sets."""
    unscored: Counter[str] = Counter()
    for one in rated.values():
        unscored.update(one.tally.unscored)
    return Counts(
        sessions=len(sessions),
        personas=len({session.persona for session in sessions if session.persona is not None}),
        ratings=sum(len(one.ratings) for one in rated.values()),
        scores=sum(one.tally.scores for one in rated.values()),
        unscored=dict(sorted(unscored.items())),
        failures=sorted_counts(failure.stage for failure in failures),
    )
