"""Tries that failed and were made again, by stage and arm: a server that fails more often on one arm's calls biases a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from cbtrun.plugins.report.behind import behind
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table

NOTE = (
    "Tries that a server failed (429, 5xx, timeout, dropped connection) and that were made again, over all runs. Arms should not "
    "differ: where one arm’s calls fail more often, long ones say, what it says at last is a selection of what it would have said."
)


MOVED = (
    "Calls whose engine was lost (it died, hung, or had no memory left) and that were asked again on another, over all runs. On another "
    "card the same draw may give other words, so arms should not differ: whatever was committed was asked once."
)


def moved_table(given: ReportInput) -> Table | None:
    """Every arm of a stage in which a call was moved to another engine or server; none where none was."""
    rows = [row for stage, counts in given.environment.moved.items() for row in _rows(given, stage, counts)]
    columns = ("Stage", "Arm", "Sessions", "Moved calls", "A session")
    return (
        Table("moved-calls", "Calls moved to another engine or server or server", columns, tuple(rows), 2, 2, (MOVED,))
        if rows
        else None
    )


def retries_table(given: ReportInput) -> Table | None:
    """Every arm of a stage in which any try was made again; none where none was."""
    rows = [row for stage, counts in given.environment.retries.items() for row in _rows(given, stage, counts)]
    columns = ("Stage", "Arm", "Sessions", "Retries", "A session")
    return Table("retries", "Retries by arm", columns, tuple(rows), 2, 2, (NOTE,)) if rows else None


def _rows(given: ReportInput, stage: str, counts: Mapping[str, int]) -> Iterator[Row]:
    by_arm = _by_arm(given, counts)
    sessions = Counter(session.arm or "" for session in given.sessions)
    for at, (arm, retries) in enumerate(by_arm.items()):
        n = sessions[arm] if arm else 0
        share = f"{retries / n:.2f}" if n else "–"
        links = behind(given, {"arm": arm}) if n else None
        yield Row((stage, arm or "–", str(n) if n else "–", str(retries), share), sessions=links, starts=at == 0)


def _by_arm(given: ReportInput, counts: Mapping[str, int]) -> dict[str, int]:
    """Arm -> retries: every arm where one is named, in the study's order; then what is counted for no arm."""
    arms = list(given.study.arms)
    found: Counter[str] = Counter()
    for label, retries in counts.items():  # an arm whose model was tuned with several seeds is `arm@seed`
        found[next((arm for arm in arms if label == arm or label.startswith(f"{arm}@")), label)] += retries
    named = {arm: found[arm] for arm in arms} if any(found[arm] for arm in arms) else {}
    return {**named, **{label: found[label] for label in sorted(found) if label not in arms}}
