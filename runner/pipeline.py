"""From a checked study to its results, in order:

    spec -> personas -> corpus -> tune -> sessions -> ratings -> analysis -> results -> report

Personas are made first, so that nobody who is tuned on is also tested on. Then a corpus is written for them, models are
tuned on it, therapists and patients talk, raters read what was said, and the declared questions are answered. What a block
names decides the order: preference tuning reads rated sessions, so it stands behind them.

Nothing is done twice: how a stage is found to be up to date stands in run/up_to_date.py, how it works in run/work.py.
A stage with failed units writes what it has, is not marked as done, and the next run goes over it again: kept calls are
replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cbtrun.errors import SpecError, StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.journal import Journal
from cbtrun.journal.trouble import told
from cbtrun.run.failures import write_failures
from cbtrun.run.fingerprints import RESULTS
from cbtrun.run.options import Outcome, RunOptions
from cbtrun.run.promise import keep_registration, made_in
from cbtrun.run.replayed import REPLAYED, note_in_lock
from cbtrun.run.run_log import RunLog
from cbtrun.run.same_study import differing_paths, says_the_same
from cbtrun.run.side_by_side import waves
from cbtrun.run.study_lock import lock_of, write_lock
from cbtrun.run.up_to_date import STUDY_CHANGED
from cbtrun.run.work import StagesAtWork
from cbtrun.study.graph import Stage, ordered_stages
from cbtrun.study.persona_sets import check_disjoint
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.analysis.preregistration import MadeDigests
    from cbtrun.registry import Registry
    from cbtrun.study.graph import Stage
    from cbtrun.study.spec import Study

MOST_DIFFERING = 6
"""Keys in which a study differs that are named before its results are replaced."""

__all__ = ["Outcome", "RunOptions", "make_beforehand", "remake_report", "run_study"]


def run_study(study: Study, registry: Registry, folder: RunFolder, options: RunOptions) -> Outcome:
    """Run what is not done yet.

    Raises StageError when another process holds the folder, SpecError for a folder made by another spec, StopRun when
    a limit or a server that is down ends the run; what is done stays done.
    """
    stages = ordered_stages(study)
    _check_redo(options.redo, stages)
    with folder.locked(options.announce):
        lock = lock_of(folder)
        before = lock.get("resolved")
        where = options.cluster.told() if options.cluster is not None else None
        write_lock(folder, study, registry, take_over=options.take_over, where=where)
        keep_registration(study, folder)
        with Journal(folder.journal, folder.check_lease) as journal, told(folder.journal):
            journal.check()
            journal.start_run()
            journal.batches.discard_unsent()
            run = StagesAtWork(study, registry, folder, options, journal)
            run.same_study = says_the_same(before, study.document.value, study.data)
            run.telling.to_come = dict.fromkeys(_in_order(stages))
            run.telling.log = log = RunLog(folder.path)
            log.say(f"run of '{study.name}' by cbtrun {__version__}")
            for line in _foretold(run, stages, before):
                log.say(line)
                options.announce(line)
            try:
                outcome = _all_stages(run, stages)
                _log_end(log, outcome)
                return outcome
            except BaseException as error:
                if folder.is_held():
                    log.ended(error)
                if isinstance(error, OSError | KeyboardInterrupt):
                    folder.check_hold()  # the folder is gone, or another's: that, and not what came of it, is to be told
                raise
            finally:
                if folder.is_held():
                    log.failures(run.outcome.failures)
                    note_in_lock(folder, run.outcome, lock.get(REPLAYED) or {})
                    run.outcome.failure_list = write_failures(folder, run.outcome.failures)


def _foretold(run: StagesAtWork, stages: list[Stage], before: Any) -> list[str]:
    """What is done again and why; first, that the results of a finished run will be replaced, where they will."""
    lines = [*run.foreseen(stages)]
    now = run.study.data
    differs = [] if run.same_study or not before else [*differing_paths(before, run.study.document.value, now)]
    by_study = any(STUDY_CHANGED in line for line in lines)  # another version alone does it again to the same results
    if not by_study or not differs or not run.folder.results.exists():
        return lines
    shown = ", ".join(differs[:MOST_DIFFERING]) + (
        f" and {len(differs) - MOST_DIFFERING} more" if len(differs) > MOST_DIFFERING else ""
    )
    what = (
        f"the results in {run.folder.path} will be replaced: the study differs from the one that made them in {shown}"
    )
    return [f"{what}; to keep them, stop this run and give it another name (--set study=NAME)", *lines]


def _log_end(log: RunLog, outcome: Outcome) -> None:
    """Note what the terminal tells at the end, all of it."""
    for part in outcome.unscored:
        log.say(f"nothing scored: {part}")
    for line in (*outcome.left_out, *(f"warning: {one}" for one in outcome.drifts)):
        log.say(line)
    for stage, why in outcome.kept.items():
        log.say(f"{stage} {why}; it is kept as it is")
    log.say(
        f"finished: {len(outcome.done)} stages done, {len(outcome.up_to_date)} up to date, {len(outcome.failures)} failures"
    )


def _all_stages(run: StagesAtWork, stages: list[Stage]) -> Outcome:
    """The whole study, straight down."""
    for personas in _of(stages, "personas"):
        run.do(personas)
    if not run.broken:
        check_disjoint(run.study, run.inputs)  # before any training: nobody is in both sets
    middle = [stage for stage in stages if stage.block not in ("personas", "report")]
    for wave in waves(
        middle, run.study, run.registry
    ):  # corpus, tune, sessions, ratings, analysis, each after its needs
        run.together(wave)
    run.results()
    run.note_changed_models()
    run.hold_to_promise()
    for report in _of(stages, "report"):
        run.do(report)
    run.lost.raise_first()
    return run.outcome


def remake_report(
    study: Study, registry: Registry, folder: RunFolder, options: Mapping[str, object] | None = None
) -> tuple[Outcome, list[Path]]:
    """Make the report of a run folder again, from its files alone; gives the files. Nothing else is written.

    options: of the report's block, instead of the study's. Raises StageError when the study has no report, or none
    that knows these options.
    """
    using = study.report.using
    if not using:
        raise StageError(f"{folder.path}: the study has no `report` block")
    if not folder.results.exists():
        raise StageError(f"{folder.path}: there is no {folder.results.name} yet; run the study first")
    known = registry.schema("report", using).get("properties", {})
    if unknown := [name for name in options or {} if name not in known]:
        raise StageError(f"the report plugin '{using}' cannot write some formats alone: no `{unknown[0]}`")
    with folder.locked(), Journal(folder.journal) as journal, told(folder.journal):
        run = StagesAtWork(study, registry, folder, RunOptions(offline=True), journal)
        (report,) = _of(ordered_stages(study), "report")
        return run.outcome, run.report_alone(report, options or {})


def make_beforehand(study: Study, registry: Registry) -> MadeDigests:
    """Digests of the persona sets and corpora, made in a folder that is thrown away by embedded models alone.

    Sets that another model writes are left out.
    """
    with TemporaryDirectory() as made:
        folder = RunFolder(Path(made))
        with Journal(folder.journal) as journal:
            run = StagesAtWork(study, registry, folder, RunOptions(embedded_alone=True), journal)
            stages = ordered_stages(study)
            for stage in (*_of(stages, "personas"), *_of(stages, "corpus")):
                if all(need in run.outputs and need not in run.outcome.kept for need in stage.needs):
                    run.do(stage)
        return made_in(study, folder)


def _in_order(stages: list[Stage]) -> list[str]:
    """Ids of the stages as they are taken, the results among them."""
    reports = [stage.id for stage in _of(stages, "report")]
    return [*(stage.id for stage in stages if stage.id not in reports), RESULTS.id, *reports]


def _of(stages: list[Stage], block: str) -> list[Stage]:
    return [stage for stage in stages if stage.block == block]


def _check_redo(wanted: frozenset[str], stages: list[Stage]) -> None:
    """Raises SpecError for a stage that the study does not have."""
    known = [stage.id for stage in stages]
    if unknown := sorted(wanted - {*known}):
        what = f"no stage '{unknown[0]}'; the study has: {', '.join(known)}"
        raise SpecError.at("--redo", what if unknown[0] != RESULTS.id else "results are always those of today's code")
