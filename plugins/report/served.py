"""Who answered, as the servers state it: a model that changed while the study ran is told first, and by arm."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cbtrun.plugin import drifts
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table

NOTE = (
    "What the replies themselves state, over all runs: the model that answered and, where its server says so, a fingerprint of its "
    "weights or build. A name in a study may be an alias, behind which a vendor can put another model on any day."
)
MOST_NOTICES = 4


def changed_notices(given: ReportInput) -> list[str]:
    """A sentence for each model that changed while the study ran."""
    found = drifts(given.environment.served)
    told = [
        f"{one.sentence[:1].upper()}{one.sentence[1:]}. {_meaning(len(one.by_arm))}" for one in found[:MOST_NOTICES]
    ]
    more = len(found) - MOST_NOTICES
    return [*told, *([f"{more} more models changed: see the table of who answered."] if more > 0 else [])]


def _meaning(arms: int) -> str:
    if arms > 1:
        return "A difference between arms may be one between these models."
    return "What was found holds for the mixture of both, and not for either."


def served_words(given: ReportInput) -> Iterator[str]:
    """For the methods: who answered for each model, and whether that changed."""
    changed = drifts(given.environment.served)
    for one in changed:
        yield f"{one.sentence[:1].upper()}{one.sentence[1:]}."
    told = {one.model for one in changed}
    steady = {one.model: one.name for one in given.environment.served if one.name and one.model not in told}
    models = given.study.models
    names = [f"{name} for {model}" for model, name in steady.items() if model in models and models[model].model != name]
    if names:
        yield f"The model that answered, as every reply stated it, was {', '.join(names)}."


def served_table(given: ReportInput) -> Table | None:
    """Every model with what its replies state, by arm; none where no reply states anything."""
    rows = []
    before = ""
    for one in sorted(given.environment.served, key=lambda each: (each.model, each.first, each.arm)):
        cells = (one.model, one.name or "–", one.fingerprint or "–", one.arm or "–", _time(one.first), _time(one.last))
        rows.append(Row((*cells, f"{one.replies:,}"), starts=one.model != before))
        before = one.model
    columns = ("Model", "Answered as", "Fingerprint", "Arm", "First", "Last", "Replies")
    return Table("served", "Who answered", columns, tuple(rows), 6, None, (NOTE,)) if rows else None


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else "–"
