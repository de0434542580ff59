"""Do the models agree with people as well as people agree with each other? Side by side, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from cbtrun.contract.digests import derive_seed
from cbtrun.contract.records import Interval, Rating, Record
from cbtrun.errors import StatisticsError
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.reliability.of_ratings import Kind, RatingPlace, agreement
from cbtrun.reliability.records import Reliability, Severity
from cbtrun.results.spoken import scale_words
from cbtrun.scores.making import scores_of
from cbtrun.scores.rated_sets import single_values
from cbtrun.scores.scale import outcome_ends
from cbtrun.statistics.samples import Estimated, stored_float

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.reliability.alternative_annotator import Alignment
    from cbtrun.reliability.icc import Table
    from cbtrun.scores.score import Score
    from cbtrun.statistics.samples import Array

ROUNDING = 0.05
"""By how much a total that a person wrote may differ from the items, in points: means are written with a digit or two."""
EPSILON = 0.2
"""Of people who are experts; 0.15 for skilled ones, 0.1 for the crowd (Calderon et al. 2025)."""
POOR = 0.4
"""ICC below which agreement is usually called poor (Cicchetti 1994)."""


class Figure(Record):
    """A value with its interval."""

    value: float | None
    interval: Interval | None = None
    note: str = ""
    """Why it or its interval is missing."""


class PairwiseAgreement(Record):
    """A coefficient averaged over pairs of raters."""

    name: str
    """`icc_2_1` or `kappa_quadratic`."""
    human_human: Figure
    """Mean over all pairs of people."""
    model_human: Figure
    """Mean over all pairs of a model and a person."""
    difference: Figure
    """model_human minus human_human; its interval is paired over sessions."""


class PersonLeftOut(Record):
    """One person, held against a model by the others."""

    rater: str
    sessions: int
    advantage: float
    """Share of sessions on which the model is as near to the others, or nearer."""
    p: float
    """Raw; the decision is by Benjamini-Yekutieli over the people."""
    replaceable: bool


class StandingIn(Record):
    """Whether a model may stand in for a person: the alternative-annotator test (Calderon et al. 2025)."""

    rater: str
    """The model."""
    winning_rate: float | None
    """Share of the people whom it may stand in for; none where the test could not be done."""
    advantage: float | None = None
    """Mean chance that it is as near to the other people as a person is."""
    passes: bool = False
    """Whether the winning rate is one half or more."""
    test: str = ""
    """`t`, from 30 sessions on, else `wilcoxon`."""
    alignment: str = ""
    """`rmse`, or `accuracy` of what is chosen from a few."""
    people: tuple[PersonLeftOut, ...] = ()
    note: str = ""
    """Why there is no test."""


class OutcomeAgreement(Record):
    """One outcome."""

    outcome: str
    kind: Kind
    title: str
    scale: str = ""
    """`of 66`: the end of its scale, where it has one."""
    sessions: int
    """Sessions with a score by at least one person and one model."""
    pairwise: tuple[PairwiseAgreement, ...]
    humans: Reliability | None
    """Everything about people among themselves; none with one person."""
    models: tuple[Severity, ...]
    """Each model against the mean of the people."""
    standing_in: tuple[StandingIn, ...] = ()
    """Of each model."""
    note: str
    """What it comes to, in plain words."""


class AgreementReport(Record):
    """What `cbtrun agree` found."""

    ratings: str
    """Name of the rating set."""
    rubric: str
    rubric_digest: str
    validation: str
    notes: tuple[str, ...]
    """Assumptions of the rubric, and how missing scores were handled."""
    humans: tuple[str, ...]
    models: tuple[str, ...]
    sessions: int
    """Sessions that people rated."""
    epsilon: float = EPSILON
    """What a person costs more, in the alternative-annotator test."""
    missing: dict[str, int]
    """Why people's item scores are missing -> count."""
    outcomes: tuple[OutcomeAgreement, ...]


def agreement_report(
    name: str,
    humans: Sequence[Rating],
    models: Sequence[Score],
    rubric: Rubric,
    seed: int,
    sums: Mapping[tuple[str, str, str], float] | None = None,
    epsilon: float = EPSILON,
) -> AgreementReport:
    """Agreement on every outcome. models: the rating set's scores, outcome by outcome. epsilon: what a person costs more.

    sums: (session, person, outcome) -> a total or subscale that a person gave as such. Where people gave those alone,
    only they are compared. Raises StatisticsError where a sum is not what the person's items come to, when a person bears a model's name, or nothing is in common.
    """
    sessions = list(dict.fromkeys(rating.session for rating in humans))
    people, machines = sorted({rating.rater for rating in humans}), sorted(_raters(models))
    if both := sorted({*people} & {*machines}):
        raise StatisticsError(f"a person and a model are both called {', '.join(both)}; rename the person in the file")
    rated = {*sessions}
    theirs = [score for score in models if score.session in rated]
    if not theirs:
        raise StatisticsError(f"no session that people rated has a rating in ratings.{name}")
    singles: dict[str, dict[RatingPlace, float | None]] = {}
    for score in (*scores_of(name, humans, rubric), *theirs):
        singles.setdefault(score.outcome, {}).update(single_values([score]))
    _take_sums(singles, sums or {})
    titles = _titles(rubric)
    outcomes = []
    for outcome, values in singles.items():
        if sums and all(values.get((session, person, 1)) is None for session in sessions for person in people):
            continue  # people gave sums alone
        table = _table(values, sessions, [*people, *machines])
        made = _outcome(f"{name}.{outcome}", titles[outcome], table, people, machines, seed)
        alignment = _alignment(rubric, outcome)
        stand = tuple(
            _standing_in(machine, people, table[:, : len(people)], table[:, at], (epsilon, alignment))
            for at, machine in enumerate(machines, start=len(people))
        )
        outcomes.append(
            made.model_copy(update={"standing_in": stand, "scale": scale_words(outcome_ends(rubric, outcome))})
        )
    return AgreementReport(
        ratings=name,
        rubric=rubric.name,
        rubric_digest=rubric_digest(rubric),
        validation=rubric.validation,
        notes=(*rubric.notes, "a total that is a sum is missing where one of its items is; nothing is filled in"),
        humans=tuple(people),
        models=tuple(machines),
        sessions=len(sessions),
        epsilon=epsilon,
        missing=_missing([one for one in humans if not sums or any(score.score is not None for score in one.scores)]),
        outcomes=tuple(outcomes),
    )


def under_labels(report: AgreementReport, labels: Mapping[str, str]) -> AgreementReport:
    """The report with the study's own titles. labels: item, subscale or total -> what people read for it."""
    titled = tuple(
        one.model_copy(update={"title": labels.get(one.outcome.partition(".")[2], one.title)})
        for one in report.outcomes
    )
    return report.model_copy(update={"outcomes": titled})


def _take_sums(
    singles: Mapping[str, dict[RatingPlace, float | None]], sums: Mapping[tuple[str, str, str], float]
) -> None:
    """Put what people gave as sums beside what their items come to."""
    for (session, person, outcome), points in sums.items():
        of_items = singles[outcome].get((session, person, 1))
        if of_items is not None and abs(of_items - points) > ROUNDING:
            raise StatisticsError(
                f"'{person}' gives session '{session}' a {outcome} of {points:g}, but the items come to {of_items:g}"
            )
        singles[outcome][session, person, 1] = points


def _raters(scores: Iterable[Score]) -> set[str]:
    return {one.rater for score in scores for one in score.singles}


def _titles(rubric: Rubric) -> dict[str, tuple[Kind, str]]:
    titles: dict[str, tuple[Kind, str]] = {"total": ("total", "Total")}
    titles |= {name: ("subscale", subscale.title) for name, subscale in rubric.subscales.items()}
    return titles | {item.id: ("item", item.title) for item in rubric.items}


def _table(values: Mapping[RatingPlace, float | None], sessions: list[str], raters: list[str]) -> Table:
    """Sessions x raters: each cell the mean of that rater's repeats, NaN where one of them has no value."""
    import numpy as np

    cells: dict[tuple[str, str], list[float]] = {}
    for (session, rater, _), value in values.items():
        cells.setdefault((session, rater), []).append(np.nan if value is None else value)
    rows = [[np.mean(cells.get((session, rater), [np.nan])) for rater in raters] for session in sessions]
    table: Table = np.array(rows, dtype=float)
    return table


def _outcome(
    outcome: str, titled: tuple[Kind, str], table: Table, people: list[str], machines: list[str], seed: int
) -> OutcomeAgreement:
    import numpy as np

    from cbtrun.reliability.pairs import PAIRWISE, side_by_side

    kind, title = titled
    of_people = len(people)
    seed = derive_seed(seed, outcome, "agree")
    among = list(combinations(range(of_people), 2))
    across = [(machine, person) for machine in range(of_people, table.shape[1]) for person in range(of_people)]
    pairwise = []
    for coefficient in PAIRWISE:
        found = side_by_side(table, among, across, coefficient, seed)
        pairwise.append(
            PairwiseAgreement(
                name=coefficient,
                human_human=_figure(found.first),
                model_human=_figure(found.second),
                difference=_figure(found.difference),
            )
        )
    there = ~np.isnan(table)
    what = {"outcome": outcome, "kind": kind, "title": title}
    return OutcomeAgreement(
        **what,
        sessions=int((there[:, :of_people].any(axis=1) & there[:, of_people:].any(axis=1)).sum()),
        pairwise=tuple(pairwise),
        humans=agreement(people, table[:, :of_people], seed, what) if of_people > 1 else None,
        models=_against_people(table, of_people, machines),
        note=_in_words(pairwise[0]),
    )


def _alignment(rubric: Rubric, outcome: str) -> Alignment:
    """Answers chosen from a few are the same or not; points are near or far."""
    kinds = {item.id: item.type for item in rubric.items}
    return "accuracy" if kinds.get(outcome) in ("yes_no", "category") else "rmse"


def _standing_in(
    machine: str, people: Sequence[str], of_people: Table, of_machine: Array, how: tuple[float, Alignment]
) -> StandingIn:
    """May the model stand in for a person? how: epsilon, and what being near means."""
    from cbtrun.reliability.alternative_annotator import alternative_annotator

    try:
        found = alternative_annotator(of_people, of_machine, *how)
    except StatisticsError as error:
        return StandingIn(rater=machine, winning_rate=None, note=str(error))
    left_out = tuple(
        PersonLeftOut(
            rater=people[one.person],
            sessions=one.sessions,
            advantage=stored_float(one.advantage),
            p=stored_float(one.p),
            replaceable=one.rejected,
        )
        for one in found.people
    )
    return StandingIn(
        rater=machine,
        winning_rate=stored_float(found.winning_rate),
        advantage=stored_float(found.advantage),
        passes=found.passes,
        test=found.test,
        alignment=how[1],
        people=left_out,
    )


def _against_people(table: Table, of_people: int, machines: list[str]) -> tuple[Severity, ...]:
    """Each model's mean deviation from the mean of the people who scored the session."""
    import numpy as np

    from cbtrun.reliability.bland_altman import mean_interval

    there = ~np.isnan(table[:, :of_people])
    means = np.where(there, table[:, :of_people], 0).sum(axis=1) / np.where(
        there.any(axis=1), there.sum(axis=1), np.nan
    )
    found = []
    for at, machine in enumerate(machines, start=of_people):
        deviations = (table[:, at] - means)[~np.isnan(table[:, at] - means)]
        own = table[:, at][~np.isnan(table[:, at])]
        found.append(
            Severity(
                rater=machine,
                n=int(deviations.size),
                mean=stored_float(float(own.mean())) if own.size else None,
                deviation=stored_float(float(deviations.mean())) if deviations.size else None,
                interval=_rounded(mean_interval(deviations)),
            )
        )
    return tuple(found)


def _in_words(found: PairwiseAgreement) -> str:
    people, mixed, gap = found.human_human.value, found.model_human.value, found.difference.interval
    if mixed is None:
        return "agreement of models with people cannot be computed"
    words = []
    if people is None:
        words.append("people cannot be compared with each other")
    elif gap is None:
        why = found.difference.note.removeprefix("no interval: ")
        words.append(f"the two agreements cannot be compared ({why})")
    elif gap.low > 0:
        words.append("models agree with people better than people with each other")
    elif gap.high < 0:
        words.append("models agree with people worse than people with each other")
    else:
        words.append("no difference is shown between the two agreements")
    if people is not None and people < POOR:
        words.append("people hardly agree themselves, so theirs is no yardstick")
    elif mixed < POOR:
        words.append("the models' scores should not stand in for people's")
    return "; ".join(words)


def _missing(humans: Sequence[Rating]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for score in (score for rating in humans for score in rating.scores if score.score is None and not score.label):
        counts[score.reason or "no reason"] = counts.get(score.reason or "no reason", 0) + 1
    return dict(sorted(counts.items()))


def _figure(found: Estimated) -> Figure:
    value = None if found.value is None else stored_float(found.value)
    return Figure(value=value, interval=_rounded(found.interval), note=found.note or "")


def _rounded(interval: Interval | None) -> Interval | None:
    if interval is None:
        return None
    return interval.model_copy(update={"low": stored_float(interval.low), "high": stored_float(interval.high)})
