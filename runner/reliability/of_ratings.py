"""The reliability of a rating set: every outcome, between raters and between each rater's repeats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from cbtrun.contract.digests import derive_seed
from cbtrun.contract.records import Interval
from cbtrun.contract.worded import Which, repeat_of, wording_of
from cbtrun.reliability.records import Coefficient, Limits, Reliability, Severity
from cbtrun.statistics.samples import Estimated, stored_float

if TYPE_CHECKING:
    from cbtrun.reliability.icc import Table

Kind = Literal["total", "subscale", "item"]
RatingPlace = tuple[str, str, Which]
"""Session, rater, and which of that rater's ratings: its repeat, with the wording where the set has several."""
Singles = Mapping[RatingPlace, float | None]
"""The single ratings' points, none where one has no value."""

MISSING = "ICCs rest on the sessions with a score in every column; alpha and limits of agreement on every two scores of a session"


def is_rated_repeatedly(singles: Mapping[str, Singles]) -> bool:
    """Whether any session has more than one rating."""
    keys = next(iter(singles.values()), {})
    return len({session for session, _, _ in keys}) < len(keys)


def reliability_of(
    name: str, titles: Mapping[str, tuple[Kind, str]], singles: Mapping[str, Singles], seed: int
) -> tuple[Reliability, ...]:
    """Every outcome's reliability between raters (means of their repeats) and, of each, between its wordings and its repeats.

    name: of the rating set. titles: outcome -> its kind and title, in the order of the results. Empty where no session
    has two ratings.
    """
    if not is_rated_repeatedly(singles):
        return ()
    made: list[Reliability] = []
    for outcome, (kind, title) in titles.items():
        values = singles.get(outcome, {})
        raters = sorted({rater for _, rater, _ in values})
        what = {"outcome": f"{name}.{outcome}", "kind": kind, "title": title}
        if len(raters) > 1:
            columns, table, notes = _by_rater(values, raters)
            made.append(agreement(columns, table, derive_seed(seed, what["outcome"], "raters"), what, notes=notes))
        for rater in raters:
            of_rater = {key: value for key, value in values.items() if key[1] == rater}
            for between, columns, table in _of_one_rater(rater, of_rater):
                made.append(agreement(columns, table, derive_seed(seed, what["outcome"], between), what, between))
    return tuple(made)


def _of_one_rater(rater: str, values: Singles) -> Iterator[tuple[str, list[str], Table]]:
    """What of a rater's ratings can be compared, with the table: its wordings, then with each wording its repeats."""
    wordings = sorted({wording_of(which) for _, _, which in values})
    if len(wordings) > 1:
        by_wording = {(session, wording_of(which), which): value for (session, _, which), value in values.items()}
        columns, table, _ = _by_rater(by_wording, wordings)
        yield f"wordings of {rater}", list(columns), table
    for wording in wordings:
        alike = {key: value for key, value in values.items() if wording_of(key[2]) == wording}
        if len({repeat_of(which) for _, _, which in alike}) > 1:
            asked = f" with wording {wording}" if wording else ""
            yield f"repeats of {rater}{asked}", *_by_repeat(alike)


def agreement(
    columns: Sequence[str],
    table: Table,
    seed: int,
    what: Mapping[str, Any],
    between: str = "raters",
    notes: Sequence[str] = (),
) -> Reliability:
    """All coefficients of one table. what: outcome, kind and title. between `raters`, severity is told as well."""
    import numpy as np

    from cbtrun.reliability.bland_altman import limits_of_agreement, severity_of_raters
    from cbtrun.reliability.repeats import within_session_sd

    there = ~np.isnan(table)
    rated = there.any(axis=1)
    missing = int((~there[rated]).sum())
    coefficients = _coefficients(table, seed)
    if between != "raters":
        coefficients.append(_stored("within_session_sd", within_session_sd(table), int((there.sum(axis=1) > 1).sum())))
    return Reliability(
        **what,
        between=between,
        columns=tuple(columns),
        sessions=int((there.sum(axis=1) > 1).sum()),
        complete=int(there.all(axis=1).sum()),
        missing=missing,
        coefficients=tuple(coefficients),
        limits=tuple(_stored_limits(one) for one in limits_of_agreement(columns, table)),
        severity=tuple(_stored_severity(one) for one in severity_of_raters(columns, table))
        if between == "raters"
        else (),
        notes=(*notes, *([MISSING] if missing else [])),
    )


def _coefficients(table: Table, seed: int) -> list[Coefficient]:
    import numpy as np

    from cbtrun.reliability.icc import complete_rows, intraclass_correlations
    from cbtrun.reliability.kappa import quadratic_kappa
    from cbtrun.reliability.krippendorff import krippendorff_alpha

    several = int(((~np.isnan(table)).sum(axis=1) > 1).sum())
    complete = int(complete_rows(table).shape[0])
    icc = intraclass_correlations(table)
    return [
        _stored("icc_2_1", icc.single_agreement, complete),
        _stored("icc_2_k", icc.mean_agreement, complete),
        _stored("icc_3_1", icc.single_consistency, complete),
        _stored("alpha_ordinal", krippendorff_alpha(table, "ordinal", seed), several),
        _stored("alpha_interval", krippendorff_alpha(table, "interval", seed), several),
        _stored("kappa_quadratic", quadratic_kappa(table, seed), several),
    ]


def _by_rater(values: Singles, raters: Sequence[str]) -> tuple[Sequence[str], Table, list[str]]:
    """Sessions x raters, each cell the mean of the rater's repeats; NaN where one of them is missing."""
    import numpy as np

    rows = {session: at for at, session in enumerate(dict.fromkeys(session for session, _, _ in values))}
    cells: dict[tuple[int, int], list[float]] = {}
    for (session, rater, _), value in values.items():
        cell = cells.setdefault((rows[session], raters.index(rater)), [])
        cell.append(np.nan if value is None else value)
    table = np.full((len(rows), len(raters)), np.nan)
    for place, found in cells.items():
        table[place] = np.mean(found)
    most = max(map(len, cells.values()), default=1)
    return raters, table, [f"each score is the mean of a rater's up to {most} repeats"] if most > 1 else []


def _by_repeat(values: Singles) -> tuple[list[str], Table]:
    import numpy as np

    rows = {session: at for at, session in enumerate(dict.fromkeys(session for session, _, _ in values))}
    repeats = sorted({repeat_of(which) for _, _, which in values})
    table = np.full((len(rows), len(repeats)), np.nan)
    for (session, _, which), value in values.items():
        table[rows[session], repeats.index(repeat_of(which))] = np.nan if value is None else value
    return [f"repeat {repeat}" for repeat in repeats], table


def _stored(name: str, found: Estimated, n: int) -> Coefficient:
    if found.value is not None and not math.isfinite(found.value):
        found = Estimated(None, note="not defined for these scores")
    value = None if found.value is None else stored_float(found.value)
    return Coefficient(name=name, value=value, interval=_rounded(found.interval), n=n, note=found.note or "")


def _stored_limits(found: Limits) -> Limits:
    numbers = {name: getattr(found, name) for name in ("difference", "low", "high")}
    stored = {name: None if value is None else stored_float(value) for name, value in numbers.items()}
    return found.model_copy(update={**stored, "interval": _rounded(found.interval)})


def _stored_severity(found: Severity) -> Severity:
    numbers = {name: getattr(found, name) for name in ("mean", "deviation")}
    stored = {name: None if value is None else stored_float(value) for name, value in numbers.items()}
    return found.model_copy(update={**stored, "interval": _rounded(found.interval)})


def _rounded(interval: Interval | None) -> Interval | None:
    if interval is None:
        return None
    return interval.model_copy(update={"low": stored_float(interval.low), "high": stored_float(interval.high)})
