"""Comparisons corrected by people: what an analysis with `corrected_by` makes of the judge's difference, or why it does not.

The method is runner/statistics/corrected.py's; here stands which sessions go into it, and when nothing is corrected: where the
chances are not known, people disagree among themselves, too few personas or too few of the drawn sessions were rated, or the
judge's scores leave the range of those that people rated too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.analysis.table import Row, rows_at
from cbtrun.contract.records import Comparison, Correction, Measured
from cbtrun.errors import StatisticsError
from cbtrun.people.source import UNKNOWN
from cbtrun.statistics.corrected import FEWEST, CorrectedDifference, DrawnSessions, Estimate, corrected_difference
from cbtrun.statistics.rogan_gladen import rogan_gladen

if TYPE_CHECKING:
    from cbtrun.analysis.table import AnalysisTable
    from cbtrun.people.source import PeopleSource
    from cbtrun.statistics.samples import Array

MOST_LEFT_OPEN = 0.2
"""Share of the drawn sessions that people may leave open: beyond it nobody knows which they chose."""
BY_CHANCE = 0.01
"""How rarely a random draw leaves as many judge scores outside the labelled range as makes us doubt it."""
ONE_PERSON = "one person rated: how well people agree among themselves is not known"
OWN_CHECK = "t over the personas that people rated; it held its level from {} of them on (docs/corrected.md)"


@dataclass(frozen=True)
class _Used:
    """The sessions of two levels that a comparison rests on."""

    rows: tuple[Row, ...]
    drawn: DrawnSessions
    outcome: str
    raters: int
    open: int
    """Drawn sessions that people left open."""
    chosen: int
    """Drawn sessions."""
    uninvited: int
    """Sessions that people rated though they were not drawn."""
    design: str
    bounds: tuple[float | None, float | None]


def corrected_comparison(one: Comparison, table: AnalysisTable, source: PeopleSource) -> Comparison:
    """The comparison of two levels with its correction: where there is one, estimate, interval and test are the corrected.

    Where there is none the comparison stays the judge's, and `corrected.withheld` says why.
    """
    if one.estimate is None:
        return one
    used = _used(one, table, source)
    told = _counted(one, used, source)
    agreement, why = _agreement(used, source)
    told = told.model_copy(update={"agreement": agreement})
    why = source_fault(source, used) or why or _too_little(used) or _out_of_range(used)
    if why:
        return one.model_copy(update={"corrected": told.model_copy(update={"withheld": why})})
    try:
        found = corrected_difference(used.drawn)
    except StatisticsError as error:
        return one.model_copy(update={"corrected": told.model_copy(update={"withheld": str(error)})})
    best, method, notes = _best(found, used)
    told = told.model_copy(
        update={
            "method": method,
            "people": _measured(found.people),
            "corrected": _measured(best),
            "bias": _measured(found.bias),
            "bias_by_level": tuple(map(_measured, found.bias_by_level)),
            "slope": found.slope if method == "prediction-powered" else None,
            "notes": (*told.notes, *notes),
        }
    )
    test = best.test()
    # What the judge's values alone say (effects, ranks, their noise and bounds) does not belong to the corrected difference.
    return one.model_copy(
        update={
            "corrected": told,
            "estimate": best.value,
            "interval": best.interval(),
            "tests": (test,) if test else (),
            "effects": (),
            "bootstrap": None,
            "worst_case": None,
            "variance": {},
            "covers": (),
            "checks": (OWN_CHECK.format(FEWEST),),
        }
    )


def source_fault(source: PeopleSource, used: _Used) -> str:
    """Why the source corrects nothing; empty where it does. Chances are not needed where people rated every session."""
    is_whole = bool(used.drawn.rated.all()) and source.fault.startswith(UNKNOWN)
    return "" if is_whole else source.fault


def _used(one: Comparison, table: AnalysisTable, source: PeopleSource) -> _Used:
    """Sessions of both levels with a judge's value; in pairs of personas that have both."""
    import numpy as np

    levels = [[row for row in rows_at(table, one.factor, level) if row.value is not None] for level in one.levels]
    if one.design == "paired":
        both = {row.persona for row in levels[0]} & {row.persona for row in levels[1]} - {None}
        levels = [[row for row in rows if row.persona in both] for rows in levels]
    rows = tuple(row for of_level in levels for row in of_level)
    outcome = one.outcome.partition(".")[2]
    given = source.values.get(outcome, {})
    known = bool(source.chances)
    invited = [row.session in source.chances or not known for row in rows]
    people = [
        math.fsum(given[row.session].values()) / len(given[row.session]) if ok and row.session in given else math.nan
        for row, ok in zip(rows, invited, strict=True)
    ]
    strata = {name: at for at, name in enumerate(sorted({source.strata.get(row.session, "") for row in rows}))}
    clusters = {name: at for at, name in enumerate(dict.fromkeys(_cluster(row) for row in rows))}
    drawn = DrawnSessions(
        persona=np.array([clusters[_cluster(row)] for row in rows], dtype=np.int64),
        side=np.array([1.0] * len(levels[0]) + [-1.0] * len(levels[1])),
        stratum=np.array([strata[source.strata.get(row.session, "")] for row in rows], dtype=np.int64),
        weight=np.array([part for of_level in levels for part in _weights(of_level)]),
        chance=np.array([float(source.chances.get(row.session, 1)) for row in rows]),
        judge=np.array([row.value for row in rows], dtype=float),
        people=np.array(people),
    )
    open_ones = sum(row.session in source.chances and row.session not in given for row in rows)
    return _Used(
        rows=rows,
        drawn=drawn,
        outcome=outcome,
        raters=len({rater for row in rows for rater in given.get(row.session, ())}),
        open=open_ones,
        chosen=sum(row.session in source.chances for row in rows),
        uninvited=sum(row.session in given and not ok for row, ok in zip(rows, invited, strict=True)),
        design=source.design or ("all" if drawn.rated.all() else ""),
        bounds=(table.low, table.high),
    )


def _cluster(row: Row) -> tuple[str, str]:
    return ("session", row.session) if row.persona is None else ("persona", row.persona)


def _weights(rows: Sequence[Row]) -> list[float]:
    """Part of each session in its level's mean: personas count alike, whatever their sessions."""
    sessions: dict[tuple[str, str], int] = {}
    for row in rows:
        sessions[_cluster(row)] = sessions.get(_cluster(row), 0) + 1
    return [1 / len(sessions) / sessions[_cluster(row)] for row in rows]


def _counted(one: Comparison, used: _Used, source: PeopleSource) -> Correction:
    import numpy as np

    drawn, rated = used.drawn, used.drawn.rated
    notes = []
    if used.open:
        notes.append(f"people left {used.open} of {used.chosen} drawn sessions open; the others stand for them")
    if used.uninvited:
        notes.append(f"{used.uninvited} sessions that people rated were not drawn, and are left out")
    if used.raters == 1:
        notes.append(ONE_PERSON)
    outside = sum(_outside(drawn, side)[0] for side in (1.0, -1.0))
    if outside:
        notes.append(
            f"{outside} of {rated.size} judge scores lie outside the range of the labelled ones of their level"
        )
    return Correction(
        by=f"people.{source.name}",
        judge=Measured(value=one.estimate or 0.0, interval=one.interval),
        personas=int(np.unique(drawn.persona[rated]).size),
        personas_in_all=int(np.unique(drawn.persona).size),
        sessions=int(rated.sum()),
        raters=used.raters,
        outside=outside,
        design=used.design,
        notes=tuple(notes),
    )


def _agreement(used: _Used, source: PeopleSource) -> tuple[float | None, str]:
    """ICC(2,1) of the people on the labelled sessions, and why that is too little; alpha where few were rated by all."""
    import numpy as np

    from cbtrun.reliability.icc import complete_rows, intraclass_correlations
    from cbtrun.reliability.krippendorff import krippendorff_alpha

    table = _people_table(used, source)
    if table.shape[1] < 2 or ((~np.isnan(table)).sum(axis=1) > 1).sum() < 2:
        return None, ""
    if float(np.nanmax(np.nanmax(table, axis=1) - np.nanmin(table, axis=1))) == 0:
        return (1.0 if np.nanmax(table) > np.nanmin(table) else None), ""  # they said the same of every session
    name, found = "ICC(2,1)", intraclass_correlations(table).single_agreement.value
    if complete_rows(table).shape[0] < FEWEST or found is None or not math.isfinite(found):
        name, found = "Krippendorff's alpha", krippendorff_alpha(table, "interval", 1).value
    if found is None or not math.isfinite(found):
        return None, f"how far people agree among themselves cannot be told on {used.outcome}"
    if found >= source.least_agreement:
        return found, ""
    what = f"people disagree among themselves: {name} {found:.2f} on {used.outcome}"
    return found, f"{what}, below the {source.least_agreement:g} that people.{source.name} asks for"


def _people_table(used: _Used, source: PeopleSource) -> Array:
    """(labelled sessions, people) points; NaN where somebody did not rate."""
    import numpy as np

    given = source.values.get(used.outcome, {})
    rated = [row.session for row, there in zip(used.rows, used.drawn.rated, strict=True) if there]
    raters = sorted({rater for session in rated for rater in given[session]})
    cells = [[given[session].get(rater, math.nan) for rater in raters] for session in rated]
    return np.array(cells, dtype=float).reshape(len(rated), len(raters))


def _too_little(used: _Used) -> str:
    """Why too little was rated."""
    import numpy as np

    drawn, rated = used.drawn, used.drawn.rated
    if not rated.any():
        return f"people gave nothing on {used.outcome} of these sessions"
    labelled = np.unique(drawn.persona[rated]).size
    if labelled < FEWEST:
        return f"{labelled} labelled personas are too few: intervals hold their level from {FEWEST} on"
    at_levels = [np.unique(drawn.persona[rated & (drawn.side == side)]).size for side in (1.0, -1.0)]
    if min(at_levels) < FEWEST // 2:
        return f"{min(at_levels)} labelled personas at a level are too few: {FEWEST // 2} are needed at each"
    if used.chosen and used.open > MOST_LEFT_OPEN * used.chosen:
        what = f"people left {used.open} of {used.chosen} drawn sessions open on {used.outcome}"
        return f"{what}: which ones they chose is not known, so neither are the chances"
    return ""


def _outside(drawn: DrawnSessions, side: float) -> tuple[int, int, float]:
    """At a level: judge scores outside the labelled range, how many are not labelled, and the farthest, in its widths."""
    import numpy as np

    here = drawn.side == side
    labelled, others = drawn.judge[here & drawn.rated], drawn.judge[here & ~drawn.rated]
    if not labelled.size or not others.size:
        return 0, int(others.size), 0.0
    low, high = labelled.min(), labelled.max()
    beyond = np.maximum(np.maximum(low - others, others - high), 0.0)
    width = high - low
    return int((beyond > 0).sum()), int(others.size), float(beyond.max() / width) if width > 0 else 0.0


def _out_of_range(used: _Used) -> str:
    """Why the judge's scores leave the labelled range: more of them than a random draw leaves, or one far away.

    Of a random draw of n, the share of all that lies outside its range is about that of a Beta(2, n - 1).
    """
    from scipy.stats import beta

    for side in (1.0, -1.0):
        outside, others, farthest = _outside(used.drawn, side)
        labelled = int((used.drawn.rated & (used.drawn.side == side)).sum())
        if not others or labelled < 2:
            continue
        most = float(beta.ppf(1 - BY_CHANCE, 2, labelled - 1)) * others
        if outside > most:
            what = (
                f"{outside} of {others} judge scores that people did not check lie outside the range of those they did"
            )
            return f"judge scores leave the labelled range: {what}, more than a random draw of {labelled} leaves"
        if farthest > 1:
            what = "a judge score lies farther outside the range of those that people checked than that range is wide"
            return f"judge scores leave the labelled range: {what}"
    return ""


def _best(found: CorrectedDifference, used: _Used) -> tuple[Estimate, str, tuple[str, ...]]:
    """The corrected difference with its method: of answers by yes or no Rogan-Gladen's, where it can be had."""
    import numpy as np

    drawn = used.drawn
    if used.bounds != (0.0, 1.0) or not np.isin(drawn.judge, (0.0, 1.0)).all() or drawn.rated.all():
        return found.corrected, "prediction-powered", ()
    try:
        answers = rogan_gladen(drawn)
    except StatisticsError as error:
        return found.corrected, "prediction-powered", (f"not by Rogan-Gladen: {error}",)
    told = [f"sees {one.sensitivity:.0%} of the yes and {one.specificity:.0%} of the no" for one in answers.levels]
    names = ("first", "second")
    words = "; ".join(f"at the {name} level {one}" for name, one in zip(names, told, strict=True))
    return answers.difference, "rogan-gladen", (f"the judge {words}",)


def _measured(found: Estimate) -> Measured:
    return Measured(value=found.value, interval=found.interval())


def corrected_levels(compared: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of two levels: a test of all levels at once is not corrected, and would be the judge's alone."""
    return [one for one in compared if len(one.levels) == 2 and not one.moderated]


def source_of(options: Mapping[str, Any]) -> str:
    """Name of the people that correct an analysis; empty where none do."""
    return str(options.get("corrected_by") or "").removeprefix("people.")
