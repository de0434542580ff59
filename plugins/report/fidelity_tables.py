"""Who was excluded and why, by arm, and what the checks found: never hidden, whatever the analyses do with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cbtrun.plugins.fidelity.checks import NAMES
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.records import Interval, Session
from cbtrun.results import reason_kind

Z = 1.959964  # of a 95 % interval


def exclusion_table(given: ReportInput) -> Table | None:
    """Sessions excluded by each rule, by arm; none where the study declares no rules."""
    if not (given.study.get("sessions") or {}).get("exclude"):
        return None
    rows = []
    for arm, sessions in _by_arm(given.sessions).items():
        rules = Counter(
            flag.split(": ", 1)[1] for one in sessions for flag in one.flags if flag.startswith("excluded: ")
        )
        any_rule = sum(any(flag.startswith("excluded: ") for flag in one.flags) for one in sessions)
        rows.append(_row(arm, "any rule", any_rule, len(sessions), starts=True))
        rows += [_row(arm, rule, count, len(sessions), starts=False) for rule, count in sorted(rules.items())]
    note = "Excluded sessions are kept: an analysis leaves them out only where it says “exclude_flags: [excluded]”"
    return Table(
        "exclusions",
        "Exclusions by arm",
        ("Arm", "Rule", "Excluded", "n", "Share [95 % CI]"),
        tuple(rows),
        2,
        None,
        (note,),
    )


def fidelity_table(given: ReportInput) -> Table | None:
    """Sessions with each fidelity flag, by arm; none where nothing was flagged."""
    rows = []
    for arm, sessions in _by_arm(given.sessions).items():
        flags = Counter(kind for one in sessions for kind in {reason_kind(flag) for flag in one.flags})
        found = [(name, flags[name]) for name in (*NAMES, "crisis") if flags[name]]
        rows += [
            _row(arm, name.replace("_", " "), count, len(sessions), starts=at == 0)
            for at, (name, count) in enumerate(found)
        ]
    note = "By program, with errors of its own (docs/safety.md)"
    return (
        Table(
            "fidelity",
            "What the checks of sessions found",
            ("Arm", "Flag", "Sessions", "n", "Share [95 % CI]"),
            tuple(rows),
            2,
            None,
            (note,),
        )
        if rows
        else None
    )


def _row(arm: str, what: str, count: int, n: int, *, starts: bool) -> Row:
    interval = wilson(count, n)
    return Row(
        (arm, what, str(count), str(n), f"{count / n:.2f} [{interval.low:.2f}, {interval.high:.2f}]"), starts=starts
    )


def wilson(count: int, n: int) -> Interval:
    """95 % interval of a share. Source: Wilson 1927; n at least 1."""
    share, z2 = count / n, Z * Z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * (share * (1 - share) / n + z2 / (4 * n * n)) ** 0.5 / (1 + z2 / n)
    return Interval(low=max(0.0, centre - half), high=min(1.0, centre + half), method="Wilson")


def _by_arm(sessions: Sequence[Session]) -> Mapping[str, list[Session]]:
    found: dict[str, list[Session]] = {}
    for session in sessions:
        found.setdefault(session.arm or "all", []).append(session)
    return found
