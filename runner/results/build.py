"""What a study found, in the shape of results.json.

Holds no times, costs, retries or machine facts: the same study with deterministic models gives the same bytes,
wherever it ran and however often it was stopped. Those facts live in study.lock.yaml and in the report.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean, median, stdev
from typing import Any, Final, Literal, Protocol

from cbtrun.ratings.rubric import Rubric, rubric_digest
from cbtrun.records import Comparison, Failure, Group, Interval, Rating, Record, Session
from cbtrun.reliability.of_ratings import Kind, Singles, reliability_of
from cbtrun.reliability.records import Reliability
from cbtrun.result_parts import Parts
from cbtrun.results.diagnostics import Diagnostic, diagnostics_of
from cbtrun.scores.missing_scores import Filled, FilledMeans, filled_means
from cbtrun.statistics.student import student_quantile

RESULTS_FORMAT: Final = 1


class ItemFacts(Record):
    """An item or a subscale of a rubric, as far as results need it."""

    id: str
    title: str
    kind: Literal["item", "subscale"] = "item"
    low: float | None = None
    """Lowest points it can have; none for a subscale."""
    high: float | None = None
    """Highest points it can have; none where there is no bound."""


class RubricFacts(Record):
    """Which rubric the scores are on, and what they can be held to."""

    name: str
    version: str
    digest: str
    """SHA-256 of the rubric's content."""
    title: str
    source: str
    """Where the rubric comes from, as one would cite it."""
    validation: str
    """What has been shown about scores on this rubric; stands beside every score that is shown."""
    notes: tuple[str, ...] = ()
    """Assumptions that a reader of any score must know; they stand there too."""
    assumed_scale: bool = False
    """True where the scale is assumed, so that totals are not compared with published ones."""
    threshold: float | None = None
    """Total from which a session counts as competent; none when the rubric has no such line."""
    has_total: bool
    """Whether the items add up to a total at all."""
    low: float | None = None
    """Lowest possible total, in points."""
    high: float | None = None
    """Highest possible total, in points; none where there is no bound."""
    items: tuple[ItemFacts, ...]
    """Subscales, then the items that have points, in the order of the rating sheet."""


class GroupSummary(Group):
    """One level's sessions on one outcome, with the interval of the mean."""

    personas: int
    """Personas (or sessions without one) behind the values: the clusters of the interval."""
    interval: Interval | None = None
    """Of the mean, clustered by persona; none with fewer than two clusters."""
    low: float | None = None
    """Lowest value seen."""
    high: float | None = None
    """Highest value seen."""


class OutcomeSummary(Record):
    """One outcome, described in every grouping of the sessions."""

    outcome: str
    """`ctrs.total`, `ctrs.agenda` ..."""
    kind: Literal["total", "subscale", "item"]
    title: str
    groups: dict[str, tuple[GroupSummary, ...]]
    """Grouping (`all`, `arm` or a factor) -> its levels, in the study's order."""


class RatingSetResults(Record):
    """One named set of ratings."""

    rubric: RubricFacts
    raters: tuple[str, ...]
    repeats: int
    """Most repeats by one rater of one session."""
    outcomes: tuple[OutcomeSummary, ...]
    """The total, then subscales, then items."""
    reliability: tuple[Reliability, ...] = ()
    """Agreement of each outcome between raters and between repeats; empty with one rating a session."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """What may be wrong with the ratings: ceiling, halo, length, position of evidence, drift ..."""
    filled: tuple[FilledMeans, ...] = ()
    """Sensitivity of totals to unscored items; empty where every total could be formed."""


class Counts(Record):
    """How much of everything there is."""

    sessions: int
    personas: int
    """Distinct personas among the sessions."""
    ratings: int
    """One for each session, rater and repeat."""
    scores: int
    """Item scores that were asked for."""
    unscored: dict[str, int]
    """Item scores that nobody could give: reason -> count."""
    failures: dict[str, int]
    """Units that could not be finished: stage -> count."""


class Results(Record):
    """Everything a study found."""

    format: Literal[1] = RESULTS_FORMAT
    """Version of this format."""
    study: str
    title: str
    question: str
    """What the study asks, in its author's words; empty when the file does not say."""
    seed: int
    spec_digest: str
    """SHA-256 of the resolved study file."""
    ratings: dict[str, RatingSetResults]
    """Rating set -> what it gave."""
    comparisons: tuple[Comparison, ...]
    """The answers to the declared analyses, in the study's order."""
    counts: Counts
    assumptions: dict[str, str]
    """Path in the study file -> why its author chose what the source does not report."""
    flags: dict[str, int]
    """Fidelity flag -> sessions that carry it."""


class Placed(Protocol):
    """A session as far as groups are concerned: a Session, or what is kept of one."""

    @property
    def id(self) -> str:
        """Of the session."""

    @property
    def persona(self) -> str | None:
        """Its persona."""

    @property
    def arm(self) -> str | None:
        """Its arm."""

    @property
    def factors(self) -> Mapping[str, str]:
        """Factor -> level."""


@dataclass(frozen=True, slots=True)
class PlacedSession:
    """What results need of a session besides its words: thousands of sessions fit into memory without them."""

    id: str
    persona: str | None
    arm: str | None
    factors: Mapping[str, str]
    flags: tuple[str, ...]

    @classmethod
    def of(cls, session: Session) -> PlacedSession:
        """The session without its words."""
        return cls(session.id, session.persona, session.arm, session.factors, session.flags)


@dataclass(frozen=True)
class RatedSet:
    """One rating set with the value of each outcome, as `build_results` needs it."""

    rubric: RubricFacts
    ratings: Sequence[Rating]
    values: Mapping[str, Mapping[str, float | None]]
    """Outcome without its set (`total`, `agenda`) -> session id -> points, none where missing."""
    reasons: Mapping[str, Mapping[str, str]]
    """Outcome -> session id -> why its value is missing."""
    singles: Mapping[str, Singles] = field(default_factory=dict)
    """Outcome -> (session, rater, repeat) -> points of that single rating."""
    filled: Filled = field(default_factory=dict)
    """Totals with unscored items filled in, where there are any."""


def rubric_facts(rubric: Rubric) -> RubricFacts:
    """What results say about a rubric. Items of type text have no points and are left out."""
    subscales = [ItemFacts(id=id, title=subscale.title, kind="subscale") for id, subscale in rubric.subscales.items()]
    pointed = [(item, *item.bounds) for item in rubric.items if item.type != "text"]
    items = [ItemFacts(id=item.id, title=item.name, low=low, high=high) for item, low, high in pointed]
    total = rubric.total
    return RubricFacts(
        name=rubric.name,
        version=rubric.version,
        digest=rubric_digest(rubric),
        title=rubric.title,
        source=rubric.source,
        validation=rubric.validation,
        notes=rubric.notes,
        assumed_scale=rubric.assumed_scale,
        threshold=total.threshold if total else None,
        has_total=total is not None,
        low=total.low if total else None,
        high=total.high if total else None,
        items=(*subscales, *items),
    )


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
    placed = [PlacedSession.of(session) for session in sessions]
    levels = grouping_levels(study, placed)
    made = parts or Parts()
    ratings = {
        name: _set_results(
            name,
            one,
            placed,
            levels,
            study,
            made.make(f"diagnostics of ratings.{name}", partial(diagnostics_of, name, one, sessions, study), ()),
            made,
        )
        for name, one in rated.items()
    }
    if parts is None:
        made.raise_first()
    return Results(
        study=str(study["study"]),
        title=str(study.get("title", study["study"])),
        question=str(study.get("question", "")),
        seed=int(study.get("seed", 0)),
        spec_digest=spec_digest,
        ratings=ratings,
        comparisons=tuple(comparisons),
        counts=_counts(placed, rated, (*failures, *made.failures)),
        assumptions={str(path): str(why) for path, why in (study.get("assumptions") or {}).items()},
        flags=_sorted_counts(flag for session in placed for flag in {reason_kind(flag) for flag in session.flags}),
    )


def results_bytes(results: Results) -> bytes:
    """results.json: sorted keys, floats as Python writes them, a newline at the end. Refuses NaN and infinities."""
    document = results.model_dump(mode="json")
    return (json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def read_results(text: str | bytes) -> Results:
    """The results of a results.json. Raises ValueError when the text does not follow the schema."""
    return Results.model_validate_json(text)


def results_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of results.json, committed as schemas/results.schema.json."""
    from cbtrun.record_schema import record_schema

    return record_schema(Results, mode="serialization")


def grouping_levels(study: Mapping[str, Any], sessions: Sequence[Placed]) -> dict[str, tuple[str, ...]]:
    """Grouping -> its levels: `all`, `arm` where sessions have one, and every factor; levels in the study's order."""
    factors = sorted({factor for session in sessions for factor in session.factors})
    groupings = ["all", *(["arm"] if any(session.arm for session in sessions) else []), *factors]
    return {grouping: _levels(study, sessions, grouping) for grouping in groupings}


def level_of(session: Placed, grouping: str) -> str | None:
    """The level a session has in a grouping; none when it belongs to no level."""
    if grouping == "all":
        return "all"
    return session.arm if grouping == "arm" else session.factors.get(grouping)


def describe(
    level: str, values: Mapping[str, float | None], reasons: Mapping[str, str], sessions: Sequence[Placed]
) -> GroupSummary:
    """n, mean with its interval, SD, median and what is missing, for the sessions of one level."""
    scored = [(session, value) for session in sessions if (value := values.get(session.id)) is not None]
    missing = [session for session in sessions if values.get(session.id) is None]
    points = [value for _, value in scored]
    clusters = [session.persona or f"session:{session.id}" for session, _ in scored]
    return GroupSummary(
        level=level,
        n=len(points),
        missing=len(missing),
        reasons=_sorted_counts(reason_kind(reasons.get(session.id, "not rated")) for session in missing),
        mean=fmean(points) if points else None,
        sd=stdev(points) if len(points) > 1 else None,
        median=median(points) if points else None,
        personas=len(set(clusters)),
        interval=clustered_interval(points, clusters),
        low=min(points, default=None),
        high=max(points, default=None),
    )


def clustered_interval(points: Sequence[float], clusters: Sequence[str], level: float = 0.95) -> Interval | None:
    """Confidence interval of a mean whose values come in clusters; none with fewer than two clusters.

    points (n,) and the cluster of each. With one value a cluster it is the ordinary t interval.
    Source: cluster-robust variance of a mean with the G/(G-1) correction and G-1 degrees of freedom
    (Cameron & Miller 2015, "A practitioner's guide to cluster-robust inference").
    """
    residual_sums: dict[str, float] = {}
    if len(set(clusters)) < 2:
        return None
    centre = fmean(points)
    for cluster, value in zip(clusters, points, strict=True):
        residual_sums[cluster] = residual_sums.get(cluster, 0.0) + value - centre
    count = len(residual_sums)
    variance = count / (count - 1) * math.fsum(total**2 for total in residual_sums.values()) / len(points) ** 2
    half = student_quantile(count - 1, 0.5 + level / 2) * math.sqrt(variance)
    method = "t over sessions" if count == len(points) else "t, clustered by persona"
    return Interval(low=centre - half, high=centre + half, level=level, method=method)


def reason_kind(reason: str) -> str:
    """The part of a reason or flag that names its kind: `quote not found: "..."` -> `quote not found`.

    What follows the colon may quote a transcript, which has no place in counts.
    """
    return reason.split(":", 1)[0].strip() or "no reason given"


def _set_results(
    name: str,
    rated: RatedSet,
    sessions: Sequence[Placed],
    levels: Mapping[str, tuple[str, ...]],
    study: Mapping[str, Any],
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
    reliability = partial(reliability_of, name, titles, rated.singles, int(study.get("seed", 0)))
    filled = partial(filled_means, name, rated.values, rated.filled, _members(sessions, levels))
    return RatingSetResults(
        rubric=rated.rubric,
        raters=tuple(sorted({rating.rater for rating in rated.ratings})),
        repeats=max((rating.repeat for rating in rated.ratings), default=0),
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
                        )
                        for level in names
                    )
                    for grouping, names in levels.items()
                },
            )
            for outcome, kind, title in titled
        ),
        reliability=parts.make(f"reliability of ratings.{name}", reliability, ()),
        diagnostics=diagnostics,
        filled=parts.make(f"filled totals of ratings.{name}", filled, ()),
    )


def _members(sessions: Sequence[Placed], levels: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, list[str]]]:
    """Grouping -> level -> ids of its sessions."""
    return {
        grouping: {level: [one.id for one in sessions if level_of(one, grouping) == level] for level in names}
        for grouping, names in levels.items()
    }


def _levels(study: Mapping[str, Any], sessions: Sequence[Placed], grouping: str) -> tuple[str, ...]:
    """Levels that occur, in the order of the analyses that name them, then of the arms, then by name."""
    present = {level for session in sessions if (level := level_of(session, grouping)) is not None}
    named: list[str] = []
    for analysis in (study.get("analysis") or {}).values():
        if isinstance(analysis, Mapping) and analysis.get("factor") == grouping:
            named += [str(level) for level in analysis.get("levels") or ()]
    for arm, block in (study.get("arms") or {}).items():
        factors = (block or {}).get("factors") or {}
        named.append(str(arm) if grouping == "arm" else str(factors.get(grouping, "")))
    ordered = [level for level in dict.fromkeys(named) if level in present]
    return (*ordered, *sorted(present - set(ordered)))


def _counts(sessions: Sequence[Placed], rated: Mapping[str, RatedSet], failures: Sequence[Failure]) -> Counts:
    """How much there is, and what is missing, over all rating sets."""
    scores = 0
    unscored: Counter[str] = Counter()
    for rating in (rating for one in rated.values() for rating in one.ratings):  # read one at a time, not kept
        scores += len(rating.scores)
        missing = (score for score in rating.scores if score.score is None and not score.label)
        unscored.update(reason_kind(score.reason or "") for score in missing)
    return Counts(
        sessions=len(sessions),
        personas=len({session.persona for session in sessions if session.persona is not None}),
        ratings=sum(len(one.ratings) for one in rated.values()),
        scores=scores,
        unscored=dict(sorted(unscored.items())),
        failures=_sorted_counts(failure.stage for failure in failures),
    )


def _sorted_counts(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs, by name."""
    return dict(sorted(Counter(names).items()))
