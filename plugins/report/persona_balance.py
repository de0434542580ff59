"""Who the simulated patients are: how many of each kind, set by set."""

from __future__ import annotations

from cbtrun.plugins.personas.sampled import balance
from cbtrun.plugins.report.behind import behind
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table


def balance_table(given: ReportInput) -> Table | None:
    """Attribute, level and count of the personas whose sessions are shown; none without personas."""
    seen = {session.persona for session in given.sessions}
    personas = [persona for id_, persona in given.personas.items() if id_ in seen]
    met = [session for session in given.sessions if session.persona in given.personas]
    own = {persona.id: balance([persona]) for persona in personas}
    rows = [
        Row(
            (attribute.replace("_", " "), level, str(count), f"{count / len(personas):.0%}"),
            sessions=behind(given, {}, [one.id for one in met if level in own[one.persona or ""].get(attribute, {})]),
            starts=at == 0,
        )
        for attribute, levels in (balance(personas) if personas else {}).items()
        for at, (level, count) in enumerate(levels.items())
    ]
    columns = ("Attribute", "Level", "Personas", "Share")
    note = f"n = {len(personas)} personas"
    return Table("persona-balance", "Who the patients are", columns, tuple(rows), 2, 2, (note,)) if rows else None
