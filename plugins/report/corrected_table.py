"""Each corrected difference three times: by the judge alone, by people alone, corrected; and by how much the judge is off."""

from __future__ import annotations

from cbtrun.plugin import Comparison, Correction, Measured, decimals_of, level_name
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import titles_by_outcome
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import contrast, subgroup, with_interval

COLUMNS = ("Outcome", "Levels", "By the judge alone", "By people alone", "Corrected", "Judge minus people", "Labelled")
NOTES = (
    "Differences in points with 95 % intervals; t over the personas that people rated (Angelopoulos et al. 2023; Egami et al. "
    "2023), of answers by yes or no Rogan and Gladen’s estimate",
    "Judge minus people: in the difference, on the sessions that both scored; under each row at each level",
    "The corrected difference says what these people would have found, had they rated every session; their own severity is in it",
)


def corrected_table(given: ReportInput) -> Table | None:
    """Every comparison of an analysis with `corrected_by`; none where there is none."""
    found = [(one, one.corrected) for one in given.results.comparisons if one.corrected is not None]
    if not found:
        return None
    titles = titles_by_outcome(given)
    rows = tuple(_row(one, told, titles.get(one.outcome, one.outcome)) for one, told in found)
    return Table("corrected", "The judge, people, and the judge corrected by people", COLUMNS, rows, 2, None, NOTES)


def _row(one: Comparison, told: Correction, title: str) -> Row:
    labelled = f"{told.personas} of {told.personas_in_all}"
    cells = (
        *(title, f"{contrast(one)}{subgroup(one)}", _shown(told.judge), _shown(told.people), _shown(told.corrected)),
        *(_shown(told.bias), labelled),
    )
    return Row(cells, detail=_detail(one, told))


def _shown(found: Measured | None) -> str:
    return "–" if found is None else with_interval(found.value, found.interval, decimals_of(found.value))


def _detail(one: Comparison, told: Correction) -> str:
    """Why nothing is corrected, or what it rests on."""
    people = f"{told.raters} {'person' if told.raters == 1 else 'people'} rated {told.sessions} sessions ({told.by})"
    among = [] if told.agreement is None else [f"they agree by ICC(2,1) {told.agreement:.2f}"]
    if told.withheld:
        return "; ".join([f"Not corrected: {told.withheld}", people, *among]) + "."
    drawn = {"pairs": "drawn as pairs", "sessions": "drawn one by one", "all": "all of them"}.get(
        told.design, "drawn as the key says"
    )
    pairs = zip(one.levels, told.bias_by_level, strict=False)
    off = ", ".join(f"{level_name(level, one.factor)} {_shown(bias)}" for level, bias in pairs)
    slope = [] if told.slope is None else [f"a point of the judge’s goes with {told.slope:.2f} of theirs"]
    return "; ".join([f"{people}, {drawn}", f"judge minus people: {off}", *among, *slope, *told.notes]) + "."
