"""What must be read before any number of a report."""

from __future__ import annotations

from cbtrun.plugins.report.inputs import ReportInput

NOT_A_TREATMENT = "This is research software, not a treatment. Nothing here is advice for anyone’s care."
HIDDEN_WORDS = "Words of the sessions are not shown"


def notices(given: ReportInput) -> list[str]:
    """What stands above every result: that it is research, that its models are toys, that words are hidden."""
    told = [NOT_A_TREATMENT]
    if given.embedded:
        *others, last = given.embedded
        names = f"models {', '.join(others)} and {last}" if others else f"model {last}"
        toys = "are toys" if others else "is a toy"
        told.append(
            f"The {names} came with cbtrun and {toys}: these results show that the pipeline works, not anything about therapy."
        )
    if not given.show_transcripts:
        told.append(
            f"{HIDDEN_WORDS}, because they may be real people’s. They stay in the run folder; "
            "“report: {transcripts: true}” in the study shows them here."
        )
    return told
