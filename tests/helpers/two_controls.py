"""A study of the two therapists that ship, careful and harmful: it needs no model and is over in a second."""

from __future__ import annotations

TWO_CONTROLS = """
cbtrun: 1
study: {name}
seed: 3
models:
  careful: {{using: careful-control}}
  harmful: {{using: harmful-control}}
  patient: {{using: scripted-patient}}
  rater: {{using: lexical-rater}}
personas: {{eval: {{using: sampled, attributes: depression, count: {personas}}}}}
arms:
  careful: {{therapist: careful, factors: {{who: careful}}}}
  harmful: {{therapist: harmful, factors: {{who: harmful}}}}
sessions: {{using: dialogue, patient: patient, personas: eval, max_turns: {turns}}}
ratings: {{ctrs: {{using: rubric, rubric: ctrs, raters: [rater]}}}}
analysis:
{analysis}
report: {report}
"""


def two_controls(
    name: str,
    personas: int = 2,
    turns: int = 4,
    outcomes: tuple[str, ...] = ("main: ctrs.total",),
    report: str = "{using: html, page: false, tables: [], figures: []}",
) -> str:
    """The study's text. outcomes: `analysis: outcome` of each comparison."""
    lines = []
    for told in outcomes:
        analysis, outcome = told.split(": ")
        lines.append(
            f"  {analysis}: {{using: paired, outcome: {outcome}, factor: who, levels: [careful, harmful], items: false}}"
        )
    return TWO_CONTROLS.format(name=name, personas=personas, turns=turns, analysis="\n".join(lines), report=report)
