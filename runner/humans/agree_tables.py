"""The agreement of models and people as people read it: lines for the terminal, Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cbtrun.contract.records import Interval
from cbtrun.files.csv_cells import csv_text
from cbtrun.files.run_folder import write_atomically
from cbtrun.humans.agree import AgreementReport, Figure, OutcomeAgreement
from cbtrun.humans.standing_in_tables import COLUMNS as STANDING_IN
from cbtrun.humans.standing_in_tables import standing_in_notes, standing_in_rows

COLUMNS = (
    "Outcome",
    "Sessions",
    "ICC(2,1) human-human",
    "ICC(2,1) model-human",
    "Weighted kappa human-human",
    "Weighted kappa model-human",
)


def agreement_lines(report: AgreementReport) -> Iterator[str]:
    """What the terminal shows."""
    yield f"{report.ratings} on {report.rubric}: {report.sessions} sessions, {_count(len(report.humans), 'person', 'people')}, {_count(len(report.models), 'model', 'models')}"
    yield from _aligned([COLUMNS, *(_cells(one) for one in report.outcomes)])
    yield "Each figure is the mean over pairs of raters, in brackets its 95 % interval (jackknife over sessions)."
    yield from (f"- or without an interval: {note}." for note in _reasons(report))
    yield ""
    yield from _aligned([("Rater", "n", "Mean", "Severity on the headline outcome [95 %]"), *_severity_cells(report)])
    yield "Severity: points below (-) or above the other people, on the same sessions."
    yield ""
    headline = report.outcomes[0]
    among = headline.humans
    if among is not None:
        named = {one.name: one for one in among.coefficients}
        shown = [("ICC(2,1)", "icc_2_1"), ("ICC(2,k)", "icc_2_k"), ("alpha ordinal", "alpha_ordinal")]
        told = ", ".join(
            f"{title} {_shown(named[name].value, named[name].interval)}"
            + (f" ({named[name].note})" if named[name].note else "")
            for title, name in shown
        )
        yield f"All people at once, {_titled(headline)}: {told}"
        singles = [
            coefficient.value
            for one in report.outcomes
            if one.kind == "item" and one.humans
            for coefficient in one.humans.coefficients
            if coefficient.name == "icc_2_1" and coefficient.value is not None
        ]
        if singles:
            yield f"All people at once, items: ICC(2,1) from {min(singles):.2f} to {max(singles):.2f}"
    yield f"{_titled(headline)}: {headline.note}."
    if rows := standing_in_rows(report):
        yield ""
        yield "May the model stand in for a person? The alternative-annotator test"
        yield from _aligned([STANDING_IN, *rows])
    yield from standing_in_notes(report)
    if report.missing:
        yield "Scores that people did not give: " + ", ".join(f"{why} {count}" for why, count in report.missing.items())
    yield from (f"Note: {note}" for note in (report.validation, *report.notes))


def write_agreement(report: AgreementReport, folder: Path) -> list[Path]:
    """agreement.json (everything), agreement.csv (one line an outcome and coefficient) and agreement.md."""
    texts = {
        "agreement.json": report.model_dump_json(indent=1) + "\n",
        "agreement.csv": _csv(report),
        "agreement.md": _markdown(report),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [folder / name for name in texts]


def _cells(one: OutcomeAgreement) -> tuple[str, ...]:
    icc, kappa = one.pairwise
    figures = (icc.human_human, icc.model_human, kappa.human_human, kappa.model_human)
    return (_label(one), str(one.sessions), *(_figure(figure) for figure in figures))


def _label(one: OutcomeAgreement) -> str:
    id = one.outcome.split(".", 1)[1]
    said = id if one.title.casefold() == id.casefold() else f"{id}: {one.title}"
    return f"{said} ({one.scale})" if one.scale else said


def _titled(one: OutcomeAgreement) -> str:
    """An outcome in a sentence: its title with the end of its scale."""
    return f"{one.title} ({one.scale})" if one.scale else one.title


def _severity_cells(report: AgreementReport) -> list[tuple[str, ...]]:
    first = report.outcomes[0]
    people = list(first.humans.severity) if first.humans else []
    named = [*((one, "") for one in people), *((one, " (model)") for one in first.models)]
    return [
        (
            one.rater + what,
            str(one.n),
            "-" if one.mean is None else f"{one.mean:.2f}",
            _shown(one.deviation, one.interval),
        )
        for one, what in named
    ]


def _reasons(report: AgreementReport) -> list[str]:
    """Why figures, or their intervals, are missing: each reason once, with how many outcomes it is about."""
    found: dict[str, set[str]] = {}
    for one in report.outcomes:
        for pair in one.pairwise:
            for note in filter(None, (pair.human_human.note, pair.model_human.note)):
                found.setdefault(note.removeprefix("no interval: "), set()).add(one.outcome)
    return [f"{note} ({_count(len(outcomes), 'outcome', 'outcomes')})" for note, outcomes in found.items()]


def _figure(figure: Figure) -> str:
    return _shown(figure.value, figure.interval)


def _shown(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "-"
    return _two(value) + (f" [{_two(interval.low)}, {_two(interval.high)}]" if interval else "")


def _two(value: float) -> str:
    """Two decimals, and no minus before a zero."""
    return f"{value:.2f}".replace("-0.00", "0.00")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _csv(report: AgreementReport) -> str:
    rows: list[Sequence[object]] = []
    for one in report.outcomes:
        for pair in one.pairwise:
            for between in ("human_human", "model_human", "difference"):
                figure: Figure = getattr(pair, between)
                ends = (figure.interval.low, figure.interval.high) if figure.interval else ("", "")
                rows.append([one.outcome, one.kind, one.sessions, pair.name, between, figure.value, *ends])
        for severity in [*(one.humans.severity if one.humans else ()), *one.models]:
            ends = (severity.interval.low, severity.interval.high) if severity.interval else ("", "")
            rows.append([one.outcome, one.kind, severity.n, "severity", severity.rater, severity.deviation, *ends])
        for model in one.standing_in:
            for name in ("winning_rate", "advantage"):
                rows.append([one.outcome, one.kind, one.sessions, name, model.rater, getattr(model, name), "", ""])
    return csv_text(("outcome", "kind", "sessions", "coefficient", "between", "value", "low", "high"), rows)


def _markdown(report: AgreementReport) -> str:
    table = _piped([COLUMNS, *(_cells(one) for one in report.outcomes)])
    stand = standing_in_rows(report)
    more = ["", *(_piped([STANDING_IN, *stand]) if stand else []), "", *standing_in_notes(report)]
    notes = [f"- {_titled(one)}: {one.note}." for one in report.outcomes]
    head = [
        f"# Models and people on {report.rubric}",
        "",
        f"{report.sessions} sessions; people: {', '.join(report.humans)};",
    ]
    head += [f"models: {', '.join(report.models)}. {report.validation}.", ""]
    return "\n".join([*head, *table, *more, "", *notes, "", *(f"{note}" for note in report.notes), ""])


def _piped(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of Markdown; the first row is its head."""
    ruled = [rows[0], ("---",) * len(rows[0]), *rows[1:]]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in ruled]


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"
