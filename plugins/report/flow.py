"""How many sessions were planned, held, excluded, rated and analysed, arm by arm: the flow that trials draw."""

from __future__ import annotations

from dataclasses import dataclass

from cbtrun.plugins.report.behind import sessions_behind
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison
from cbtrun.plugins.report.persona_groups import headline_outcome
from cbtrun.plugins.report.result_tables import outcome_title
from cbtrun.plugins.report.tables import Row, Table


@dataclass(frozen=True)
class ArmFlow:
    """One arm."""

    arm: str
    planned: int | None
    """None where the study's file does not tell."""
    held: int
    excluded: int
    """Held, and left out of the finding's analysis by what its sessions are flagged with."""
    rated: int
    """With a value of the finding's outcome."""
    analysed: int | None
    """Behind the finding; none where it compares other arms."""


def flow(given: ReportInput) -> list[ArmFlow]:
    """Every arm in the study's order; sessions without an arm as one."""
    headline, outcome = headline_comparison(given), headline_outcome(given)
    name, _, short = outcome.outcome.partition(".") if outcome else ("", "", "")
    values = given.rated[name].values.get(short, {}) if name in given.rated else {}
    block = given.study.analyses.get(headline.analysis) if headline else None
    dropped = set((block.options.get("exclude_flags") if block else None) or ())
    behind = set(sessions_behind(given, headline)) if headline else set()
    arms = [*dict.fromkeys([*given.study.arms, *(one.arm or "" for one in given.sessions)])]
    found = []
    for arm in arms:
        held = [one for one in given.sessions if (one.arm or "") == arm]
        flagged = [one for one in held if dropped & {flag.split(":")[0].strip() for flag in one.flags}]
        analysed = sum(one.id in behind for one in held)
        found.append(
            ArmFlow(
                arm=arm or "all sessions",
                planned=_planned(given, arm),
                held=len(held),
                excluded=len(flagged),
                rated=sum(values.get(one.id) is not None for one in held),
                analysed=analysed or None,
            )
        )
    return found


def flow_table(given: ReportInput) -> Table | None:
    """The flow as a table, arm by arm; none without sessions."""
    found = flow(given) if given.sessions else []
    outcome = headline_outcome(given)
    rated = f"With {outcome_title(given, outcome)}" if outcome else "Rated"
    rows = tuple(
        Row(
            (
                one.arm,
                "–" if one.planned is None else str(one.planned),
                str(one.held),
                "–" if one.planned is None else str(max(0, one.planned - one.held)),
                str(one.excluded),
                str(one.rated),
                "–" if one.analysed is None else str(one.analysed),
            )
        )
        for one in found
    )
    columns = ("Arm", "Planned", "Held", "Not held", "Excluded by flags", rated, "In the finding")
    notes = (
        "A session stands in the finding where it has a value and, in pairs, a partner; – says that its arm is not compared there",
    )
    return Table("flow", "Flow of sessions", columns, rows, 1, None, notes) if rows else None


def _planned(given: ReportInput, arm: str) -> int | None:
    """Sessions that the study's file asks of an arm; none for sessions that were held elsewhere."""
    block, people = given.study.sessions, given.study.personas.get(given.study.evaluation_set())
    if not arm or arm not in given.study.arms or block.using == "import":
        return None
    count = people.count if people and people.count else len(given.personas) if len(given.study.personas) == 1 else None
    if count is None:
        return None
    seeds = given.study.job_of(given.study.arms[arm].therapist)
    return count * max(1, block.repeats) * max(1, block.sessions) * (len(seeds.seeds) if seeds else 1)
