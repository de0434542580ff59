"""The cards of a run: of its corpora, its persona sets, the rubrics that it was rated by, its tuned models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.cards.corpus_card import CorpusFacts, corpus_card, corpus_facts
from cbtrun.cards.model_card import Tuned, model_card
from cbtrun.cards.persona_card import persona_set_card
from cbtrun.cards.rubric_card import rubric_card
from cbtrun.contract.records import Adapter, Persona
from cbtrun.errors import StageError
from cbtrun.files.plain_files import inside
from cbtrun.files.record_list import RecordList
from cbtrun.files.run_folder import RunFolder, read_records
from cbtrun.run.inputs import output_path
from cbtrun.study.origins import real_people_in

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def cards_of_run(folder: RunFolder, study: Study, registry: Registry, *, rubrics_alone: bool = False) -> dict[str, str]:
    """File name -> card, of every corpus and persona set that was made and every rubric; tuned models have theirs at export.

    rubrics_alone: counts of a few real people could tell who they are.
    """
    found = {} if rubrics_alone else _of_people(folder, study, registry)
    for rubric in study.rubrics().values():
        found[f"rubric-{rubric.name}.md"] = rubric_card(rubric)
    return found


def _of_people(folder: RunFolder, study: Study, registry: Registry) -> dict[str, str]:
    people = real_people_in(study, registry)
    found = {}
    for name in study.corpora:
        if output_path(folder, "corpus", name).exists():
            found[f"corpus-{name}.md"] = corpus_card(
                corpus_facts(folder, study, name, people.get(f"corpus.{name}", ""))
            )
    for name in study.personas:
        if output_path(folder, "personas", name).exists():
            found[f"personas-{name}.md"] = personas_of_run(folder, study, registry, name)
    return found


def personas_of_run(folder: RunFolder, study: Study, registry: Registry, name: str) -> str:
    """The card of a persona set. Raises StageError where there is none of that name, or it was not made."""
    if name not in study.personas:
        raise StageError(f"{folder.path}: no persona set '{name}'; there is: {', '.join(study.personas) or 'none'}")
    path = output_path(folder, "personas", name)
    if not path.exists():
        raise StageError(f"{folder.path}: the persona set '{name}' was not made yet")
    block = study.personas[name]
    source = {"Made by": block.using, **{key: value for key in ("attributes", "path", "author") if (value := block.options.get(key))}}  # fmt: skip
    people = real_people_in(study, registry).get(f"personas.{name}", "")
    return persona_set_card(name, RecordList.read(path, Persona), {**source, "Study": study.name}, people)


def adapter_of(folder: RunFolder, study: Study, name: str) -> Adapter:
    """The adapter of a tune job's name, or NAME@SEED. Raises StageError where there is none, or several."""
    paths = [output_path(folder, "tune", job) for job in study.tune_jobs]
    made = [one for path in paths if path.exists() for one in read_records(path, Adapter)]
    chosen = [one for one in made if name in (one.name, f"{one.name}@{one.seed}")]
    if len(chosen) != 1:
        there = ", ".join(one.name for one in made) or "none"
        raise StageError(f"{folder.path}: no adapter '{name}'; there are: {there}")
    return chosen[0]


def tuned_card(
    folder: RunFolder, study: Study, registry: Registry, adapter: Adapter, *, merged: bool, licence: str = ""
) -> str:
    """The card of an adapter of a run."""
    job = adapter.name.partition("@")[0]
    people = real_people_in(study, registry)
    corpus = study.tune_jobs[job].corpus
    facts: CorpusFacts | None = None
    if corpus in study.corpora and output_path(folder, "corpus", corpus).exists():
        facts = corpus_facts(folder, study, corpus, people.get(f"corpus.{corpus}", ""))
    source = inside(folder.path, adapter.folder)
    return model_card(Tuned(folder, study, adapter, source, merged, facts, people.get(f"tune.{job}", ""), licence))
