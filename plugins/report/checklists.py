"""CHART and TRIPOD-LLM, filled in as far as the report itself answers: reported, where, or yours to add.

The items are our summaries, in our own words; what counts is the statements themselves. Where a statement has finer parts
than its lettered items, the lettered item stands for them.
Sources: CHART Collaborative 2025 (items as its abstract numbers them: title 1a, abstract 1b ... data availability 12e);
Gallifant et al. 2025 (TRIPOD-LLM, 19 items).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.people import arm_prompts
from cbtrun.plugins.report.tables import Row, Table

CHART = (
    "CHART Collaborative (2025). Reporting guideline for chatbot health advice studies: the Chatbot Assessment Reporting Tool "
    "(CHART) statement. BMJ Medicine, 4, e001632. doi:10.1136/bmjmed-2025-001632"
)
TRIPOD_LLM = (
    "Gallifant, J., et al. (2025). The TRIPOD-LLM reporting guideline for studies using large language models. Nature Medicine, "
    "31, 60–69. doi:10.1038/s41591-024-03425-5"
)
SUMMARY = (
    "The items are summaries in our own words; read the statement itself before you submit. Reported says that the report has it, "
    "not that it is good enough"
)
YOURS = "yours to add"


@dataclass(frozen=True)
class Item:
    """One item of a checklist."""

    number: str
    asks: str
    where: str = ""
    """Where the report has it, if it has."""
    needs: str = ""
    """Name of the fact without which it is yours to add; empty for what the report always has."""
    add: str = ""
    """What is still yours, also where the report has a part."""


# fmt: off
CHART_ITEMS = (
    Item("1a", "Title says that a generative chatbot or model is evaluated, and for what", "Title of the study", "title", "name the models' kind and the task in your title"),
    Item("1b", "Structured abstract", "Finding and Results, ready to paste", "compared", "write the abstract"),
    Item("2a", "Background and reason for the study in its setting of care", "statements: background", "background"),
    Item("2b", "Aims, question and intended users", "Question of the study; statements: intended_use", "intended_use"),
    Item("3a", "Name and version of each model, with release or last update", "Methods; table Models", "models", "dates of release"),
    Item("3b", "Maker, and whether the model is open or proprietary", "Table Models: vendor and host", "models", "licence and openness of each model"),
    Item("4a", "Whether models are used as they are, tuned, or new", "Methods; Design", "models"),
    Item("4b", "How tuned models were made: data, method, settings", "Methods; Training", "tuned_or_none"),
    Item("4c", "Settings under which text was made, such as temperature", "Methods; table Models: sampling", "models"),
    Item("5a", "How prompts were developed, by whom, with whose part", "", "never", "say who wrote the prompts and how"),
    Item("5b", "The prompts themselves", "Methods, appendix of prompts; Raters: request word for word", "prompts"),
    Item("6a", "How models were reached: interface, program, server", "Methods; table Models: host", "models"),
    Item("6b", "Dates and place of the queries", "Table Models: used; Provenance", "dates", "the place, if it matters"),
    Item("6c", "Whether each exchange was a session of its own", "Design; Methods: one session for each patient, arm and repeat", "sessions"),
    Item("6d", "What was said: full transcripts", "Sessions", "words", "where transcripts are deposited"),
    Item("7a", "What good performance is, and against which reference", "Methods: rubric with its digest and validity", "rated"),
    Item("7b", "Who judged, blinded how, how scores are made", "Methods; Raters", "rated", "qualification of human raters, where there are any (statements: raters)"),
    Item("8", "Sample size and its reason", "Methods: sample size", "sample_size"),
    Item("9a", "Analysis of the data, with repeatability", "Methods: analyses; Provenance", "compared"),
    Item("10a", "Main results with their uncertainty", "Finding; Contrasts", "compared"),
    Item("10b", "Answers that were wrong or away from the reference", "Items; Sessions: evidence for each score", "rated", "what the poorest sessions did"),
    Item("10c", "Harm and safety of what was said", "Crisis checks and flags, where the study has them", "flags", "a reading of unsafe turns by a clinician"),
    Item("11a", "Interpretation beside what is known", "Beside published values, where there are any", "published", "the discussion"),
    Item("11b", "Strengths and limits", "Read with care; statements: limitations", "limitations"),
    Item("11c", "What follows for practice, policy and research", "", "never", "the discussion"),
    Item("12a", "Conflicts of interest", "statements: interests", "interests"),
    Item("12b", "Funding and its part", "statements: funding", "funding"),
    Item("12c", "Ethics: approval, consent, data protection", "statements: ethics", "ethics"),
    Item("12d", "Protocol or registration, and deviations", "Assumptions and deviations; statements: protocol", "registered"),
    Item("12e", "Data and code", "statements: data, code; Reproduce this", "data"),
)
TRIPOD_ITEMS = (
    Item("1", "Title names the task, the people it is for, the outcome, and what is done with the model", "Title of the study", "title", "complete your title"),
    Item("2", "Abstract by the list for abstracts", "Finding; Results, ready to paste", "compared", "write the abstract"),
    Item("3a", "Setting in care and reason, with other approaches", "statements: background", "background"),
    Item("3b", "People meant and intended use in the path of care", "statements: intended_use", "intended_use"),
    Item("4", "Objectives; development, tuning or evaluation", "Question of the study; Design", "question"),
    Item("5a", "Sources of training, tuning and evaluation data", "Methods: patients and corpora", "sources"),
    Item("5b", "What the data are like: numbers, language, origin", "Design; Training; persona groups", "sources", "origin of imported data"),
    Item("5c", "Oldest and newest text of training and evaluation", "Table Models: used", "dates", "dates of the base models' training data"),
    Item("5d", "Pre-processing and checks of quality", "Training: what checks left out; Course of sessions", "sources"),
    Item("5e", "Missing and unbalanced data", "Methods: missing data; Flow of sessions", "compared"),
    Item("6a", "Model name, version, last date of training", "Table Models", "models", "last date of training, if known"),
    Item("6b", "How the model was made and aligned", "Methods: tuning; Training", "tuned_or_none"),
    Item("6c", "How text was made: prompts and settings", "Methods, appendix of prompts; table Models", "prompts"),
    Item("6d", "Output as made, and after processing", "Sessions; the journal keeps every reply", "sessions"),
    Item("6e", "Classification and thresholds, where there are any", "Rubric: anchors and threshold of competence", "rated"),
    Item("7a", "Metrics of the quality of what was said", "Methods: rubric and outcomes", "rated"),
    Item("7b", "What the metrics mean for use, and how they agree with people", "Agreement with people", "people", "rate a sample by people: cbtrun sheet, cbtrun agree"),
    Item("7c", "Outcome, how it is computed, date of inference", "Methods; table Models: used", "rated"),
    Item("7d", "Assessors: qualification, instruction, agreement", "Raters; statements: raters", "raters"),
    Item("7e", "Comparison with other models, people, standards", "Contrasts; beside published values", "compared"),
    Item("8a", "How text was labelled, with the guideline", "Raters: request word for word", "rated"),
    Item("8b", "How many labelled what, and their agreement", "Methods; Read with care: agreement", "rated"),
    Item("8c", "Background of those who labelled, people or models", "Table Models; statements: raters", "models"),
    Item("9a", "How prompts were designed and chosen", "", "never", "say who wrote the prompts and how"),
    Item("9b", "Data that prompts were developed on", "", "never", "name them, or that there were none"),
    Item("10", "Pre-processing before summaries, where there are any", "Resolved study file: sessions", "sessions"),
    Item("11", "Instructions, data and evaluation of instruction tuning or alignment", "Methods: tuning; Training", "tuned_or_none"),
    Item("12", "Compute: machines, time, cost", "Cost and time; Provenance", "cost"),
    Item("13", "Ethics approval and consent, or waiver", "statements: ethics", "ethics"),
    Item("14a", "Funding and its part", "statements: funding", "funding"),
    Item("14b", "Conflicts of interest", "statements: interests", "interests"),
    Item("14c", "Protocol", "statements: protocol", "protocol"),
    Item("14d", "Registration, or that there was none", "Assumptions and deviations", ""),
    Item("14e", "Data availability", "statements: data", "data"),
    Item("14f", "Code availability", "statements: code; Reproduce this", "code"),
    Item("15", "Part of patients and the public", "statements: involvement", "involvement"),
    Item("16a", "Flow of people or texts through the study", "Flow of sessions", "sessions"),
    Item("16b", "Characteristics overall and by source", "Persona groups; Design", "sources"),
    Item("16c", "Clinical variables in development and evaluation data", "Training and evaluation personas side by side", "balance"),
    Item("16d", "Numbers in each analysis", "Contrasts: n; Flow of sessions", "compared"),
    Item("17", "Performance by the metrics declared", "Finding; Contrasts; Items", "compared"),
    Item("18", "Results of updating the model, where there was any", "Training; who answered", "models"),
    Item("19a", "Interpretation, with fairness", "", "never", "the discussion"),
    Item("19b", "Limits", "Read with care; statements: limitations", "limitations"),
    Item("19c", "Known trouble with such data", "Read with care", "", "the discussion"),
    Item("19d", "Intended use, input, autonomy and oversight", "statements: intended_use", "intended_use"),
    Item("19e", "Poor or missing input in use", "", "never", "the discussion"),
    Item("19f", "What users must do and know", "", "never", "the discussion"),
    Item("19g", "Next steps", "", "never", "the discussion"),
)
# fmt: on
FACTS: Mapping[str, Callable[[ReportInput], bool]] = {
    "never": lambda _: False,
    "title": lambda given: bool(given.study.get("title")),
    "question": lambda given: bool(given.results.question or given.study.get("title")),
    "compared": lambda given: bool(given.results.comparisons),
    "models": lambda given: bool(given.study.models),
    "tuned_or_none": lambda given: not given.study.tune_jobs or bool(given.training or given.corpora),
    "prompts": lambda given: bool(arm_prompts(given)),
    "dates": lambda given: bool(given.environment.started or given.environment.served),
    "sessions": lambda given: bool(given.sessions),
    "words": lambda given: bool(given.sessions) and given.show_transcripts,
    "rated": lambda given: bool(given.results.ratings),
    "flags": lambda given: bool(given.results.flags),
    "published": lambda given: bool(given.study.compare_with),
    "registered": lambda given: given.promise is not None or "protocol" in given.study.statements,
    "sources": lambda given: bool(given.study.personas or given.corpora),
    "balance": lambda given: len(given.study.personas) > 1,
    "people": lambda given: given.people is not None,
    "cost": lambda given: bool(given.environment.stages),
}
"""Fact -> whether the report has it; a name that is none of these is one of the study's statements."""


def checklist_tables(given: ReportInput) -> Iterator[Table]:
    """Both checklists, filled in."""
    yield _filled(given, "checklist-chart", "CHART", CHART_ITEMS, CHART)
    yield _filled(given, "checklist-tripod-llm", "TRIPOD-LLM", TRIPOD_ITEMS, TRIPOD_LLM)


def is_reported(given: ReportInput, one: Item) -> bool:
    """Whether the report has what an item asks for."""
    if not one.needs:
        return True
    known = FACTS.get(one.needs)
    return known(given) if known is not None else one.needs in given.study.statements


def _filled(given: ReportInput, name: str, title: str, items: Sequence[Item], source: str) -> Table:
    rows = []
    for one in items:
        reported = is_reported(given, one)
        missing = one.add or (f"{one.needs} under statements: in the study" if one.needs not in FACTS else "")
        add = one.add if reported else missing or YOURS
        state = "reported" if reported and not one.add else "in part" if reported else YOURS
        rows.append(Row((one.number, one.asks, state, one.where if reported else "–", add or "–")))
    columns = ("Item", "What it asks for", "State", "Where", "Yours to add")
    count = sum(row.cells[2] != YOURS for row in rows)
    return Table(
        name,
        f"{title}: {count} of {len(rows)} items reported, whole or in part",
        columns,
        tuple(rows),
        5,
        None,
        (source, SUMMARY),
    )
