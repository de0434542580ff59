"""Learning from sessions: what the report shows of a training by reinforcement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from cbtrun.plugin import (
    REWARD,
    StepPoint,
    Verdict,
    controls_told,
    curve,
    must_rise_of,
    score_names,
    verdict_of,
    vetoed_share,
)
from cbtrun.plugins.report.figure_style import Plate
from cbtrun.plugins.report.inputs import InputKey, ReportInput
from cbtrun.plugins.report.learning_figures import MEASURES, draw_policy, draw_scores
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.watched_training import Moment, WatchedTraining
from cbtrun.plugins.report.wording import number, with_interval

MOST_WITNESSES = 4
"""In one figure; the table has all."""
BELOW = "; below, what the reward has risen more than the witness"
SCALE = "SDs are those of a session within the first and the last fifth of the steps"


@dataclass(frozen=True)
class Learning:
    """One tune job, as the page's section shows it."""

    job: str
    verdicts: Mapping[str, str]
    """Which training -> whether its reward was learnt or gamed."""
    moments: tuple[tuple[str, Moment], ...]
    """Which training -> a chosen step with its best and its worst session."""
    figures: tuple[str, ...]
    """Names of its plates."""


def learning(given: ReportInput) -> list[Learning]:
    """Every job that learnt from whole sessions."""
    return [
        Learning(
            job=job,
            verdicts={_which(job, one, trainings): _verdict(given, job, one).sentence for one in trainings},
            moments=tuple((_which(job, one, trainings), moment) for one in trainings for moment in one.moments),
            figures=tuple(plate.name for plate in _plates_of(given, job)),
        )
        for job, trainings in given.reinforced.items()
    ]


def learning_plates(given: ReportInput) -> Iterator[Plate]:
    """Two plates a job."""
    for job in given.reinforced:
        yield from _plates_of(given, job)


def _plates_of(given: ReportInput, job: str) -> Iterator[Plate]:
    points = _curves(InputKey(given))[job]
    drawn = [name for name in _names(given, job) if any(name in point.standard for point in points)]
    if drawn:
        shown = drawn[: 1 + MOST_WITNESSES]
        more = f" {len(drawn) - len(shown)} more witnesses stand in the table." if len(drawn) > len(shown) else ""
        yield Plate(
            f"learning-{job}",
            f"{job}: reward and witness by step",
            "Means with 95 % intervals, clustered by persona, in standard deviations of a session from where the training began"
            f"{BELOW if len(shown) > 1 else ''}. {_told(points, shown)}{more}",
            partial(draw_scores, points, shown, _ended(given.reinforced[job])),
        )
    measures = [name for name in MEASURES if any(getattr(point, name) is not None for point in points)]
    if measures:
        yield Plate(
            f"policy-{job}",
            f"{job}: the policy by step",
            "Divergence from where it began, length and variety of what the therapist says, and the share of sessions that the veto "
            "left without reward.",
            partial(draw_policy, points, measures),
        )


def _told(points: Sequence[StepPoint], names: Sequence[str]) -> str:
    """The figure in words: where every line ends."""
    ends = [
        f"{'the reward' if name == REWARD else name} ends at {with_interval(last.value, last.interval, 2)}"
        for name in names
        if (last := points[-1].standard.get(name)) is not None
    ]
    return f"At {_at(points[-1])}, {', '.join(ends)}." if ends else ""


def _at(point: StepPoint) -> str:
    return f"step {point.last}" if point.first == point.last else f"steps {point.first} to {point.last}"


def _ended(trainings: Sequence[WatchedTraining]) -> dict[int, str]:
    """Step at which a declared stop ended a training -> which seeds, where there are several."""
    found: dict[int, list[str]] = {}
    for one in trainings:
        if one.steps[-1].stopped:
            found.setdefault(one.steps[-1].step, []).append(one.seed)
    return {step: f"seed {', '.join(seeds)}" if len(trainings) > 1 else "" for step, seeds in found.items()}


def learning_tables(given: ReportInput) -> Iterator[Table]:
    """Outcome of each training, its controls, and every point of the curves."""
    if given.reinforced:
        yield from filter(None, (_outcomes(given), _controls(given), _scores(given), _policies(given)))


def _outcomes(given: ReportInput) -> Table:
    rows = []
    for job, trainings in given.reinforced.items():
        for at, one in enumerate(trainings):
            told, last = _verdict(given, job, one), one.steps[-1]
            share = vetoed_share(one.steps)
            cells = (
                job,
                one.seed,
                told.kind,
                str(len(one.steps)),
                f"{sum(len(step.rollouts) for step in one.steps):,}",
                *(with_interval(rise.value, rise.interval, 2) if rise else "–" for rise in (told.reward, told.witness)),
                "–" if share is None else f"{share:.0%}",
            )
            rows.append(Row(cells, starts=at == 0, detail=f"Ended early: {last.stopped}." if last.stopped else ""))
    columns = ("Job", "Seed", "Verdict", "Steps", "Sessions", "Reward rose [95 % CI]", "Witness rose [95 % CI]", "Vetoed")  # fmt: skip
    notes = (
        "Points of each rating, the last fifth of the steps against the first; the reward before any veto; the witness that must rise",
        "On patients that it trained with. What an arm may claim is decided on other patients, by the witness",
    )
    return Table("reinforced", "What came of each training", columns, tuple(rows), 3, None, notes)


def _controls(given: ReportInput) -> Table | None:
    rows = [
        Row(
            (
                job,
                one.seed,
                told.kind,
                "yes" if told.is_preferred else "no",
                str(told.pairs),
                str(told.preferred),
                with_interval(told.difference, told.interval, 2),
            ),
            starts=at == 0,
            detail=f"{told.unscored} pairs have no reward on one side." if told.unscored else "",
        )
        for job, trainings in given.reinforced.items()
        for one in trainings
        for at, told in enumerate(controls_told(one.steps, _stop(given, job).get("controls") or {}))
    ]
    columns = ("Job", "Seed", "Control", "Preferred", "Pairs", "Earned more", "Control − session [95 % CI]")
    notes = (
        "A control is a session of the training with one thing done to it; a reward that prefers it will be gamed",
    )
    title = "Does the reward prefer sessions that were spoiled?"
    return Table("training-controls", title, columns, tuple(rows), 4, None, notes) if rows else None


def _scores(given: ReportInput) -> Table | None:
    rows = [
        Row(
            (job, name, _steps(point), str(mean.n), with_interval(mean.value, mean.interval, 2), _standard(point, name))
        )
        for job in given.reinforced
        for name in _names(given, job)
        for point in _curves(InputKey(given))[job]
        if (mean := point.scores.get(name)) is not None
    ]
    columns = ("Job", "Score", "Steps", "Sessions", "Points [95 % CI]", "SDs from the start [95 % CI]")
    return (
        Table("training-scores", "Reward and witness by step", columns, tuple(rows), 3, None, (SCALE,))
        if rows
        else None
    )


def _standard(point: StepPoint, name: str) -> str:
    mean = point.standard.get(name)
    return with_interval(mean.value, mean.interval, 2) if mean else "–"


def _policies(given: ReportInput) -> Table:
    rows = [
        Row(
            (
                job,
                _steps(point),
                str(point.sessions),
                number(point.kl, 3),
                number(point.tokens, 0),
                number(point.entropy, 2),
                number(point.repetition, 2),
                number(point.vetoed, 2),
            ),
            starts=at == 0,
        )
        for job in given.reinforced
        for at, point in enumerate(_curves(InputKey(given))[job])
    ]
    columns = (
        "Job",
        "Steps",
        "Sessions",
        "KL, nats a token",
        "Tokens a session",
        "Entropy, nats",
        "Said again",
        "Vetoed",
    )
    return Table("training-policy", "The policy by step", columns, tuple(rows), 2, None)


def _steps(point: StepPoint) -> str:
    return str(point.first) if point.first == point.last else f"{point.first}–{point.last}"


def _names(given: ReportInput, job: str) -> list[str]:
    """The reward, the witness that must rise, the others."""
    names = score_names([one.steps for one in given.reinforced[job]])
    must = must_rise_of(names[1:], (_stop(given, job).get("gap") or {}).get("must_rise") or "")
    return sorted(names, key=lambda name: (name != REWARD, name != must))


def _stop(given: ReportInput, job: str) -> Mapping[str, Any]:
    block = given.named.study.tune_jobs.get(job)
    return (block.options.get("stop") or {}) if block is not None else {}


def _verdict(given: ReportInput, job: str, one: WatchedTraining) -> Verdict:
    return verdict_of(one.steps, _stop(given, job))


def _which(job: str, one: WatchedTraining, trainings: Sequence[WatchedTraining]) -> str:
    return f"{job}, seed {one.seed}" if len(trainings) > 1 else job


@lru_cache(maxsize=4)
def _curves(key: InputKey) -> dict[str, list[StepPoint]]:
    """Job -> the points of its curves, over all its seeds."""
    return {job: curve([one.steps for one in trainings]) for job, trainings in key.given.reinforced.items()}
