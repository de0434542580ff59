"""The sessions and one rating set of a finished run, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.contract.records import Session
from cbtrun.contract.study_view import StudyView
from cbtrun.errors import StageError

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.scores.score import Score


@dataclass(frozen=True)
class RatedRun:
    """What people's ratings are held against."""

    folder: Path
    study: StudyView
    name: str
    """Name of the rating set."""
    rubric: Rubric
    sessions: tuple[Session, ...]
    scores: tuple[Score, ...]
    """Of the rating set, outcome by outcome."""
    labels: Mapping[str, str]
    """Item, subscale or total -> what the study calls it."""

    @property
    def seed(self) -> int:
        """The study's seed."""
        return self.study.seed


def rated_run(folder: Path, set_name: str | None) -> RatedRun:
    """A run's sessions and a rating set: the named one, or the only one.

    Raises StageError for an unknown set, a choice that is left open, a stage that was not done, and a rubric that has
    changed since the sessions were rated.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.ratings.rubric import rubric_digest
    from cbtrun.registry import load_registry
    from cbtrun.run.inputs import Inputs
    from cbtrun.run.study_lock import study_of_run

    run = RunFolder(folder)
    study = study_of_run(run, load_registry())
    blocks = study.rating_sets
    name = set_name or (str(next(iter(blocks))) if len(blocks) == 1 else "")
    if name not in blocks:
        known = ", ".join(blocks) or "none"
        raise StageError(f"{folder}: say which rating set with --ratings NAME; the study has: {known}")
    inputs = Inputs(run, study.data, study.rubrics())
    rubric, ratings = inputs.rubric(blocks[name].rubric), inputs.ratings(name)
    for rating in ratings:
        if rating.rubric_digest != rubric_digest(rubric):
            raise StageError(
                f"{folder}: rubric '{rubric.name}' has changed since ratings.{name} were made "
                f"({rating.rubric_digest[:12]} then, {rubric_digest(rubric)[:12]} now); run the study again"
            )
    labels = study.rating_sets[name].item_labels
    items = tuple(item.model_copy(update={"label": labels.get(item.id, item.label)}) for item in rubric.items)
    rubric = rubric.model_copy(update={"items": items})  # labels are no part of its digest
    return RatedRun(
        folder, StudyView(study.data), name, rubric, tuple(inputs.sessions()), tuple(inputs.scores(name)), labels
    )
