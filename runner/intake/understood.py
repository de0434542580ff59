"""What a study makes of a file, asked of the plugins that will read it: checked in full, then read as in a run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cbtrun.contexts import StageContext
from cbtrun.contract.study_view import StudyView
from cbtrun.errors import Problem, SpecError
from cbtrun.study.checks import check_study
from cbtrun.study.overrides import read_study

if TYPE_CHECKING:
    from cbtrun.intake.proposal import Proposal
    from cbtrun.registry import Registry

PROPOSED = "the study that is proposed"


@dataclass(frozen=True)
class Understood:
    """The records that a block gives, and what it leaves out."""

    records: tuple[Any, ...]
    """Sessions, transcripts or personas."""
    left_out: Mapping[str, int]


def understood(text: str, proposal: Proposal, registry: Registry) -> Understood:
    """What a study's block reads. text: the study, with absolute paths.

    Raises SpecError with every row that does not fit, as `cbtrun validate` would.
    """
    with tempfile.TemporaryDirectory() as scratch:
        spec = Path(scratch) / "study.yaml"
        spec.write_text(text, encoding="utf-8")
        try:
            study = check_study(read_study(spec), registry)
        except SpecError as error:
            raise SpecError([_placed(one, str(spec)) for one in error.problems]) from None
        block = proposal.block
        context = StageContext(
            stage=block.stage,
            name=block.name,
            options={**study.options(block.stage, block.name), "controls": []},
            study=StudyView({**study.data, "sessions": {}} if block.stage == "corpus" else study.data),
            seed=1,
            folder=Path(scratch),
            inputs=cast(Any, None),  # reading a file needs neither earlier stages nor models
            models=cast(Any, None),
            tell=lambda _done, _total, _detail: None,
        )
        records = registry.run(block.stage, str(block.options["using"]), context)
        failed = _failed_checks(Path(scratch) / "corpus" / f"{block.name}.checks.json")
        return Understood(tuple(records), {**context.left_out, **failed})


def _placed(problem: Problem, spec: str) -> Problem:
    """A problem without the name of the file that was only made to be checked."""
    if problem.place.file != spec:
        return problem
    return replace(problem, place=replace(problem.place, file=PROPOSED, line=None, column=None))


def _failed_checks(path: Path) -> dict[str, int]:
    """Transcripts that a corpus leaves out, by the check that they fail."""
    if not path.exists():
        return {}
    told = json.loads(path.read_text(encoding="utf-8"))
    return {f"transcripts that fail the check '{name}'": one["failed"] for name, one in told["checks"].items()}
