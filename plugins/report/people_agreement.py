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
from cbtrun.plugins.report.wording import number, with_interval

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


def standing_in_table(given: ReportInput) -> Table | None:
    """Whether each model may stand in for a person, beside the difference of the ICCs; none where nobody could test it."""
    found = given.people
    tested = [] if found is None else [(one, model) for one in found.outcomes for model in one.standing_in]
    if found is None or all(model.winning_rate is None for _, model in tested):
        return None
    rows = []
    for one, model in tested:
        gap = next((pair.difference for pair in one.pairwise if pair.name == "icc_2_1"), None)
        won = sum(person.replaceable for person in model.people)
        wins = "–" if model.winning_rate is None else f"{number(model.winning_rate, 2)} ({won} of {len(model.people)})"
        verdict = model.note or ("yes" if model.passes else "no")
        cells = (one.title, model.rater, verdict, wins, number(model.advantage, 2), _shown(gap) if gap else "–")
        rows.append(Row(cells))
    notes = (
        f"Alternative-annotator test (Calderon et al. 2025), epsilon {found.epsilon:g}: share of the people whom the model may "
        "stand in for, tests corrected by Benjamini and Yekutieli; from 0.5 on it may",
        "Advantage: chance that the model is as near to the other people as a person is",
        "ICC(2,1): model with person minus people among themselves, 95 % interval",
    )
    heads = ("Outcome", "Model", "May stand in", "Winning rate", "Advantage", "Difference of ICC(2,1)")
    return Table("standing-in", "May the model stand in for a person?", heads, tuple(rows), 3, None, notes)


def _shown(one: PairwiseFigure) -> str:
    return with_interval(one.value, one.interval, 2)
