"""How much of an outcome's variance is the raters', from repeated ratings of the same sessions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cbtrun.contract.records import Effect, Interval
from cbtrun.contract.worded import Which, wording_of
from cbtrun.statistics.samples import as_sample


@dataclass(frozen=True)
class RatedSession:
    """The ratings of one session, and the group (level of a factor) that it belongs to."""

    group: str
    ratings: Mapping[tuple[str, Which], float]
    """(rater, which of its ratings) -> points."""


@dataclass(frozen=True)
class JudgeNoise:
    """Variance components of single ratings, in squared points."""

    session: float
    """Between sessions of one group, free of rater noise; not below zero."""
    rater: float | None
    """Between raters (their severity); none with one rater, or when sessions were not all rated alike."""
    residual: float
    """Within a session: repeats, and raters who rank sessions differently."""
    ratings: float
    """Ratings behind a session's value (harmonic mean)."""

    @property
    def of_a_mean(self) -> float:
        """Noise variance of one session's mean rating."""
        return self.residual / self.ratings


def judge_noise(sessions: Sequence[RatedSession]) -> JudgeNoise | None:
    """Components by the classical analysis of variance; none unless some session has several ratings.

    Where every session has the same raters and repeats, their severity is taken out of the noise (consistency, as in
    ICC(3,k)), because it moves all groups alike; otherwise it stays in (as in ICC(1,k)).
    Source: Searle, Casella & McCulloch 1992, chapter 4; Shrout & Fleiss 1979.
    """
    several = [session for session in sessions if len(session.ratings) > 1]
    groups = {session.group for session in sessions}
    if not several or len(sessions) <= len(groups):
        return None
    layouts = {tuple(sorted(session.ratings)) for session in sessions}
    if len(layouts) == 1:
        return _balanced(sessions, sorted(next(iter(layouts))))
    counts = [len(session.ratings) for session in sessions]
    within = sum(_squares(list(session.ratings.values())) for session in sessions) / (sum(counts) - len(sessions))
    ratings = len(counts) / math.fsum(1 / count for count in counts)
    means = [math.fsum(session.ratings.values()) / len(session.ratings) for session in sessions]
    return JudgeNoise(max(0.0, _between(sessions, means) - within / ratings), None, within, ratings)


def _balanced(sessions: Sequence[RatedSession], columns: Sequence[tuple[str, Which]]) -> JudgeNoise:
    """Sessions x (rater, repeat) without gaps. A wording moves all groups alike, as a rater does."""
    import numpy as np

    table = np.array([[session.ratings[column] for column in columns] for session in sessions])  # (sessions, ratings)
    n, k = table.shape
    raters = sorted({rater for rater, _ in columns})
    asked = [(rater, wording_of(which)) for rater, which in columns]
    ways = sorted(set(asked))  # a rater's wordings, each with a severity of its own
    centred = table - table.mean(axis=1, keepdims=True)
    severe = np.array([centred[:, [column == way for column in asked]].mean() for way in ways])
    of_column = np.array([severe[ways.index(column)] for column in asked])
    residual = float(((centred - of_column) ** 2).sum()) / (n * (k - 1) - (len(ways) - 1))
    severity = np.array([severe[[way[0] == rater for way in ways]].mean() for rater in raters])
    between = _between(sessions, [float(mean) for mean in table.mean(axis=1)])
    rater = None
    if len(raters) > 1:
        per_rater = n * k / len(raters)
        rater = max(0.0, float(severity.var(ddof=1)) - residual / per_rater)
    return JudgeNoise(max(0.0, between - residual / k), rater, residual, float(k))


def _between(sessions: Sequence[RatedSession], means: Sequence[float]) -> float:
    """Variance of session means within groups, pooled."""
    by_group: dict[str, list[float]] = {}
    for session, mean in zip(sessions, means, strict=True):
        by_group.setdefault(session.group, []).append(mean)
    return sum(_squares(values) for values in by_group.values()) / (len(sessions) - len(by_group))


def _squares(values: Sequence[float]) -> float:
    sample = as_sample(values)
    return float(((sample - sample.mean()) ** 2).sum())


def reliable_effect(effect: Effect, observed_variance: float, noise_variance: float) -> tuple[Effect | None, float]:
    """The effect in SDs free of judge noise, and the reliability that it was divided by the root of.

    observed_variance: of the values that the effect is scaled by; noise_variance: the part of it that is the judges'.
    None when noise explains all of the variance. Source: Hunter & Schmidt 2004, correction for attenuation; the
    interval is scaled alike, so it does not carry the uncertainty of the reliability itself.
    """
    reliability = 1 - noise_variance / observed_variance if observed_variance > 0 else 0.0
    if reliability <= 0:
        return None, max(0.0, reliability)
    by = 1 / math.sqrt(reliability)
    interval = effect.interval and Interval(
        low=effect.interval.low * by, high=effect.interval.high * by, method=f"{effect.interval.method}, scaled"
    )
    return Effect(name=f"{effect.name}_reliable", value=effect.value * by, interval=interval), reliability
