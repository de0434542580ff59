"""Type I error and coverage of what ships, by design and by claim, over simulated studies in which nothing differs.

    python benchmarks/claims_simulation.py [--studies 1000] [--seed 1] [--only TEXT]

Scores are bounded and clustered: eleven items of binomial(6, p), p on a logit scale with effects of personas, personas at
a level, sessions, tunings, raters and raters at a level; the total is compared by the same functions as in a study. A
claim reaches as far as what is drawn anew in each study: patients always; tunings where they differ; raters where they
favour levels. Rows marked `not claimed` show how wrong a wider claim would be than the one that the sentence makes.
Asserted: what is claimed rejects not above 0.05 by more than three Monte-Carlo standard errors and 0.02 (bounded scores
are not normal, few tunings or raters know little of their variance). The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cbtrun.analysis.table import AnalysisTable, Row
from cbtrun.contract.records import Comparison
from cbtrun.plugins.analyses.independent import compare_independent
from cbtrun.plugins.analyses.mixed import compare_mixed
from cbtrun.plugins.analyses.paired import compare_pairs

ITEMS, POINTS, ALPHA = 11, 6, 0.05
LEVELS = ("a", "b")
OPTIONS = {"factor": "level", "levels": list(LEVELS)}


@dataclass(frozen=True)
class Scenario:
    """One way in which studies are drawn and analysed; SDs are on the logit scale."""

    design: str
    claim: str
    claimed: bool = True
    """Whether the sentence makes the claim, so that the error must hold."""
    personas: int = 20
    shared: bool = True
    """Whether both levels have the same personas."""
    repeats: int = 1
    tunings: tuple[int, int] = (0, 0)
    """Tunings behind each level; 0 is a level that was not tuned."""
    adapters: str = "own"
    """`own` of each level, or `shared` by both."""
    raters: int = 1
    mean: float = 0.5
    persona: float = 0.5
    at_level: float = 0.25
    opposed: bool = False
    """Whether a persona's effects at the two levels have opposite signs."""
    session: float = 0.2
    tuning: float = 0.0
    rater: float = 0.2
    favour: float = 0.0
    """How much raters favour levels."""

    def __str__(self) -> str:
        return f"{self.design}: {self.claim}"


TUNED = {"tuning": 0.25, "personas": 10}
FAVOURED = {"favour": 0.25, "personas": 14}
SCENARIOS = (
    Scenario("paired, 20 personas x 2", "patients", repeats=2),
    Scenario("paired, 20 personas x 2, at the ceiling", "patients", repeats=2, mean=2.5),
    Scenario("paired, 6 personas", "patients", personas=6),
    Scenario("independent, 15 and 15 personas x 2", "patients", personas=15, shared=False, repeats=2),
    Scenario("paired, 1 tuning a level", "patients, tunings", claimed=False, tunings=(1, 1), **TUNED),
    Scenario("paired, 3 tunings averaged", "patients, tunings", claimed=False, tunings=(3, 3), **TUNED),
    Scenario("mixed, 20 personas", "patients"),
    Scenario("mixed, 20 personas x 2, at the ceiling", "patients", repeats=2, mean=2.5),
    Scenario("mixed, 8 personas, hardly any differences between them", "patients", personas=8, persona=0.05),
    Scenario("mixed, 14 personas, opposite effects", "patients", personas=14, at_level=0.5, persona=0.0, opposed=True),
    Scenario("mixed, 14 personas x 2, opposite effects", "patients", personas=14, repeats=2, at_level=0.5, persona=0.0,
             opposed=True),
    Scenario("mixed, 2 tunings a level", "patients, tunings", tunings=(2, 2), **TUNED),
    Scenario("mixed, 3 tunings a level", "patients, tunings", tunings=(3, 3), **TUNED),
    Scenario("mixed, 5 tunings a level", "patients, tunings", tunings=(5, 5), **TUNED),
    Scenario("mixed, 3 tunings a level that hardly differ", "patients, tunings", tunings=(3, 3), tuning=0.05, personas=10),
    Scenario("mixed, 4 tunings and an untuned level", "patients, tunings", tunings=(4, 0), **TUNED),
    Scenario("mixed, 3 tunings and 1", "patients, tunings", tunings=(3, 1), **TUNED),
    Scenario("mixed, 3 tunings shared by both levels", "patients", tunings=(3, 3), adapters="shared", **TUNED),
    Scenario("mixed, 2 raters", "patients", raters=2, personas=14),
    Scenario("mixed, 3 raters", "patients", raters=3, personas=14),
    Scenario("mixed, 2 raters who favour levels", "patients, raters", claimed=False, raters=2, **FAVOURED),
    Scenario("mixed, 3 raters who favour levels", "patients, raters", raters=3, **FAVOURED),
    Scenario("mixed, 5 raters who favour levels", "patients, raters", raters=5, **FAVOURED),
    Scenario("mixed, 3 tunings a level and 2 raters", "patients, tunings", tunings=(3, 3), raters=2, **TUNED),
)  # fmt: skip


def drawn(scenario: Scenario, rng: np.random.Generator, lift: float = 0.0) -> AnalysisTable:
    """One study's table; lift: of the first level, in logits."""
    difficulty = np.linspace(-0.5, 0.5, ITEMS)
    people = rng.normal(0, scenario.persona, (2, scenario.personas))
    people[1] = people[0] if scenario.shared else people[1]
    liking = rng.normal(0, scenario.at_level, (2, scenario.personas))
    liking[1] = -liking[0] if scenario.opposed else liking[1]
    tunings = rng.normal(0, scenario.tuning, (2, max(1, *scenario.tunings)))
    tunings[1] = tunings[0] if scenario.adapters == "shared" else tunings[1]
    severity = rng.normal(0, scenario.rater, scenario.raters) * (scenario.raters > 1)
    favour = rng.normal(0, scenario.favour, (2, scenario.raters))
    rows = []
    for at, level in enumerate(LEVELS):
        for persona in range(scenario.personas):
            name = f"p{persona}" if scenario.shared else f"{level}{persona}"
            for seed in range(max(1, scenario.tunings[at])):
                for repeat in range(1, scenario.repeats + 1):
                    own = scenario.mean + lift * (at == 0) + people[at, persona] + liking[at, persona]
                    own += rng.normal(0, scenario.session) + tunings[at, seed] * (scenario.tunings[at] > 0)
                    logits = own + difficulty + (severity + favour[at])[:, None]  # (raters, items)
                    points = rng.binomial(POINTS, 1 / (1 + np.exp(-logits))).sum(axis=1)
                    rows.append(_row(scenario, at, name, seed, repeat, points))
    return AnalysisTable("ctrs.total", tuple(rows))


def _row(scenario: Scenario, at: int, persona: str, seed: int, repeat: int, points: Sequence[int]) -> Row:
    level = LEVELS[at]
    job = "job" if scenario.adapters == "shared" else level
    tuning = f"{job}@{seed}" if scenario.tunings[at] else None
    ratings = {(f"r{rater}", 1): float(value) for rater, value in enumerate(points)} if scenario.raters > 1 else {}
    value = float(np.mean(points))
    key = f"{level}/{persona}/{seed}/{repeat}"
    return Row(key, level, persona, repeat, {"level": level}, value, None, value, value, ratings, tuning)


def analysed(scenario: Scenario, table: AnalysisTable) -> Comparison:
    """The comparison as the study's own analysis makes it, by the first word of the scenario's design."""
    using = scenario.design.partition(",")[0]
    if using == "mixed":
        return compare_mixed("null", OPTIONS, table)[0]
    compare = compare_pairs if using == "paired" else compare_independent
    return compare("null", {**OPTIONS, "tests": ["t" if using == "paired" else "welch"]}, table, 1)


def figures(scenario: Scenario, studies: int, seed: int, lift: float = 0.0) -> dict[str, Any]:
    """Shares of the studies that reject, that cover 0, and that have a singular fit; of these the share that rejects."""
    rejected = covered = singular = both = done = 0
    widths = []
    for study in range(studies):
        found = analysed(scenario, drawn(scenario, np.random.default_rng([seed, study]), lift))
        if not found.tests or found.interval is None:
            continue
        done += 1
        here = found.tests[0].p < ALPHA
        rejected += here
        covered += found.interval.low <= 0 <= found.interval.high
        at_zero = any("singular fit" in note for note in found.notes)
        singular, both = singular + at_zero, both + (here and at_zero)
        widths.append(found.interval.high - found.interval.low)
    share = partial(round, ndigits=4)
    return {
        "claimed": scenario.claimed,
        "studies": done,
        "rejected": share(rejected / done),
        "covered": share(covered / done),
        "singular": share(singular / done),
        "rejected_if_singular": share(both / singular) if singular else None,
        "median_width": share(float(np.median(widths))),
    }


def is_wrong(found: dict[str, Any]) -> bool:
    """Whether something that is claimed rejects too often."""
    allowed = 0.02 + 3 * math.sqrt(ALPHA * (1 - ALPHA) / found["studies"])
    return bool(found["claimed"] and found["rejected"] > ALPHA + allowed)


def main() -> None:
    """Run every scenario, print a line each, then one line of JSON; exit 1 when a claim rejects too often."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="scenarios whose name holds this text")
    options = parser.parse_args()
    report = {}
    for scenario in SCENARIOS:
        if options.only in str(scenario):
            report[str(scenario)] = found = figures(scenario, options.studies, options.seed)
            print(f"{scenario!s:75} {json.dumps(found)}", flush=True)
    wrong = [name for name, found in report.items() if is_wrong(found)]
    print(json.dumps({"studies": options.studies, "seed": options.seed, "scenarios": report, "wrong": wrong}))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
