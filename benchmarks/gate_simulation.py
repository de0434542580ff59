"""How often `cbtrun gate` passes what lies exactly at its bound, over simulated studies: a false pass, of which 2.5 % are allowed.

    python benchmarks/gate_simulation.py [--studies 4000] [--seed 1]

Each study goes through the function that a real one calls. `no worse`: the new model's true mean is lower by the margin; `sound`:
how often it passes with no true difference. `min false`: the true mean is the minimum. Asserted, each with three Monte-Carlo standard
errors: no false pass above 2.5 % where values are normal, above 5 % elsewhere, but for the rows that begin with `told`: they show what
no limit from few sessions can see. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cbtrun.gate.asked import Asked, Criterion
from cbtrun.gate.judged_run import Value
from cbtrun.gate.verdicts import verdicts
from cbtrun.statistics.one_sided import ERROR

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
"""Of n patients: what the new model scores, shifted down by the margin, and what the old one does; (n, repeats) each."""


@dataclass(frozen=True)
class Drawn:
    """A run that was never held, with what a gate asks of one."""

    points: np.ndarray
    prefix: str = "p"

    def values(self, _outcome: str, _arm: str) -> list[Value]:
        """A row a session."""
        return [
            Value(f"{self.prefix}{at}", f"{at}/{repeat}", float(value), words=f"{self.prefix}{at}{repeat}{id(self)}")
            for (at, repeat), value in np.ndenumerate(self.points)
        ]

    @property
    def units(self) -> dict[str, str]:
        """The patients."""
        return {f"{self.prefix}{at}": "" for at in range(len(self.points))}


@dataclass(frozen=True)
class Case:
    """One kind of score."""

    draw: Callable[[np.random.Generator, int, float], tuple[np.ndarray, np.ndarray]]
    """Generator, n, shift of the new model in points -> new, old."""
    margin: float
    ends: tuple[float, float]
    paired: bool = True
    allowed: float = 2 * ERROR
    """Share of false passes."""


def total(rng: np.random.Generator, n: int, shift: float, repeats: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A total about 40 of 66: patients differ (SD 6), and sessions of one (SD 4)."""
    patient = rng.normal(40, 6, (n, 1))
    return patient - shift + rng.normal(0, 4, (n, repeats)), patient + rng.normal(0, 4, (n, repeats))


def mixture(rng: np.random.Generator, n: int, shift: float, top: float) -> tuple[np.ndarray, np.ndarray]:
    """An item of 0 to 6, most at `top` or above; the new model falls to 2 so often that its mean is lower by the shift."""
    probabilities = np.array([0.02, 0.03, 0.1, 0.25, 0.6])
    old = rng.choice(np.array([2, 3, 4, 5, 6]) - (6 - top), (n, 1), p=probabilities)
    fresh = rng.choice(np.array([2, 3, 4, 5, 6]) - (6 - top), (n, 1), p=probabilities)
    mean = float(np.dot(probabilities, np.array([2, 3, 4, 5, 6]) - (6 - top)))
    falls = rng.random((n, 1)) < shift / (mean - (2 - (6 - top)))
    return np.where(falls, 2 - (6 - top), fresh).astype(float), old.astype(float)


def flag(rng: np.random.Generator, n: int, shift: float, before: float) -> tuple[np.ndarray, np.ndarray]:
    """Yes or no: a share of `before` says yes, of the new model's sessions so much less."""
    return (rng.random((n, 1)) < before - shift).astype(float), (rng.random((n, 1)) < before).astype(float)


def collapse(rng: np.random.Generator, n: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """A total that is the same but for noise, and 0 so seldom that the mean is lower by the shift."""
    new, old = total(rng, n, 0.0)
    return np.where(rng.random((n, 1)) < shift / 40, 0.0, new), old


def capped(rng: np.random.Generator, n: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """A rounded total near the top of its scale of 66: the skew that a ceiling makes."""
    patient = rng.gamma(2.0, 3.0, (n, 1))
    new, old = (rng.gamma(1.0, 2.0, (n, 1)) for _ in range(2))
    return 66 - patient - new - shift, 66 - patient - old


CASES = {
    "total": Case(total, 3.3, (0, 66), allowed=ERROR),
    "total, 3 repeats": Case(lambda rng, n, shift: total(rng, n, shift, 3), 3.3, (0, 66), allowed=ERROR),
    "total at the ceiling": Case(capped, 3.3, (0, 66)),
    "total, other patients": Case(total, 3.3, (0, 66), paired=False, allowed=ERROR),
    "item of 0 to 6": Case(lambda rng, n, shift: mixture(rng, n, shift, 6), 0.5, (0, 6)),
    "yes or no, 90 %": Case(lambda rng, n, shift: flag(rng, n, shift, 0.9), 0.1, (0, 1)),
    "yes or no, 99 %": Case(lambda rng, n, shift: flag(rng, n, shift, 0.99), 0.05, (0, 1)),
    "told: 1 of 20 collapses": Case(collapse, 2.0, (0, 66), allowed=1.0),
}
SIZES = (12, 20, 40)


def shares(case: Case, n: int, studies: int, seed: int) -> dict[str, float]:
    """Of so many studies of n patients, those that passed: at the margin, without a difference, and at a minimum."""
    margin = Criterion("no-worse", "x.y", "a", case.margin, case.ends, against="a")
    truth = float(case.draw(np.random.default_rng([seed, 999]), 200_000, case.margin)[0].mean())
    least = Criterion("min", "x.y", "a", truth, case.ends)
    passed = dict.fromkeys(("false", "sound", "min false"), 0)
    for study in range(studies):
        rng = np.random.default_rng([seed, study])
        for name, shift in (("false", case.margin), ("sound", 0.0)):
            new, old = case.draw(rng, n, shift)
            other = Drawn(old if case.paired else case.draw(rng, n, 0.0)[1], "p" if case.paired else "q")
            passed[name] += passes(margin, Drawn(new), other)
            if name == "false":
                passed["min false"] += passes(least, Drawn(new), None)
    return {name: round(count / studies, 4) for name, count in passed.items()}


def passes(criterion: Criterion, run: Drawn, other: Drawn | None) -> bool:
    """The verdict of the product."""
    return next(iter(verdicts([criterion], Asked(), run, other))).state == "passed"  # type: ignore[arg-type]


def main() -> None:
    """A line for each kind of score and n, then one line of JSON; exit 1 where a share is too high."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    slack = 3 * math.sqrt(ERROR * (1 - ERROR) / options.studies)
    report, wrong = {}, []
    for name, case in CASES.items():
        for n in SIZES:
            found = report[f"{name}, n = {n}"] = shares(case, n, options.studies, options.seed)
            if max(found["false"], found["min false"]) > case.allowed + slack:
                wrong.append(f"{name}, n = {n}")
            print(f"{name:24} n = {n:2}  false {found['false']:.4f}  sound {found['sound']:.4f}  min false {found['min false']:.4f}", flush=True)  # fmt: skip
    print(json.dumps({"studies": options.studies, "seed": options.seed, "shares": report, "wrong": wrong}))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
