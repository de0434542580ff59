"""Who was excluded and why, by arm, and what the checks found: never hidden, whatever the analyses do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cbtrun.plugins.fidelity.checks import NAMES
from cbtrun.plugins.report.behind import behind
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.ratings.reasons import reason_kind
from cbtrun.records import Interval, Session

Z = 1.959964  # of a 95 % interval


def exclusion_table(given: ReportInput) -> Table | None:
    """Sessions excluded by each rule, by arm; none where the study declares no rules."""
    if not (given.study.get("sessions") or {}).get("exclude"):
        return None
    rows = []
    for arm, sessions in _by_arm(given.sessions).items():
        rules = {
            one.id: {flag.split(": ", 1)[1] for flag in one.flags if flag.startswith("excluded: ")} for one in sessions
        }
        any_rule = [id_ for id_, broken in rules.items() if broken]
        rows.append(_row(given, arm, "any rule", any_rule, len(sessions), starts=True))
        for rule in sorted(set().union(*rules.values())):
            broke = [id_ for id_, broken in rules.items() if rule in broken]
            rows.append(_row(given, arm, rule, broke, len(sessions), starts=False))
    note = "Excluded sessions are kept: an analysis leaves them out only where it says “exclude_flags: [excluded]”"
    return Table(
        "exclusions",
        "Exclusions by arm",
        ("Arm", "Rule", "Excluded", "n", "Share [95 % CI]"),
        tuple(rows),
        2,
        2,
        (note,),
    )


def fidelity_table(given: ReportInput) -> Table | None:
    """Sessions with each fidelity flag, by arm; none where nothing was flagged."""
    rows = []
    for arm, sessions in _by_arm(given.sessions).items():
        kinds = {one.id: {reason_kind(flag) for flag in one.flags} for one in sessions}
        flagged = {name: [id_ for id_, has in kinds.items() if name in has] for name in (*NAMES, "crisis")}
        found = [(name, ids) for name, ids in flagged.items() if ids]
        rows += [
            _row(given, arm, name.replace("_", " "), ids, len(sessions), starts=at == 0)
            for at, (name, ids) in enumerate(found)
        ]
    note = "By program, with errors of its own (docs/safety.md)"
    return (
        Table(
            "fidelity",
            "What the checks of sessions found",
            ("Arm", "Flag", "Sessions", "n", "Share [95 % CI]"),
            tuple(rows),
            2,
            2,
            (note,),
        )
        if rows
        else None
    )


def _row(given: ReportInput, arm: str, what: str, ids: Sequence[str], n: int, *, starts: bool) -> Row:
    interval, count = wilson(len(ids), n), len(ids)
    share = f"{count / n:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
    levels = {"arm": arm} if any(one.arm for one in given.sessions) else {}
    apart = {3: behind(given, levels), **({} if ids else {2: None, 4: None})}
    shown = behind(given, levels, ids)
    return Row((arm, what, str(count), str(n), share), sessions=shown, apart=apart, starts=starts)


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
