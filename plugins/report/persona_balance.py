"""Who the simulated patients are: how many of each kind, set by set."""

from __future__ import annotations

from cbtrun.plugins.personas.sampled import balance
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table


def balance_table(given: ReportInput) -> Table | None:
    """Attribute, level and count of the personas whose sessions are shown; none without personas."""
    seen = {session.persona for session in given.sessions}
    personas = [persona for id_, persona in given.personas.items() if id_ in seen]
    rows = [
        Row((attribute.replace("_", " "), level, str(count), f"{count / len(personas):.0%}"), starts=at == 0)
        for attribute, levels in (balance(personas) if personas else {}).items()
        for at, (level, count) in enumerate(levels.items())
    ]
    columns = ("Attribute", "Level", "Personas", "Share")
    note = f"n = {len(personas)} personas"
    return Table("persona-balance", "Who the patients are", columns, tuple(rows), 2, None, (note,)) if rows else None
