"""What is told of a proposal: the format, why, the first sessions as they were understood, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cbtrun.intake.harmless import counted, harmless
from cbtrun.intake.proposal import Proposal
from cbtrun.intake.understood import Understood

SHOWN, TURNS, LONGEST = 2, 6, 88
"""Sessions that are shown, turns of each, and characters of a turn."""
MOST_REASONS = 24
TOLD_BY_NAME = ("turns of skipped speakers", "rows left out by `where`")
"""What a proposal counts by speaker and annotator: not told again as a sum."""


def story(proposal: Proposal, understood: Understood) -> Iterator[str]:
    """The lines, in order."""
    yield f"format:   {proposal.words}"
    for sentence in proposal.said[:MOST_REASONS]:
        yield f"  - {sentence}"
    for factor, levels in proposal.facts.levels.items():
        counts = proposal.facts.counts[factor]
        told = ", ".join(f"{harmless(level, 40)} ({counts[level]:,})" for level in levels)
        yield f"  - factor {harmless(factor, 40)}: {told}"
    if proposal.scores is not None:
        more = "" if proposal.to == "agree" else " (--to agree compares a rater with them)"
        yield f"  - {proposal.scores.words}{more}"
    yield from _records(proposal, understood.records)
    yield from _left_out(proposal, understood)
    yield from _warnings(understood.records)


def _records(proposal: Proposal, records: Sequence[Any]) -> Iterator[str]:
    kind = {"sessions": "session", "corpus": "transcript", "personas": "person"}[proposal.block.stage]
    turns = sum(len(_turns(one)) for one in records)
    yield f"read:     {counted(len(records), kind)}" + (f", {counted(turns, 'turn')}" if turns else "")
    for one in records[:SHOWN]:
        yield f"  {harmless(one.id, 60)}{_about(one)}"
        said = _turns(one) or [("", line) for line in str(getattr(one, "text", "")).splitlines() if line.strip()]
        for speaker, text in said[:TURNS]:
            yield f"    {f'{speaker}: ' if speaker else ''}{harmless(text, LONGEST)}"
        if len(said) > TURNS:
            yield f"    ({len(said) - TURNS:,} more)"


def _turns(record: Any) -> list[tuple[str, str]]:
    if hasattr(record, "turns"):
        return [(turn.speaker, turn.text) for turn in record.turns]
    messages = getattr(record, "messages", ())
    return [(one.role, one.content) for one in messages if one.role != "system"]


def _about(record: Any) -> str:
    """What else a session has, in brackets."""
    facts = {**getattr(record, "factors", {}), **getattr(record, "labels", {})}
    told = ", ".join(f"{harmless(name, 30)}: {harmless(value, 30)}" for name, value in facts.items())
    return f" ({told})" if told else ""


def _left_out(proposal: Proposal, understood: Understood) -> Iterator[str]:
    counts = {why: count for why, count in understood.left_out.items() if not why.startswith(TOLD_BY_NAME)}
    told = [*proposal.left_out, *(f"{why}: {count:,}" for why, count in counts.items())]
    yield "left out: " + ("" if told else "nothing")
    yield from (f"  - {one}" for one in told)


def _warnings(records: Sequence[Any]) -> Iterator[str]:
    """Sessions that the rater of the proposed study cannot read."""
    other = [flag for one in records for flag in getattr(one, "flags", ()) if flag.startswith("language")]
    if other:
        yield (
            f"note:     {counted(len(other), 'session')} in another language than English ({harmless(other[0].partition(': ')[2])}): the lexical "
            "rater leaves them unscored; name a language model as rater"
        )
