"""What results.json says about the reliability of ratings."""

from __future__ import annotations

from typing import Literal

from cbtrun.contract.records import Interval, Record


class Coefficient(Record):
    """One coefficient of agreement or error."""

    name: str
    """`icc_2_1`, `icc_2_k`, `icc_3_1`, `alpha_ordinal`, `alpha_interval`, `kappa_quadratic` (no unit, 1 is perfect);
    `within_session_sd` (points)."""
    value: float | None
    """None when it cannot be computed; `note` says why."""
    interval: Interval | None = None
    n: int
    """Sessions behind it."""
    note: str = ""
    """Why it or its interval is missing, or what was averaged."""


class Limits(Record):
    """Bland-Altman: how far one rating can lie from another of the same session."""

    first: str
    second: str
    """Rater, or repeat, that is subtracted."""
    n: int
    """Sessions that both have rated."""
    difference: float | None
    """Mean of first minus second, in points."""
    interval: Interval | None = None
    """Of the mean difference."""
    low: float | None = None
    """Lower limit of agreement, in points: 95 % of differences are expected between the two."""
    high: float | None = None
    """Upper limit of agreement, in points."""


class Severity(Record):
    """How much lower or higher than the others a rater scores the same sessions."""

    rater: str
    n: int
    """Sessions that this rater and at least one other have rated."""
    mean: float | None
    """Mean of all its scores, in points."""
    deviation: float | None
    """Mean of its score minus the mean of the other raters' on the same session, in points; below 0 is severe."""
    interval: Interval | None = None
    """Of the deviation."""


class Reliability(Record):
    """One outcome's agreement, between raters or between the repeats of one rater."""

    outcome: str
    """`ctrs.total`, `ctrs.agenda` ..."""
    kind: Literal["total", "subscale", "item"]
    title: str
    """As people read it."""
    between: str
    """`raters`, or `repeats of NAME`."""
    columns: tuple[str, ...]
    """The raters, or the repeats, that are compared."""
    sessions: int
    """Sessions with at least two scores."""
    complete: int
    """Sessions with a score in every column: those that ICCs rest on."""
    missing: int
    """Scores that are missing among the rated sessions."""
    coefficients: tuple[Coefficient, ...]
    limits: tuple[Limits, ...] = ()
    severity: tuple[Severity, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know: how missing scores were handled, what was averaged."""
