"""All fidelity checks together: the flags of a session, and the table of what is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cbtrun.plugins.fidelity import (
    clinical_register,
    contradiction,
    empty_turn,
    instant_recovery,
    premature_farewell,
    prompt_echo,
    repetition,
    role_swap,
    two_openings,
    wrong_language,
)
from cbtrun.plugins.fidelity.finding import Case, Check, Finding

CHECKS: Sequence[Check] = tuple(
    module.CHECK
    for module in (
        role_swap,
        clinical_register,
        prompt_echo,
        contradiction,
        instant_recovery,
        premature_farewell,
        repetition,
        two_openings,
        empty_turn,
        wrong_language,
    )
)

NAMES: Mapping[str, Check] = {check.name: check for check in CHECKS}


def findings(case: Case) -> list[Finding]:
    """Every fault of a session, check by check, first turn to last."""
    return [finding for check in CHECKS for finding in check.find(case)]


def fidelity_flags(case: Case) -> tuple[str, ...]:
    """One flag for each check and speaker with a fault: where it first was, and how often."""
    flags = []
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings(case):
        grouped.setdefault((finding.name, finding.speaker), []).append(finding)
    for found in grouped.values():
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        flags.append(found[0].flag + more)
    return tuple(flags)
