"""What the models were tuned on: who wrote it, under what licence, and what the checks left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cbtrun.plugin import view_of
from cbtrun.plugins.report.inputs import CorpusFacts, ReportInput
from cbtrun.plugins.report.tables import Row, Table

NOT_STATED = "not stated"


def corpus_facts(study: Mapping[str, Any], folder: Path) -> tuple[CorpusFacts, ...]:
    """Each corpus of a study as its block and the run folder tell of it; those that were not made are left out."""
    found = []
    for name, corpus in view_of(study).corpora.items():
        path = folder / "corpus" / f"{name}.jsonl"
        if not path.exists():
            continue
        with path.open("rb") as lines:
            count = sum(1 for _ in lines)
        told = {kind: _told(folder / "corpus" / f"{name}.{kind}.json") for kind in ("checks", "pairs")}
        author = corpus.options.get("author") or corpus.options.get("therapist") or ""
        licence = corpus.options.get("licence") or ""
        found.append(CorpusFacts(name, corpus.using, author, licence, count, told["checks"], told["pairs"]))
    return tuple(found)


def sessions_left_out(study: Mapping[str, Any], folder: Path) -> Mapping[str, int]:
    """What of the files of imported sessions was left out: why -> how many."""
    return _told(folder / "sessions.left_out.json") if view_of(study).sessions.using == "import" else {}


def _told(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def corpora_table(given: ReportInput) -> Table | None:
    """A row for each corpus; none where nothing was tuned."""
    rows = [_row(one, show_words=given.show_transcripts) for one in given.corpora]
    columns = ("Corpus", "Made by", "Author", "Licence of its words", "Transcripts", "Left out by checks")
    note = "The licence is what the study states; where an author model’s terms limit what its outputs may train, they hold"
    return Table("corpora", "What the models were tuned on", columns, tuple(rows), 4, None, (note,)) if rows else None


def _row(one: CorpusFacts, *, show_words: bool) -> Row:
    left_out = str(one.checks["failed"]) if one.checks else "not checked"
    cells = (one.name, one.using, one.author or "–", one.licence or NOT_STATED, str(one.transcripts), left_out)
    return Row(cells, detail=" ".join([*_failed(one.checks, show_words=show_words), *_compared(one.pairs)]))


def _failed(checks: Mapping[str, Any], *, show_words: bool) -> list[str]:
    """Each check's count, with an example where words may be shown."""
    told = [f"{why.capitalize()}: {count}." for why, count in (checks.get("left_out") or {}).items()]
    for check, found in (checks.get("checks") or {}).items():
        first = (found["examples"] or [{}])[0]
        example = f" (such as {first['transcript']}: {first['what']})" if show_words and first else ""
        told.append(f"{check.capitalize()}: {found['failed']}{example}.")
    return told


def _compared(pairs: Mapping[str, Any]) -> list[str]:
    if not pairs:
        return []
    none = "".join(f", {name} {count}" for name, count in pairs.items() if name not in ("openings", "pairs"))
    return [f"Of {pairs['openings']} openings, {pairs['pairs']} gave a pair{none}."]
