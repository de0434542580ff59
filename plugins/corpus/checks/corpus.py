"""A whole corpus through its checks: what is kept, and what the report says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError, Transcript, write_atomically
from cbtrun.plugins.corpus.checks.copies import copies
from cbtrun.plugins.corpus.checks.transcript import Fault, faults

if TYPE_CHECKING:
    from cbtrun.plugin import StageContext

EXAMPLES = 3
"""Examples of each check in the report."""


def checked(
    context: StageContext,
    transcripts: Sequence[Transcript],
    options: Mapping[str, Any],
    left_out: Mapping[str, int] | None = None,
) -> list[Transcript]:
    """The transcripts that are in order; writes corpus/NAME.checks.json. left_out: turns that were not read, by reason.

    Raises StageError when none is left, for a persona that the study evaluates with, and for any fault where
    `on_fail` says so.
    """
    refuse_evaluated(context, transcripts)
    found = {transcript.id: faults(transcript, options) for transcript in transcripts}
    if options["near_duplicates"]:
        for id_, earlier in copies((one for one in transcripts if not found[one.id]), options["near_duplicates"]):
            found[id_].append(Fault("near duplicate", f"says nearly the same as '{earlier}'"))
    write_checks(context.folder / "corpus" / f"{context.name}.checks.json", found, options, left_out)
    bad = [id_ for id_, wrong in found.items() if wrong]
    if bad and (options["on_fail"] == "stop" or len(bad) == len(found)):
        first = found[bad[0]][0]
        raise StageError(
            f"{len(bad)} of {len(found)} transcripts fail their checks, '{bad[0]}' first ({first.check}: {first.what}); "
            f"all are in corpus/{context.name}.checks.json"
        )
    context.left_out.update(left_out or {})
    counts = Counter(check for wrong in found.values() for check in dict.fromkeys(one.check for one in wrong))
    context.left_out.update({f"transcripts left out for '{check}'": count for check, count in sorted(counts.items())})
    return [transcript for transcript in transcripts if not found[transcript.id]]


def refuse_evaluated(context: StageContext, transcripts: Sequence[Transcript]) -> None:
    """Raises StageError when a persona of the corpus is one that the study evaluates with."""
    evaluated = context.study.evaluation_set()
    if not evaluated:
        return
    shared = sorted({one.persona for one in transcripts} & {persona.id for persona in context.personas(evaluated)})
    if shared:
        raise StageError(
            f"{len(shared)} personas of this corpus are evaluated with (set '{evaluated}'): {', '.join(shared[:5])}"
        )


def write_checks(
    path: Path,
    found: Mapping[str, Sequence[Fault]],
    options: Mapping[str, Any],
    left_out: Mapping[str, int] | None = None,
) -> None:
    """Counts of each check, and examples."""
    counts = Counter(check for wrong in found.values() for check in dict.fromkeys(one.check for one in wrong))
    examples: dict[str, list[dict[str, str]]] = {check: [] for check in sorted(counts)}
    for id_, wrong in found.items():
        for one in wrong:
            if len(examples[one.check]) < EXAMPLES:
                examples[one.check].append({"transcript": id_, "what": one.what, "text": one.example})
    told = {
        "transcripts": len(found),
        "failed": sum(bool(wrong) for wrong in found.values()),
        "on_fail": options["on_fail"],
        **({"left_out": dict(left_out)} if left_out else {}),
        "checks": {check: {"failed": counts[check], "examples": examples[check]} for check in sorted(counts)},
    }
    write_atomically(path, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
