"""The card of an exported adapter or merged model: what it is, whose terms hold, what the run found with it and for whom that holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.cards.found import found_lines, limits_of
from cbtrun.cards.parts import NOT_FOR_CARE, NOT_STATED, card, front_matter, hub_licence, listed, stated
from cbtrun.contract.markdown_text import markdown_code, markdown_table, markdown_text
from cbtrun.contract.records import Adapter
from cbtrun.documents.plain_yaml import read_plain_yaml
from cbtrun.errors import SpecError
from cbtrun.results.records import results_in
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.cards.corpus_card import CorpusFacts
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.study.spec import Study

LOCK = "adapter.lock.yaml"
FILE = "README.md"
OURS = "apache-2.0"
"""Of models that ship with cbtrun."""
LONGEST_HEAD = 2**16
"""Bytes in which the front matter of a base's own card is looked for."""


@dataclass(frozen=True)
class Tuned:
    """A tuned model of a run, about to leave it."""

    folder: RunFolder
    study: Study
    adapter: Adapter
    source: Path
    """Folder of the adapter in the run."""
    merged: bool
    corpus: CorpusFacts | None
    """What it was tuned on; none where that is no corpus of the study, or was not kept."""
    people: str
    """Why it may say words of real people; empty where nobody real spoke in what it learnt from."""
    licence: str = ""
    """Of the tuned weights, as whoever exports them states it."""

    @property
    def job(self) -> str:
        """The tune job."""
        return self.adapter.name.partition("@")[0]

    @property
    def base(self) -> str:
        """The base as the study names it; of a folder its last part, for nobody else has the rest."""
        named = str(self.study.models[self.adapter.base].options.get("model") or self.adapter.base)
        return Path(named).name if named.startswith(("/", ".", "~")) else named

    @property
    def lock(self) -> dict[str, Any]:
        """What the training wrote of itself; empty where it wrote nothing that can be read."""
        try:
            return read_plain_yaml(self.source / LOCK) if (self.source / LOCK).is_file() else {}
        except SpecError:
            return {}


def model_card(tuned: Tuned) -> str:
    """The card as Markdown, with the front matter of a model of the hub."""
    return card([_front(tuned), *_lines(tuned)])


def _front(tuned: Tuned) -> str:
    options = tuned.corpus.block.options if tuned.corpus else {}
    data = (
        options["name"] if {"name", "revision", "split"} <= options.keys() else None
    )  # of a data set of the hub alone
    return front_matter(
        {
            "base_model": tuned.base,
            "base_model_relation": "finetune" if tuned.merged else "adapter",
            "library_name": "transformers" if tuned.merged else "peft",
            "pipeline_tag": "text-generation",
            **hub_licence(tuned.licence),
            "datasets": [str(data)] if data else [],
            "tags": ["cbtrun", "research", "not-for-care", *([] if tuned.merged else ["lora"])],
        }
    )


def _lines(tuned: Tuned) -> Iterator[str]:
    what = "merged into its base" if tuned.merged else "a LoRA adapter"
    yield from [f"# {markdown_code(tuned.adapter.name)} of the study {markdown_text(tuned.study.name)}, {what}", ""]
    yield from [f"> {NOT_FOR_CARE}", "", "## What it is", ""]
    yield from listed(_what(tuned))
    yield from ["", "## Licences", "", *listed(_licences(tuned))]
    yield ""
    yield from _taught(tuned)
    yield from ["", "## How it was tuned", "", *_training(tuned)]
    yield from ["", "## What the run found with it", ""]
    results = results_in(tuned.folder.results) if tuned.folder.results.exists() else None
    yield from found_lines(tuned.study, results, tuned.adapter, tuned.job)
    yield from ["", "## Limits", "", *limits_of(tuned.study, results, tuned.adapter, tuned.job)]
    if tuned.people:
        yield f"- **It may say words of real people** that it was tuned on: {markdown_text(tuned.people)}."
    yield f"- {NOT_FOR_CARE}"
    yield from ["", "## Where it comes from", "", _origin(tuned)]


def _what(tuned: Tuned) -> Iterator[tuple[str, object]]:
    base = tuned.lock.get("base")
    known: Mapping[str, Any] = base if isinstance(base, Mapping) else {}
    yield "Base", tuned.base
    yield "Base's commit on the hub", known.get("revision")
    yield "SHA-256 of the base's weights", known.get("digest")
    yield "SHA-256 of the adapter", tuned.adapter.digest
    yield "Method", tuned.study.tune_jobs[tuned.job].using
    yield "Seed", tuned.adapter.seed
    yield "Other seeds of the same job", ", ".join(map(str, _others(tuned))) or "none"


def _others(tuned: Tuned) -> list[int]:
    return [one for one in tuned.study.tune_jobs[tuned.job].seeds if one != tuned.adapter.seed]


def _licences(tuned: Tuned) -> Iterator[tuple[str, object]]:
    yield "Base", _base_licence(tuned)
    yield "Data it was tuned on", tuned.corpus.licence if tuned.corpus else ""
    yield "The tuned weights", tuned.licence
    yield "Who may use it", "whoever keeps all of these; what is not stated is not allowed by saying nothing"


def _base_licence(tuned: Tuned) -> str:
    """Of the base: ours, or what the card in its folder says."""
    named = str(tuned.study.models[tuned.adapter.base].options.get("model") or "")
    if named.startswith("cbtrun:"):
        return OURS
    file = tuned.study.folder / Path(named).expanduser() / FILE
    try:
        with file.open("rb") as content:
            head = content.read(LONGEST_HEAD).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
    lines = head.split("---", 2)[1].splitlines() if head.startswith("---") and head.count("---") > 1 else []
    return next((line.partition(":")[2].strip(" '\"")[:60] for line in lines if line.startswith("license:")), "")


def _taught(tuned: Tuned) -> Iterator[str]:
    yield from ["## What it was tuned on", ""]
    facts, told = tuned.corpus, tuned.lock.get("corpus")
    counts = told if isinstance(told, Mapping) else {}
    if facts is None:
        yield f"- **Corpus**: {stated(tuned.study.tune_jobs[tuned.job].corpus)}; its transcripts are not at hand, and nothing is known of them here."
    else:
        yield from listed(
            [
                ("Corpus", f"{facts.block.name}, made by {facts.block.using}"),
                ("Author", facts.author or "no model"),
                ("Transcripts", f"{facts.transcripts:,}, for {facts.personas:,} patients"),
                ("Real people", facts.whose),
                ("SHA-256 of its file", facts.digest),
            ]
        )
    plain = {name: value for name, value in counts.items() if isinstance(value, int | float) and value}
    yield from listed((str(name).replace("_", " ").capitalize(), f"{value:,}") for name, value in plain.items())


def _training(tuned: Tuned) -> Iterator[str]:
    lock = tuned.lock
    options = lock.get("options")
    if not isinstance(options, Mapping):
        options = {**tuned.study.options("tune", tuned.job)}
    rows = [(name, str(value)) for name, value in _flat(options)]
    for name in ("steps", "trainable_parameters", "tokens_seen", "loss", "held_out_loss", "versions"):
        rows += _flat({name: lock[name]}) if name in lock else []
    yield from markdown_table(("setting", "value"), [(name, str(value)) for name, value in rows])


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        path = f"{above}{name}"
        found += _flat(value, f"{path}.") if isinstance(value, Mapping) else [(path, value)]
    return found


def _origin(tuned: Tuned) -> str:
    from cbtrun.run.study_lock import lock_of

    lock = lock_of(tuned.folder)
    spec, name = lock.get("spec") or {}, markdown_text(tuned.study.name)
    when = str(lock.get("finished") or lock.get("started") or "")[:10] or NOT_STATED
    title = markdown_text(str(tuned.study.data.get("title") or "")) or NOT_STATED
    digest = markdown_code(str(spec.get("digest") or NOT_STATED))
    return (
        f"Study {name} (title: {title}), run of {markdown_text(when)} with cbtrun {markdown_text(str(lock.get('cbtrun') or __version__))}. "
        f"Digest of the study: {digest}. `cbtrun package` hands the whole run on so that anybody can derive these figures again."
    )
