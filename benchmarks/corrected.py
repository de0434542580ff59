"""How often intervals of a difference hold the truth: by the judge alone, by people alone, corrected, and corrected with z.

    python benchmarks/corrected.py [--studies 2000] [--seed 1] [--only pairs|sessions|strata|independent|yes-no]

A study has two arms and 40 personas (80 where 40 are labelled), people's totals run from 0 to 66, the first arm is 3 points
better, and a judge scores every session. What people rate is drawn: personas under both arms (`pairs`), sessions evenly by
arm (`sessions`), personas with twice the chance in one of two strata (`strata`), sessions of arms with personas of their own
(`independent`; half of the labelled in each). The judge favours the first arm by 3 points (`bias`), also near the top of the
scale (`ceiling`), also with an error of 8 points (`noise`). `yes-no`: one item, by Rogan-Gladen's estimate and by the same
correction as totals, with a judge who errs alike at both arms (`alike`), says yes too easily at the first (`bias`), of an item
that most have (`common`). Each goes through the function that a study calls. Asserted: at least 0.93 of the corrected
intervals hold the truth in every cell of 12 labelled personas and more. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np

from cbtrun.errors import StatisticsError
from cbtrun.statistics.corrected import DrawnSessions, Estimate, corrected_difference
from cbtrun.statistics.rogan_gladen import rogan_gladen

LEAST, PERSONAS, POPULATION = 0.93, 40, 400_000
LABELLED = (8, 12, 20, 40)
PROMISED = 12
"""Labelled personas from which on the figures are asserted."""
WORLDS = {"bias": (36.0, 2.0), "ceiling": (60.0, 2.0), "noise": (36.0, 8.0)}
"""World -> people's mean of the second arm, SD of the judge's error; points."""
ANSWERS = {
    "alike": ((0.9, 0.9), (0.9, 0.9), (0.5, -0.5)),
    "bias": ((0.95, 0.85), (0.6, 0.9), (0.5, -0.5)),
    "common": ((0.95, 0.85), (0.7, 0.9), (2.0, 1.0)),
}
"""World -> sensitivity and specificity of the judge, and log odds of a yes, at the two arms."""
Z = NormalDist().inv_cdf(0.975)

Scores = tuple[np.ndarray, np.ndarray]
"""(personas, arms) of people and of the judge."""


@dataclass
class Covered:
    """Counts over the studies of one cell."""

    given: int = 0
    held: int = 0
    widths: list[float] = field(default_factory=list)

    def add(self, low: float, high: float, truth: float) -> None:
        """Count one interval."""
        self.given += 1
        self.held += low <= truth <= high
        self.widths.append(high - low)

    def figures(self, studies: int) -> dict[str, float]:
        """Share that holds the truth, share of the studies that have one, median width."""
        held = round(self.held / self.given, 4) if self.given else 0.0
        width = round(float(np.median(self.widths)), 2) if self.widths else 0.0
        return {"covered": held, "given": round(self.given / studies, 4), "width": width}


def totals(rng: np.random.Generator, world: str, personas: int) -> Scores:
    """People's and the judge's totals of each persona under both arms."""
    middle, error = WORLDS[world]
    true = middle + np.array([3.0, 0.0]) + rng.normal(0, 6, (personas, 1)) + rng.normal(0, 3, (personas, 2))
    people = true + rng.normal(0, 2, true.shape)
    judge = true + np.array([3.0, 0.0]) + rng.normal(0, error, true.shape)
    return np.clip(np.round(people), 0, 66), np.clip(np.round(judge), 0, 66)


def answers(rng: np.random.Generator, world: str, personas: int) -> Scores:
    """People's and the judge's yes (1) and no (0)."""
    sensitivity, specificity, odds = map(np.array, ANSWERS[world])
    logit = odds + rng.normal(0, 1, (personas, 1)) + rng.normal(0, 0.5, (personas, 2))
    people = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    right = rng.random(logit.shape) < np.where(people, sensitivity, specificity)
    return people.astype(float), np.where(right, people, ~people).astype(float)


def drawn_sessions(rng: np.random.Generator, scores: Scores, draw: str, labelled: int) -> DrawnSessions:
    """What a study of these scores has to go by, after the draw."""
    people, judge = scores
    personas = people.shape[0]
    rated, chance = np.zeros(people.shape, dtype=bool), np.ones(people.shape)
    stratum = np.zeros(people.shape, dtype=np.int64)
    codes = np.repeat(np.arange(personas), 2)
    if draw == "strata":
        stratum[personas // 2 :] = 1
        for at, part in enumerate((labelled * 2 // 3, labelled - labelled * 2 // 3)):
            those = np.flatnonzero(stratum[:, 0] == at)
            rated[rng.permutation(those)[:part]] = True
            chance[those] = part / those.size
    elif draw == "pairs":
        rated[rng.permutation(personas)[:labelled]] = True
    else:
        for arm in (0, 1):
            rated[rng.permutation(personas)[: labelled // 2], arm] = True
        codes = np.arange(2 * personas) if draw == "independent" else codes
    sides, weights = np.tile([1.0, -1.0], personas), np.full(2 * personas, 1 / personas)
    seen = np.where(rated, people, np.nan)
    return DrawnSessions(codes, sides, stratum.ravel(), weights, chance.ravel(), judge.ravel(), seen.ravel())


def study_scores(rng: np.random.Generator, make: Callable[..., Scores], world: str, draw: str, personas: int) -> Scores:
    """Scores of one study; independent arms have personas of their own."""
    people, judge = make(rng, world, personas)
    if draw == "independent":
        others, by_judge = make(rng, world, personas)
        people, judge = (np.stack([a[:, 0], b[:, 1]], axis=1) for a, b in ((people, others), (judge, by_judge)))
    return people, judge


@cache
def truth(make: Callable[..., Scores], world: str) -> float:
    """The difference of people's means, of 400,000 personas."""
    people, _ = make(np.random.default_rng(99), world, POPULATION)
    return float((people[:, 0] - people[:, 1]).mean())


def ends_of(found: Estimate, quantile: float | None = None) -> tuple[float, float]:
    """Limits by t, or by another quantile."""
    span = found.interval()
    if span is None:
        return found.value, found.value
    half = (span.high - span.low) / 2 if quantile is None else quantile * found.error
    return found.value - half, found.value + half


def cell(draw: str, world: str, labelled: int, studies: int, seed: int) -> dict[str, dict[str, float]]:
    """Figures of all intervals of one cell, on the same studies."""
    of_answers = draw == "yes-no"
    make, way = (answers, "pairs") if of_answers else (totals, draw)
    right = truth(make, world)
    tallies = {
        name: Covered() for name in ("judge", "people", "corrected", "z", *(["rogan-gladen"] if of_answers else []))
    }
    for study in range(studies):
        rng = np.random.default_rng([seed, study, labelled])
        scores = study_scores(rng, make, world, way, max(PERSONAS, 2 * labelled))
        drawn = drawn_sessions(rng, scores, way, labelled)
        found = corrected_difference(drawn)
        for name in ("judge", "people", "corrected"):
            tallies[name].add(*ends_of(getattr(found, name)), right)
        tallies["z"].add(*ends_of(found.corrected, Z), right)
        if of_answers:
            try:
                tallies["rogan-gladen"].add(*ends_of(rogan_gladen(drawn).difference), right)
            except StatisticsError:
                continue
    return {name: tally.figures(studies) for name, tally in tallies.items()}


def cells(only: str | None) -> Iterator[tuple[str, str, int]]:
    """Draw, world and labelled personas of every cell."""
    for draw in ("pairs", "sessions", "strata", "independent", "yes-no"):
        if only in (None, draw):
            for world in ANSWERS if draw == "yes-no" else WORLDS:
                yield from ((draw, world, labelled) for labelled in LABELLED)


def too_low(figures: dict[str, dict[str, float]]) -> list[str]:
    """The corrected intervals of a cell that hold the truth too rarely."""
    ours = ("corrected", "rogan-gladen")
    return [f"{name} {told['covered']}" for name, told in figures.items() if name in ours and told["covered"] < LEAST]


def main() -> None:
    """A line for each cell, then one of JSON; exit 1 where a promised cell covers too little."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["pairs", "sessions", "strata", "independent", "yes-no"])
    options = parser.parse_args()
    report: dict[str, Any] = {}
    below: list[str] = []
    wrong: list[str] = []
    for draw, world, labelled in cells(options.only):
        name = f"{draw}, {world}, {labelled} labelled"
        report[name] = figures = cell(draw, world, labelled, options.studies, options.seed)
        found = [f"{name}: {one}" for one in too_low(figures)]
        below += found
        wrong += found if labelled >= PROMISED else []
        print(f"{name:34} {json.dumps(figures)}", flush=True)
    told = {"studies": options.studies, "seed": options.seed, "cells": report, "below": below, "wrong": wrong}
    print(json.dumps(told))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
