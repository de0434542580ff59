"""What an analysis asks of the patients, their personas must say: told before anything runs, at the analysis's line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import Persona, Problem, persona_levels

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext

TOLD = 3
"""Personas that are named one by one."""
FIELDS = {"severity": "phq9"}
"""Level of a persona -> the field that it comes from, where that is called otherwise."""


def wanted_level_problems(context: BlockContext, personas: Sequence[Persona]) -> Iterator[Problem]:
    """A problem for each `by` and `where` of an analysis that some patient of this set has no level for.

    `where` is asked only that somebody has the level: it may be there to leave the others out.
    """
    study = context.study
    if study.sessions.personas != context.name:
        return
    levels = {one.id: persona_levels(one) for one in personas}
    for name, block in study.analyses.items():
        for path, wanted, has_all in _asked(block.options):
            without = [id_ for id_, own in levels.items() if wanted not in own]
            if not without or (not has_all and len(without) < len(levels)):
                continue
            label = wanted.removeprefix("persona.")
            field = FIELDS.get(label, label)
            more = f" and {len(without) - TOLD} more" if len(without) > TOLD else ""
            who = (
                "nobody"
                if len(without) == len(levels)
                else f"not everybody (without: {', '.join(without[:TOLD])}{more})"
            )
            what = (
                f"`{wanted}` needs the field `{field}`, which {who} in persona set '{context.name}' has; give it in their "
                f"file, or name a column: `labels: {{{label}: COLUMN}}`"
            )
            yield Problem(context.place_in_study("analysis", name, *path), "/".join(("analysis", name, *path)), what)


def _asked(options: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Where a level of personas is named, which one, and whether every patient must have it."""
    by, where = options.get("by"), options.get("where")
    if isinstance(by, str) and by.startswith("persona."):
        yield ("by",), by, True
    for name in where if isinstance(where, Mapping) else ():
        if name.startswith("persona."):
            yield ("where", name), name, False
