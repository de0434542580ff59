"""From a checked study to its outcome: what `cbtrun STUDY` does, and `cbtrun.run` of Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.before.ready import ready
from cbtrun.before.rehearsal.run import rehearsal
from cbtrun.endings import ending_code
from cbtrun.errors import SpecError
from cbtrun.files.run_folder import RunFolder
from cbtrun.pipeline import run_study
from cbtrun.run.stopped import interrupted

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.run.options import Outcome, RunOptions
    from cbtrun.study.spec import Study


def start(
    study: Study,
    registry: Registry,
    runs: Path,
    options: RunOptions,
    *,
    rehearse: bool = False,
    found: Callable[[RunFolder], None] = lambda _: None,
) -> tuple[Outcome, Study]:
    """Run the study in its folder of `runs`, or its rehearsal; gives how it ended, and the study that ran.

    options: a rehearsal has keys of its own. found: told of the run folder.
    Raises SpecError with all that would stop it before the first second of work, Interrupted after Ctrl-C, and as
    `run_study`.
    """
    with ExitStack() as stack:
        if rehearse:
            study, keys = stack.enter_context(rehearsal(study, registry))
            options = replace(options, keys=keys, consent_remote=True)  # nothing leaves this machine
        folder = RunFolder(runs / study.name)
        found(folder)
        if problems := ready(study, registry, folder, options):
            raise SpecError(problems)
        try:
            return run_study(study, registry, folder, options), study
        except KeyboardInterrupt:
            raise interrupted(folder, ending_code()) from None
