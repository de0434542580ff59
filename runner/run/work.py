"""The stages of one run at work: each looked at, done if it has to be, written, and marked as done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from threading import Event, RLock
from typing import TYPE_CHECKING, Any

from cbtrun.analysis.whole_study import whole_study
from cbtrun.calls.calls import Tally
from cbtrun.contexts import StageContext, StageNote
from cbtrun.contract.digests import digest, file_digest
from cbtrun.contract.records import Failure
from cbtrun.contract.stage_kinds import STAGES
from cbtrun.contract.study_view import StudyView
from cbtrun.errors import CbtrunError, SpecError, StopRun, WouldAsk, blame
from cbtrun.files.run_folder import REPORT_FILES, RunFolder, write_atomically, write_records
from cbtrun.journal.journal import Journal, StageMark
from cbtrun.journal.recorded import KeptOutcome
from cbtrun.journal.served import drifts
from cbtrun.results.build import build_results
from cbtrun.results.left_out import left_out
from cbtrun.results.nothing_scored import nothing_scored
from cbtrun.results.parts import Parts
from cbtrun.results.records import results_bytes
from cbtrun.run.failures import failures_of
from cbtrun.run.fingerprints import RESULTS, models_of, stage_code, stage_fingerprint
from cbtrun.run.inputs import Inputs, output_path
from cbtrun.run.kept_tunings import refuse_another, said_of_tuning
from cbtrun.run.models import StudyModels
from cbtrun.run.options import Outcome, RunOptions
from cbtrun.run.promise import keep_promise, kept_promise, note_made, promise_of
from cbtrun.run.side_by_side import Wave, run_side_by_side
from cbtrun.run.stage_contexts import StageContexts, made_by
from cbtrun.run.telling import Telling, note_of
from cbtrun.run.tombstones import stood_for, without_forgotten
from cbtrun.run.up_to_date import CHANGED, REPLAYED, Asked, Due, as_offline, due, foreseen_line
from cbtrun.study.graph import Stage
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.contract.records import Comparison
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.results.records import Results
    from cbtrun.scores.rated_sets import RatedSet
    from cbtrun.study.spec import Study


class StagesAtWork:
    """One run in progress: what its stages share, and what became of each."""

    def __init__(
        self, study: Study, registry: Registry, folder: RunFolder, options: RunOptions, journal: Journal
    ) -> None:
        self.study, self.registry, self.folder, self.options, self.journal = study, registry, folder, options, journal
        self._books = RLock()
        """Around everything but the plugins' work, which may go on in several threads."""
        self.telling = Telling(folder, registry, self._books, rehearsal=bool(study.stand_ins))
        self.telling.elsewhere = options.cluster.words if options.cluster is not None else None
        self._stopping = Event()
        self.lost = Parts()
        """What a fault of ours cost: told when everything else is written."""
        self.rubrics: Mapping[str, Rubric] = study.rubrics()
        people = {name: study.options("people", name) for name in study.people}
        self.inputs = Inputs(folder, study.data, self.rubrics, people)
        self.outputs: dict[str, str] = {}
        self.broken: set[str] = set()
        self.outcome = Outcome(folder)
        self.models = StudyModels(study, registry, folder, self.inputs, self.rubrics, options.keys, self.broken)
        self.models.workplace = options.cluster
        parts = study, registry, folder, options, journal, self.inputs, self.models, self.outcome, self.telling
        self.contexts = StageContexts(*parts)
        self.same_study = False
        """Whether the study says what it said when the folder was last used."""

    def together(self, wave: Wave) -> None:
        """Do the stages of a wave, as many at once as it allows; failures come in the order of the study."""
        if wave.at_once == 1:
            for stage in wave.stages:
                self.do(stage)
            return
        failures, self.outcome.failures = self.outcome.failures, []
        try:
            run_side_by_side([partial(self.do, stage) for stage in wave.stages], wave.at_once, self._stop)
        finally:
            order = [stage.id for stage in wave.stages]
            self.outcome.failures = [*failures, *sorted(self.outcome.failures, key=lambda one: order.index(one.stage))]

    def do(self, stage: Stage) -> None:
        """Do a stage, if it has to be done."""
        if self._stopping.is_set():
            return
        with self._books:
            now = self._as_it_is(stage)
            wanted = self._due(stage, now)
        if wanted.what == "nothing" or (wanted.what == "work" and self._stands_as_kept(stage)):
            self._leave(stage, now, "up to date")
        elif wanted.what == "keep":
            self._keep(stage, wanted.why)
        elif not self._lacks_what_it_reads(stage):
            self._work(stage, now, wanted)

    def foreseen(self, stages: Sequence[Stage]) -> Iterator[str]:
        """What of an earlier run will be done again, stage by stage, and why; nothing is done yet."""
        marks, again = self.journal.marks(), set[str]()
        self.outputs = {stage: mark.output for stage, mark in marks.items()}
        for stage in stages:
            if stage.id not in marks or stage.block == "report":
                continue
            wanted = self._due(stage, self._as_it_is(stage))
            if line := foreseen_line(stage.id, wanted, [need for need in stage.needs if need in again]):
                again.add(stage.id)
                yield line
        self.outputs = {}

    def note_changed_models(self) -> None:
        """Look whether a model changed behind its name while the study ran."""
        self.outcome.drifts = tuple(one.sentence for one in drifts(self.journal.served()))

    def hold_to_promise(self) -> None:
        """Look whether the run kept to its registration, and write it down."""
        self.outcome.promise = promise_of(self.study, self.registry, self.folder, self.journal.first_run())
        if self.outcome.promise is not None:
            keep_promise(self.folder, self.outcome.promise)

    def results(self) -> None:
        """Write results.json, a stage of our own: made from what the others wrote, and from what failed in them."""
        failed = [failure.model_dump() for failure in self.outcome.failures]
        now = StageMark(*self._prints(RESULTS, failed), code=stage_code(RESULTS, self.study, self.registry))
        kept = self.journal.stage(RESULTS.id)
        output = file_digest(self.folder.results) if self.folder.results.exists() else None
        wanted = due(kept, now, output, Asked())
        if wanted.what == "nothing" and kept is not None:
            self.outputs[RESULTS.id] = kept.output
            self._note_gaps(self.inputs.results())
            return
        self._note_change(RESULTS.id, wanted)
        self.telling.tell(StageNote(RESULTS.id, "running"), "stage_started")
        self.journal.unmark_stage(RESULTS.id)
        sessions = self.inputs.sessions() if output_path(self.folder, "sessions", "").exists() else []
        rated = self.inputs.rated()
        results = build_results(
            self.study.data,
            self.study.digest,
            sessions,
            rated,
            self._answers(rated),
            self.outcome.failures,
            self.lost,
        )
        self.outcome.failures += self.lost.failures
        self._note_gaps(results)
        write_atomically(self.folder.results, results_bytes(results).decode())
        self.outputs[RESULTS.id] = file_digest(self.folder.results)
        if not self.lost.failures:  # a part that a fault of ours cost is made again
            self.journal.mark_stage(RESULTS.id, self._mark(now, self.outputs[RESULTS.id], 1))
        self.telling.tell(StageNote(RESULTS.id, "incomplete" if self.lost.failures else "done"), "stage_finished")

    def _note_change(self, stage: str, wanted: Due) -> None:
        """Note that somebody, or a disk, changed what a stage had written: what stood there may have been read."""
        if wanted.why == CHANGED:
            self.outcome.changed.append(stage)

    def _note_gaps(self, results: Results) -> None:
        self.outcome.unscored = nothing_scored(results, self.study)
        self.outcome.left_out = left_out(results)

    def _answers(self, rated: Mapping[str, RatedSet]) -> list[Comparison]:
        """The comparisons of all analyses, with what can be said only when all are there."""
        raters = {name: sorted(one.tally.raters) for name, one in rated.items()}
        blocks = self.study.analyses

        def claim(one: Comparison) -> str:
            return self.registry.claim(blocks[one.analysis].using, one)

        return whole_study(self.inputs.comparisons(), StudyView(self.study.data), raters, claim)

    def report_alone(self, stage: Stage, options: Mapping[str, object]) -> list[Path]:
        """Make the report again from what the stages wrote, whether or not they are finished."""
        self.outcome.promise = kept_promise(self.folder)
        context = self.contexts.of(stage, Tally(), Due("work"), failures_of(self.folder))
        context.options = {**context.options, **options}
        self.telling.tell(StageNote(stage.id, "running"), "stage_started")
        state = "stopped"
        try:
            written: list[Path] = self.registry.run(stage.block, stage.options["using"], context)
            state = "done"
        finally:
            self.telling.tell(StageNote(stage.id, state), "stage_finished")
        self.outcome.done.append(stage.id)
        self.outcome.cares = len(context.cares)
        self.outcome.report = next(iter(written), None)
        return written

    def _prints(self, stage: Stage, also: object = None) -> tuple[str, str, int]:
        return stage_fingerprint(stage, self.study, self.rubrics, self.outputs, also), "", 0

    def _as_it_is(self, stage: Stage) -> StageMark:
        """Fingerprint and code of a stage as the study and cbtrun are now."""
        also = None
        if stage.block == "report":  # it names the promise, and the code of each stage
            promise = self.outcome.promise
            also = [promise and asdict(promise), made_by(self.journal), self.outcome.kept, self.outcome.drifts]
        return StageMark(*self._prints(stage, also), code=stage_code(stage, self.study, self.registry))

    def _due(self, stage: Stage, now: StageMark) -> Due:
        asked = Asked(
            trains=stage.block == "tune",
            talks=stage.block not in ("tune", "report") and bool(models_of(stage, self.study)),
            redo=stage.id in self.options.redo,
            same_study=self.same_study,
        )
        kept = self.journal.stage(stage.id)
        return due(as_offline(kept) if self.options.offline else kept, now, self._output_digest(stage), asked)

    def _stands_as_kept(self, stage: Stage) -> bool:
        """Whether an offline run takes a tuning as the journal has it. Raises StageError where it was asked for another."""
        if stage.block != "tune" or not self.options.offline or stage.id in self.options.redo:
            return False
        with self._books:
            outcome = self.journal.outcomes().get(stage.id)
            if outcome is None or outcome.output != self._output_digest(stage):
                return False
            refuse_another(outcome, *said_of_tuning(stage, self.study, self.registry, self.rubrics, self.outputs))
            self.outputs[stage.id] = outcome.output
            self.outcome.untrained[stage.id] = tuple(one.digest for one in self.inputs.adapters(stage.name))
            return True

    def _leave(self, stage: Stage, now: StageMark, state: str) -> None:
        """Leave a stage as it is: what it wrote is what the others read."""
        kept = self.journal.stage(stage.id) or now
        self.outputs[stage.id] = kept.output or self.outputs.get(stage.id, "")
        self.outcome.up_to_date.append(stage.id)
        self.telling.tell(StageNote(stage.id, state, kept.units, kept.units), "stage_finished")

    def _keep(self, stage: Stage, why: str) -> None:
        self.outcome.kept[stage.id] = why
        self._leave(stage, StageMark("", "", 0), "up to date")

    def _lacks_what_it_reads(self, stage: Stage) -> bool:
        missing = [need for need in stage.needs if need in self.broken]
        if not missing or STAGES[stage.block].goes_on:
            return False
        with self._books:
            self.journal.unmark_stage(stage.id)
            reason = f"needs {', '.join(missing)}, which failed"
            self._break(stage, [Failure(stage=stage.id, unit="", reason=reason)])
        return True

    def _break(self, stage: Stage, failures: list[Failure]) -> None:
        """A stage without output: what an earlier run left there would be of another study."""
        self.broken.add(stage.id)
        self.outcome.done.append(stage.id)
        self.outcome.failures += failures
        if STAGES[stage.block].output:
            output_path(self.folder, stage.block, stage.name).unlink(missing_ok=True)
            self.inputs.forget(stage.block, stage.name)
        self.telling.tell(StageNote(stage.id, "failed"), "stage_finished")

    def _work(self, stage: Stage, now: StageMark, wanted: Due) -> None:
        tally = Tally()
        self._note_change(stage.id, wanted)
        if wanted.what == "work":
            self.journal.unmark_stage(stage.id)
        if stage.block == "tune" and stage.id in self.options.redo:  # a job goes on from what it finds in its folder
            shutil.rmtree(self.folder.path / "adapters" / stage.name, ignore_errors=True)
        context = self.contexts.of(stage, tally, wanted)
        context.folder.mkdir(parents=True, exist_ok=True)
        self.telling.tell(StageNote(stage.id, "running"), "stage_started")
        try:
            result = self.registry.run(stage.block, stage.options["using"], context)
            with self._books:
                self._write(stage, result)
        except WouldAsk as error:
            with self._books:
                self._keep(stage, f"{wanted.why}, and {error}")
            return
        except StopRun:
            self.telling.tell(note_of(stage, "stopped", 0, tally), "stage_finished")
            raise
        except SpecError:
            raise
        except Exception as error:
            self._fail(stage, context, tally, error)
            return
        with self._books:
            self._finish(stage, now, context, tally, len(result))

    def _fail(self, stage: Stage, context: StageContext, tally: Tally, error: Exception) -> None:
        """A stage that raised: its own failure, or in an analysis a fault of ours, which must cost no other part."""
        if not isinstance(error, CbtrunError):
            blame(error, stage.options["using"], stage.id)
            if stage.block != "analysis":
                raise error
            self.lost.lose(stage.id, error)
        with self._books:
            if self._stopping.is_set():
                self.telling.tell(note_of(stage, "stopped", 0, tally), "stage_finished")
            else:
                self.journal.unmark_stage(stage.id)
                context.fail("", str(error) or type(error).__name__)
                self._break(stage, context.failures)

    def _write(self, stage: Stage, result: Any) -> None:
        """Write what a plugin gave. Raises StopRun where another process has the folder by now."""
        self.folder.check_hold()
        if stage.block == "report":
            self.outcome.report = next(iter(result), None)
            names = [path.relative_to(self.folder.path).as_posix() for path in result]
            write_atomically(self.folder.path / REPORT_FILES, "".join(f"{name}\n" for name in names))
        else:
            kept = without_forgotten(self.contexts.stones, stage.block, result)
            write_records(output_path(self.folder, stage.block, stage.name), kept)
            self.inputs.forget(stage.block, stage.name)

    def _finish(self, stage: Stage, now: StageMark, context: StageContext, tally: Tally, units: int) -> None:
        """Mark a stage as done, if nothing failed."""
        for line in tally.by_server.values():
            if self.telling.log is not None:
                self.telling.log.say(f"{stage.id}: {line}")
        self.outcome.done.append(stage.id)
        self.outcome.failures += context.failures
        self.outcome.tally.add(tally)
        if stage.block == "report":
            self.outcome.cares = len(context.cares)
        self.outputs[stage.id] = self._output_digest(stage) or ""
        if not context.failures and stage.block in ("personas", "corpus"):
            note_made(self.study, self.folder, stage.id, self.outputs[stage.id])
        if context.failures:
            self.journal.unmark_stage(stage.id)
        else:
            code = f"{REPLAYED}{now.code}" if stage.id in self.outcome.unopened else now.code
            self.journal.mark_stage(stage.id, self._mark(replace(now, code=code), self.outputs[stage.id], units))
            if stage.block == "tune":
                said, _ = said_of_tuning(stage, self.study, self.registry, self.rubrics, self.outputs)
                self.journal.keep_outcome(KeptOutcome(stage.id, said, self.outputs[stage.id], units))
        state = "incomplete" if context.failures else "done"
        told = ", ".join(f"{why}: {count:,}" for why, count in context.left_out.items())
        self.telling.tell(note_of(stage, state, units, tally, detail=told), "stage_finished")

    def _mark(self, now: StageMark, output: str, units: int) -> StageMark:
        return StageMark(now.fingerprint, output, units, now.code, __version__)

    def _stop(self) -> None:
        """Make the stages in other threads return; what they had not finished is for the next run."""
        self._stopping.set()
        if self.options.cluster is not None:
            self.options.cluster.end_trainings()
        self.registry.stop()

    def _output_digest(self, stage: Stage) -> str | None:
        """SHA-256 of what a stage wrote, or none when some of it is not there."""
        if stage.block != "report":
            path = output_path(self.folder, stage.block, stage.name)
            # A file without a person who was forgotten stands for the one it was: nothing that reads it is done again.
            return stood_for(self.contexts.stones, file_digest(path)) if path.exists() else None
        files = self.folder.report_files()
        if files is None or not all(file.is_file() for file in files):
            return None
        self.outcome.report = next(iter(files), None)
        return digest([file_digest(file) for file in files])
