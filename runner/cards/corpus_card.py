"""The card of a corpus that models were tuned on: how it was made, how much of it there is, whose words and terms."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.cards.parts import NOT_FOR_CARE, NOT_STATED, card, front_matter, hub_licence, listed, shares
from cbtrun.contract.digests import file_digest
from cbtrun.contract.markdown_text import markdown_code, markdown_text
from cbtrun.contract.records import Transcript
from cbtrun.errors import StageError
from cbtrun.files.record_list import RecordList
from cbtrun.run.inputs import output_path

if TYPE_CHECKING:
    from cbtrun.contract.study_blocks import CorpusBlock
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.study.spec import Study

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
MOST_BYTES = 2**24
"""Of what the checks of a corpus wrote."""


@dataclass(frozen=True)
class CorpusFacts:
    """A corpus as its study and its file tell of it; no word of a transcript."""

    block: CorpusBlock
    study: str
    digest: str
    transcripts: int
    personas: int
    turns: Mapping[str, int]
    """Role -> messages."""
    words: int
    phases: Mapping[str, int]
    rejected: int
    """Transcripts whose last turn has another that is liked less."""
    left_out: Mapping[str, int]
    people: str
    """Why real people may speak in it; empty where nobody does."""

    @property
    def licence(self) -> str:
        """As the study states it."""
        return str(self.block.options.get("licence") or "")

    @property
    def author(self) -> str:
        """The model that wrote it; empty where none did."""
        return str(self.block.options.get("author") or self.block.options.get("therapist") or "")

    @property
    def is_synthetic(self) -> bool:
        """Whether a model wrote it, and nobody real speaks in it."""
        return bool(self.author) and not self.people

    @property
    def whose(self) -> str:
        """Whether real people speak in it, in words."""
        return self.people or ("none: a model wrote it" if self.author else "none, as the study says")


def corpus_facts(folder: RunFolder, study: Study, name: str, people: str = "") -> CorpusFacts:
    """What is known of a corpus of a run. Raises StageError where the study has none of that name, or it was not made."""
    if name not in study.corpora:
        raise StageError(f"{folder.path}: no corpus '{name}'; there is: {', '.join(study.corpora) or 'none'}")
    path = output_path(folder, "corpus", name)
    if not path.exists():
        raise StageError(f"{folder.path}: the corpus '{name}' was not made yet")
    found: Sequence[Transcript] = RecordList.read(path, Transcript)
    turns, phases, personas, words, rejected = Counter[str](), Counter[str](), set[str](), 0, 0
    for one in found:
        personas.add(one.persona)
        phases[one.phase or "-"] += 1
        turns.update(message.role for message in one.messages)
        words += sum(len(message.content.split()) for message in one.messages)
        rejected += one.rejected is not None
    return CorpusFacts(study.corpora[name], study.name, file_digest(path), len(found), len(personas), dict(turns), words, dict(phases), rejected, _left_out(path), people)  # fmt: skip


def corpus_card(facts: CorpusFacts) -> str:
    """The card as Markdown, with the front matter of a data set of the hub."""
    size = next((name for most, name in SIZES if facts.transcripts < most), "n>1M")
    front = front_matter(
        {
            "pretty_name": f"{facts.block.name} ({facts.study})",
            **hub_licence(facts.licence),
            "size_categories": [size],
            "tags": ["cbtrun", "psychotherapy", "research", *(["synthetic"] if facts.is_synthetic else [])],
        }
    )
    return card([front, *_lines(facts)])


def _lines(facts: CorpusFacts) -> Iterator[str]:
    yield from [f"# Corpus {markdown_code(facts.block.name)} of the study {markdown_text(facts.study)}", ""]
    yield from listed(
        [
            ("Made by", facts.block.using),
            ("Author", facts.author or "no model"),
            ("Licence of its words", facts.licence),
            ("Real people", facts.whose),
            ("Transcripts", f"{facts.transcripts:,}, for {facts.personas:,} patients"),
            ("Messages", shares(facts.turns)),
            ("Words", f"{facts.words:,}"),
            ("Phases", shares(facts.phases)),
            ("With a turn liked less", f"{facts.rejected:,}"),
            ("Left out by checks", shares(facts.left_out) or "none"),
            ("SHA-256", facts.digest),
        ]
    )
    yield from ["", "## How it was made", "", "| option | value |", "| --- | --- |"]
    yield from (f"| {markdown_text(str(name))} | {markdown_text(_shown(value))} |" for name, value in facts.block.options.items())  # fmt: skip
    yield from ["", "## Limits", ""]
    if not facts.licence:
        yield f"- The licence of its words is {NOT_STATED}. Where a model wrote it, its makers' terms may say what its outputs may train."
    yield "- Written to be learnt from: what it shows as therapy is what its author took for that, and no clinician has judged it here."
    if facts.people:
        yield "- A model that is tuned on it may say words of real people again."
    yield f"- {NOT_FOR_CARE}"


def _left_out(path: Path) -> dict[str, int]:
    file = path.with_name(f"{path.stem}.checks.json")
    if not file.is_file() or file.stat().st_size > MOST_BYTES:
        return {}
    try:
        told: Any = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return {}
    counts = told.get("left_out") if isinstance(told, dict) else None
    return (
        {str(why): count for why, count in counts.items() if isinstance(count, int)} if isinstance(counts, dict) else {}
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]} ..."
