"""The shape of results.json.

Holds no times, costs, retries or machine facts: the same study with deterministic models gives the same bytes,
wherever it ran and however often it was stopped. Those facts live in study.lock.yaml and in the report.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from cbtrun.contract.records import Comparison, Group, Interval, Record, without_empty
from cbtrun.errors import StageError
from cbtrun.files.record_list import not_as_written
from cbtrun.ratings.rubric_facts import RubricFacts
from cbtrun.reliability.records import Reliability
from cbtrun.scores.missing_scores import FilledMeans

RESULTS_FORMAT: Final = 1
MOST_BYTES = 2**28
"""Of results.json: a study of a hundred outcomes takes a thousandth."""


class Diagnostic(Record):
    """One thing looked at."""

    name: str
    """`ceiling`, `floor`, `halo`, `length`, `evidence_position`, `order`, `drift`, `self_preference`, `unscored`,
    `absent`, `unblinding`, `norm`."""
    about: str
    """The outcome, rater or arm that it is about."""
    value: float | None
    """A share (0 to 1), a correlation (-1 to 1) or SDs, as `says` tells; none where there is too little to compute it."""
    n: int
    """Sessions, scores or quotes behind it, as `says` tells."""
    says: str
    """What the value is, in words."""
    warning: str = ""
    """Why a reader should be careful; empty when nothing was seen."""


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
    wordings: tuple[str, ...] = ()
    """Wordings that raters were asked with; not written where the set has none."""
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


def results_document(results: Results) -> dict[str, Any]:
    """The plain values of results.json; what only some studies have stands in theirs alone."""
    document = results.model_dump(mode="json")
    document["ratings"] = {name: without_empty(rated, "wordings") for name, rated in document["ratings"].items()}
    return document


def results_bytes(results: Results) -> bytes:
    """results.json: sorted keys, floats as Python writes them, a newline at the end. Refuses NaN and infinities."""
    document = results_document(results)
    return (json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def read_results(text: str | bytes) -> Results:
    """The results of a results.json. Raises ValueError when the text does not follow the schema."""
    return Results.model_validate_json(text)


def results_in(path: Path) -> Results:
    """The results that a file holds. Raises StageError for a file that is not there, is too long, or holds no results."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise StageError(f"{path}: there is no such file") from None
    if len(content) > MOST_BYTES:
        raise StageError(f"{path}: longer than {MOST_BYTES // 2**20} MiB, which cbtrun did not write")
    try:
        return read_results(content)
    except ValidationError as error:
        raise not_as_written(path, error) from None


def results_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of results.json, committed as schemas/results.schema.json."""
    from cbtrun.contract.record_schema import record_schema

    return record_schema(Results, mode="serialization")
