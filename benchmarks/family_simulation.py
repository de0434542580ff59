"""Family-wise error of a study's declared comparisons, over simulated studies in which the truth is known.

    python benchmarks/family_simulation.py [--studies 2000] [--seed 1]

Every study has 20 personas with one session in each of four arms, scored on eleven items from 0 to 6. Three analyses compare
the first arm with each of the others: they share an arm, so their tests are not independent. Each goes with its items
through the same functions as in a run: `family: primary`, Holm, gates, intervals that hold together.

Scenarios: `nothing differs`; `one arm differs` (one true contrast, two true nulls); `all arms differ, five items do not`
(all primary outcomes are true, so the gate is open). Reported: the share of studies with a false claim among the primary
outcomes, by their own p and by the family's, and anywhere in the study; the share in which all intervals of a family cover;
and how often an interval of a family without 0 stands beside an adjusted p of 0.05 or more, which must be never.
The last line is JSON; the exit code is 1 where a family's error lies three Monte-Carlo standard errors above 0.05.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from cbtrun.analysis.comparison_families import adjusted_study
from cbtrun.contract.records import Comparison, Interval, Test
from cbtrun.contract.study_view import StudyView

ARMS = ("a", "b", "c", "d")
PERSONAS, ITEMS, UNTOUCHED, ALPHA = 20, 11, 5, 0.05
BLOCK = {"using": "paired", "outcome": "ctrs.total", "factor": "arm"}
STUDY = StudyView({"analysis": {f"a-{other}": {**BLOCK, "levels": ["a", other]} for other in ARMS[1:]}})
SCENARIOS: Mapping[str, tuple[tuple[float, ...], int]] = {
    "nothing differs": ((0, 0, 0, 0), ITEMS),
    "one arm differs": ((0, -1.5, 0, 0), ITEMS),
    "all arms differ, five items do not": ((0, -1.5, -1.5, -1.5), ITEMS - UNTOUCHED),
}
"""Name -> what each arm adds to an item's score, and how many items it adds it to."""


def drawn_scores(rng: np.random.Generator, shifts: Sequence[float], touched: int) -> np.ndarray:
    """Item scores, (arms, personas, items): persona and persona-by-arm effects, whole points from 0 to 6."""
    persona = rng.normal(3, 0.7, (1, PERSONAS, 1))
    liking = rng.normal(0, 0.4, (len(ARMS), PERSONAS, 1))
    moved = np.array(shifts)[:, None, None] * (np.arange(ITEMS) < touched)
    return np.clip(np.round(persona + liking + moved + rng.normal(0, 1, (len(ARMS), PERSONAS, ITEMS))), 0, 6)


def answers(scores: np.ndarray, *, items: bool = True) -> list[Comparison]:
    """The declared comparisons of a study: each contrast on the total, and on the items if wanted."""
    made = []
    for at, other in enumerate(ARMS[1:], 1):
        values = {"total": scores[0].sum(axis=1) - scores[at].sum(axis=1)}
        if items:
            values |= {f"item{number}": scores[0, :, number] - scores[at, :, number] for number in range(ITEMS)}
        made += [_answer(f"a-{other}", ("a", other), outcome, differences) for outcome, differences in values.items()]
    return made


def _answer(name: str, levels: tuple[str, str], outcome: str, differences: np.ndarray) -> Comparison:
    """Paired t by its formula: SciPy's own function takes most of a millisecond, and there are 72,000 of them."""
    mean, error, df = float(differences.mean()), float(differences.std(ddof=1)) / PERSONAS**0.5, PERSONAS - 1
    half = float(stdtrit(df, 0.975)) * error
    p = 2 * float(stdtr(df, -abs(mean) / error)) if error else 1.0
    tests = (Test(name="t", statistic=mean / error, df=df, p=p),) if error else ()
    return Comparison(
        analysis=name,
        design="paired",
        outcome=f"ctrs.{outcome}",
        factor="arm",
        levels=levels,
        groups=(),
        n=PERSONAS,
        unit_of_analysis="pair of one persona",
        estimate=mean,
        interval=Interval(low=mean - half, high=mean + half, method="paired t") if error else None,
        tests=tests,
        sentence="",
    )


def is_null(one: Comparison, shifts: Sequence[float], touched: int) -> bool:
    """Whether what a comparison asks is truly nothing."""
    shift = shifts[ARMS.index(one.levels[1])]
    outcome = one.outcome.partition(".")[2]
    return shift == 0 or (outcome != "total" and int(outcome.removeprefix("item")) >= touched)


def family_errors(name: str, studies: int, seed: int, *, items: bool = True) -> dict[str, Any]:
    """What happened in so many studies of a scenario, as shares of them; `disagreements` is a count."""
    gc.freeze()  # statsmodels collects rubbish at every call, among all that was imported
    shifts, touched = SCENARIOS[name]
    alone = primary = anywhere = covered = disagreements = 0
    for study in range(studies):
        rng = np.random.default_rng([seed, study])
        found = adjusted_study(answers(drawn_scores(rng, shifts, touched), items=items), STUDY)
        nulls = [one for one in found if one.tests and is_null(one, shifts, touched)]
        totals = [one for one in nulls if one.outcome == "ctrs.total"]
        alone += any(one.tests[0].p < ALPHA for one in totals)
        primary += any((one.tests[0].p_adjusted or 0) < ALPHA for one in totals)
        anywhere += any((one.tests[0].p_adjusted or 0) < ALPHA for one in nulls)
        spans = [one.interval_adjusted for one in totals if one.interval_adjusted]
        covered += all(span.low <= 0 <= span.high for span in spans)
        disagreements += sum(_disagrees(one) for one in found)
    shares = {"by_own_p": alone, "primary": primary, "anywhere": anywhere, "intervals_cover": covered}
    return {key: round(count / studies, 4) for key, count in shares.items()} | {"disagreements": disagreements}


def _disagrees(one: Comparison) -> bool:
    """Whether an interval of its family leaves 0 out while the adjusted p shows nothing."""
    span, p = one.interval_adjusted, one.tests[0].p_adjusted if one.tests else None
    return span is not None and p is not None and p >= ALPHA and not span.low <= 0 <= span.high


def main() -> None:
    """Run every scenario, print a line each, then one line of JSON; exit 1 where a family holds less than it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    allowed = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / options.studies)
    report = {}
    for name in SCENARIOS:
        report[name] = family_errors(name, options.studies, options.seed)
        print(f"{name:36} {json.dumps(report[name])}", flush=True)
    wrong = [name for name, shares in report.items() if shares["primary"] > allowed or shares["disagreements"]]
    print(json.dumps({"studies": options.studies, "seed": options.seed, "scenarios": report, "wrong": wrong}))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
