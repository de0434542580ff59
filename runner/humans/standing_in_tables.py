"""May a model stand in for a person? The alternative-annotator test as people read it, beside the difference of the ICCs."""

from __future__ import annotations

from collections.abc import Iterator

from cbtrun.humans.agree import AgreementReport, Figure, OutcomeAgreement, StandingIn

COLUMNS = ("Outcome", "Model", "Wins", "Advantage", "May stand in", "ICC(2,1) model-human minus human-human")


def standing_in_rows(report: AgreementReport) -> list[tuple[str, ...]]:
    """A row for each outcome and model; empty where none could be tested."""
    if all(one.winning_rate is None for outcome in report.outcomes for one in outcome.standing_in):
        return []
    return [_row(outcome, one) for outcome in report.outcomes for one in outcome.standing_in]


def standing_in_notes(report: AgreementReport) -> Iterator[str]:
    """What the table rests on, or why there is none."""
    tested = [one for outcome in report.outcomes for one in outcome.standing_in]
    reasons = list(dict.fromkeys(one.note for one in tested if one.note))
    if any(one.winning_rate is not None for one in tested):
        tests = " and ".join(sorted({one.test for one in tested if one.test}))
        yield (
            f"Wins: share of the people whom the model may stand in for, at epsilon {report.epsilon:g} (--epsilon; 0.2 for "
            f"experts, 0.15 for skilled people, 0.1 for the crowd), by {tests} tests with Benjamini-Yekutieli's correction; "
            "from 0.5 on it may. Advantage: chance that it is as near to the others as a person is (Calderon et al. 2025)."
        )
    elif reasons:
        yield f"Whether a model may stand in for a person is not tested: {'; '.join(reasons)}."


def _row(outcome: OutcomeAgreement, one: StandingIn) -> tuple[str, ...]:
    name = outcome.outcome.partition(".")[2]
    if one.winning_rate is None or one.advantage is None:
        return (name, one.rater, "-", "-", one.note, _gap(outcome))
    won = sum(person.replaceable for person in one.people)
    wins = f"{one.winning_rate:.2f} ({won} of {len(one.people)})"
    return (name, one.rater, wins, f"{one.advantage:.2f}", "yes" if one.passes else "no", _gap(outcome))


def _gap(outcome: OutcomeAgreement) -> str:
    icc = next((one.difference for one in outcome.pairwise if one.name == "icc_2_1"), Figure(value=None))
    if icc.value is None:
        return "-"
    span = icc.interval
    return f"{icc.value:.2f} [{span.low:.2f}, {span.high:.2f}]" if span else f"{icc.value:.2f} [no interval]"
