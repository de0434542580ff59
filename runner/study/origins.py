"""Whose words a stage's requests may hold: real people's, or nobody's.

Words flow: a corpus made of real sessions, a model that was tuned on it, what that model says and what is said of it
are all theirs. Decided by what a stage reads, not by what its block is called.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.study.contains import NONE, REAL, Brought, brought_words
from cbtrun.study.graph import ordered_stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


TAUGHT = "tuned-on-words-of-real-people.txt"
"""File in the folder of an exported model or adapter."""


def real_people_in(study: Study, registry: Registry) -> dict[str, str]:
    """Stage -> why its requests may hold words of real people, in words; other stages are left out.

    A study that says `contains: real-people` may hold them anywhere: in a prompt or a persona's description as well.
    """
    if study.contains == NONE:
        return {}
    stages = ordered_stages(study)
    if study.contains == REAL:
        return {stage.id: "the study says `contains: real-people`" for stage in stages}
    brought = {one.stage: one for one in words_of(study, registry)}
    taught = _taught_models(study)
    found: dict[str, str] = {}
    for stage in stages:  # each stands after those it reads
        if stage.id in brought:
            source = brought[stage.id].source
            found[stage.id] = f"{stage.id} reads '{source}', and nobody has said that nobody real speaks in it"
        elif theirs := [need for need in stage.needs if need in found]:
            found[stage.id] = found[theirs[0]]
        elif speaking := {one.name for one in study.models_named_by(stage.id)} & taught:
            found[stage.id] = f"the model '{min(speaking)}' was tuned on words of real people"
    return found


def mark_taught(folder: Path) -> None:
    """Note in the folder of a model or an adapter that it was tuned on words of real people: it may say them again."""
    (folder / TAUGHT).write_text(
        "This model was tuned on words of real people and may say them again.\n"
        "cbtrun sends what it says to no remote model without --consent-remote.\n",
        encoding="utf-8",
    )


def _taught_models(study: Study) -> set[str]:
    """Models whose folder says that they were tuned on words of real people."""
    found = set()
    for name, model in study.models.items():
        named = [value for value in model.options.values() if isinstance(value, str)]
        if any((start / value / TAUGHT).is_file() for value in named for start in (study.folder, Path.cwd())):
            found.add(name)
    return found


def words_of(study: Study, registry: Registry) -> Iterator[Brought]:
    """Every file or data set that brings words into a study."""
    from cbtrun.contract.stage_kinds import PLUGGED, block_path
    from cbtrun.documents.schema import walk
    from cbtrun.study.study_schema import block_schema

    for stage in PLUGGED:
        for name, block in study.blocks(stage).items():
            schema = block_schema(stage, registry.schema(stage, block["using"]))
            above = block_path(stage, name)
            yield from brought_words(replace(part, path=(*above, *part.path)) for part in walk(block, schema))
