"""What `cbtrun agree` found of people and models, as a part of the report: read from the run's own folder `agreement`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cbtrun.plugin import AgreementReport, PairwiseFigure, StageError
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import titles_by_outcome
from cbtrun.plugins.report.scales import with_end
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import with_interval

LARGEST_BYTES = 16 * 2**20
"""Beyond what any agreement of people comes to."""


def people_found(folder: Path) -> AgreementReport | None:
    """What was found, of the run in a folder; none where people's ratings were never held against the models'.

    Raises StageError for a file that `cbtrun agree` did not write.
    """
    path = folder / "agreement" / "agreement.json"
    if not path.is_file():
        return None
    if path.stat().st_size > LARGEST_BYTES:
        raise StageError(f"{path}: larger than any that cbtrun agree writes; run it again")
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        return AgreementReport.model_validate(content)
    except (ValueError, RecursionError) as error:
        raise StageError(f"{path}: not what cbtrun agree writes; run it again, or remove the folder") from error


def people_table(given: ReportInput) -> Table | None:
    """Agreement of people among themselves and with the models, outcome by outcome; none where no people rated."""
    found = given.people
    if found is None:
        return None
    names = {"icc_2_1": "ICC(2,1)", "kappa_quadratic": "weighted κ"}
    titles = titles_by_outcome(given)
    rows = []
    for one in found.outcomes:
        by_name = {each.name: each for each in one.pairwise}
        title = titles.get(one.outcome, one.title)
        cells = [with_end(given, one.outcome, title), str(one.sessions)]
        for name in names:
            pair = by_name.get(name)
            cells += [_shown(pair.human_human), _shown(pair.model_human)] if pair else ["–", "–"]
        rows.append(Row(tuple(cells), detail=f"{one.note}." if one.note else ""))
    heads = [f"{title} {who}" for title in names.values() for who in ("people", "model and person")]
    people = f"{len(found.humans)} {'people' if len(found.humans) != 1 else 'person'}"
    models = f"{len(found.models)} model{'s' if len(found.models) != 1 else ''}"
    title = f"Agreement with people ({found.ratings}: {people}, {models}, {found.sessions} sessions)"
    notes = (
        "Mean over pairs of raters with its 95 % interval (jackknife over sessions)",
        *(note.rstrip(".") for note in found.notes),
    )
    return Table("people", title, ("Outcome", "n", *heads), tuple(rows), 1, None, notes)


def _shown(one: PairwiseFigure) -> str:
    return with_interval(one.value, one.interval, 2)
