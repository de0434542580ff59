"""The study or block that `cbtrun import` gives: proposed, checked as `validate` would, told, and written."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from cbtrun.errors import SpecError
from cbtrun.intake.directions import Directions
from cbtrun.intake.harmless import counted
from cbtrun.intake.people_scores import people_scores, rubrics_in
from cbtrun.intake.proposal import Proposal
from cbtrun.intake.propose import propose
from cbtrun.intake.story import story
from cbtrun.intake.study_text import block_text, name_of, study_text
from cbtrun.intake.understood import understood
from cbtrun.tables.row import AS_FOUND, Writing
from cbtrun.tables.transcript_table import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry

STUDY = "study.yaml"
"""What a study is called that goes to the terminal."""


@dataclass(frozen=True)
class WrittenStudy:
    """What is to be shown and written."""

    text: str
    """YAML: the study, or the block."""
    lines: tuple[str, ...]
    """What is told of it."""
    next: tuple[str, ...]
    """Commands that go on from here."""


@dataclass(frozen=True)
class ImportRequest:
    """What the user wants of a file."""

    asked: Directions = field(default_factory=Directions)
    writing: Writing = AS_FOUND
    output: Path | None = None
    ratings: Path | None = None
    """Scores that people gave, in a file of their own."""
    block: bool = False
    """Whether the block alone is wanted."""


def imported(path: Path, wanted: ImportRequest, registry: Registry) -> WrittenStudy:
    """What a file, folder or pattern gives.

    Raises SpecError for what cannot be read, known or rated; nothing is written.
    """
    rubrics = rubrics_in(registry.rubric_folders())
    proposal = propose(path, wanted.asked, wanted.writing, rubrics)
    if proposal.to == "agree":
        proposal = _with_scores(proposal, wanted.ratings, rubrics)
    file = wanted.output.name if wanted.output else STUDY
    name = name_of(Path(file).stem if wanted.output else path.stem)
    absolute = _at(proposal, str(Path(proposal.block.options["path"]).absolute()))
    found = understood(study_text(absolute, name, file), absolute, registry)
    shown = _at(proposal, _relative(proposal, wanted.output))
    text = block_text(shown) if wanted.block else study_text(shown, name, file)
    lines = (*story(proposal, found), *_matching(proposal, [str(one.id) for one in found.records]))
    return WrittenStudy(text, lines, () if wanted.block else _next(proposal, wanted.output, name))


def _at(proposal: Proposal, path: str) -> Proposal:
    return replace(proposal, block=replace(proposal.block, options={**proposal.block.options, "path": path}))


def _relative(proposal: Proposal, output: Path | None) -> str:
    """The path as it must stand in the study's folder."""
    path = str(proposal.block.options["path"])
    folder = output.parent if output else Path()
    return path if Path(path).is_absolute() else Path(os.path.relpath(path, folder)).as_posix()


def _with_scores(proposal: Proposal, ratings: Path | None, rubrics: Mapping[str, Rubric]) -> Proposal:
    """The same with what people scored. Raises SpecError where nobody did."""
    if ratings is not None:
        scores, where = people_scores(read_table(ratings), rubrics), ratings
    else:
        scores, where = proposal.scores, proposal.source
        if scores is not None and "messages" not in proposal.block.options["columns"]:
            what = "people's scores stand beside each turn: put them into a file of their own, a row a session, and give it with --ratings"
            raise SpecError.at(where, what)
    if scores is None:
        raise SpecError.at(
            where, f"no scores of people in it that fit a rubric ({', '.join(rubrics)}); --ratings FILE names them"
        )
    return replace(proposal, scores=scores, scores_in=where, rubric=scores.rubric)


def _matching(proposal: Proposal, sessions: list[str]) -> list[str]:
    """Whether the scores are about these sessions."""
    if proposal.scores is None or proposal.scores_in is None:
        return []
    column = proposal.scores.columns["session"]
    rated = {str(row.cells.get(column)) for row in read_table(proposal.scores_in).rows}
    both = rated & {*sessions}
    if not both:
        what = f"none of its {counted(len(rated), 'session')} (column {column}) is a session of {proposal.source}"
        raise SpecError.at(proposal.scores_in, what)
    return [f"people:   scored {len(both):,} of {counted(len(sessions), 'session')} here"]


def _next(proposal: Proposal, output: Path | None, name: str) -> tuple[str, ...]:
    """The commands that go on from here."""
    if output is None:
        return ()
    file = quote(str(output))
    commands = [f"cbtrun validate {file}", f"cbtrun {file}"]
    if proposal.scores is not None and proposal.scores_in is not None:
        commands.append(
            f"cbtrun agree runs/{name} {quote(str(proposal.scores_in))} {proposal.scores.options()}".rstrip()
        )
    return tuple(commands)
