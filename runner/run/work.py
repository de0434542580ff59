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
from cbtrun.calls.budget import budget_of
from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.calls.server_gate import ServerGates
from cbtrun.contexts import RunFacts, StageContext, StageNote
from cbtrun.contract.digests import derive_seed, digest, file_digest
from cbtrun.contract.records import Failure
from cbtrun.contract.stage_kinds import STAGES
from cbtrun.contract.study_view import StudyView
from cbtrun.errors import CbtrunError, ConsentMissing, CopiedRun, Place, Problem, SpecError, StopRun, WouldAsk, blame
from cbtrun.files.run_folder import REPORT_FILES, RunFolder, write_atomically, write_records
from cbtrun.journal.journal import Journal, StageMark
from cbtrun.journal.recorded import KeptOutcome
from cbtrun.journal.served import drifts
from cbtrun.results.build import build_results
from cbtrun.results.left_out import left_out
from cbtrun.results.nothing_scored import nothing_scored
from cbtrun.results.parts import Parts
from cbtrun.results.records import results_bytes
from cbtrun.run.batched import by_batch, units_at_once
from cbtrun.run.failures import failures_of
from cbtrun.run.fingerprints import RESULTS, models_of, stage_code, stage_fingerprint
from cbtrun.run.inputs import Inputs, output_path
from cbtrun.run.kept_models import KeptModels, UnopenedModels
from cbtrun.run.kept_tunings import refuse_another, said_of_tuning
from cbtrun.run.models import StudyModels
from cbtrun.run.options import Outcome, RunOptions
from cbtrun.run.promise import keep_promise, kept_promise, note_made, promise_of
from cbtrun.run.side_by_side import Wave, run_side_by_side
from cbtrun.run.study_lock import copied_from, lock_of
from cbtrun.run.telling import Telling, note_of
from cbtrun.run.tombstones import stood_for, tombstones, without_forgotten
from cbtrun.run.up_to_date import CHANGED, REPLAYED, Asked, Due, as_offline, due, foreseen_line
from cbtrun.study.graph import Stage
from cbtrun.study.model_kinds import is_embedded, is_remote, refusal, refusal_elsewhere, runs_elsewhere
from cbtrun.study.origins import real_people_in
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.contract.records import Comparison
    from cbtrun.contract.workplace import Workplace
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
        self.kept = KeptModels(study, registry, journal, self.models.adapter_of)
        self._gates = ServerGates(study.seed)
        self._budget = budget_of(study.limits, journal.spent())
        self._stones = tombstones(folder)
        self._failed: list[Failure] = []
        """What failed in the run whose report is made again."""
        self._theirs = real_people_in(study, registry)
        self._copied_from = copied_from(folder)
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
        self._failed = failures_of(self.folder)
        context = self._context(stage, Tally(), Due("work"))
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
            also = [promise and asdict(promise), self._made_by(), self.outcome.kept, self.outcome.drifts]
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
        context = self._context(stage, tally, wanted)
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
            kept = without_forgotten(self._stones, stage.block, result)
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

    def _context(self, stage: Stage, tally: Tally, wanted: Due) -> StageContext:
        desk = CallDesk(self.journal, self.study.seed, stage.id, tally, self.options.offline, self._gates, self._budget)
        desk.before_asking = self._before_asking
        desk.still_ours, desk.say = self.folder.check_hold, self._say
        desk.batched = lambda name, model: by_batch(self.study, stage, name, model)
        if stage.id in self._theirs and not self.options.consent_remote:
            desk.withheld = partial(self._withheld, stage.id)
        if wanted.what == "replay" and self.options.offline:
            desk.replays = lambda model: True  # noqa: ARG005 - an embedded model is not asked either
        elif wanted.what == "replay" or self.options.embedded_alone:
            desk.replays = self._costs
        own_folder = self.folder.path / "adapters" / stage.name if stage.block == "tune" else self.folder.path
        reports = stage.block == "report"
        context = StageContext(
            stage=stage.block,
            name=stage.name,
            options=self.study.options(stage.block, stage.name),
            study=StudyView(self.study.data),
            seed=derive_seed(self.study.seed, stage.id),
            folder=own_folder,
            inputs=self.inputs,
            models=self._models(stage, desk, wanted),
            judges={name: self.study.options("ratings", name) for name in self.study.judges_of(stage.id)},
            tell=lambda *_: None,
            served=lambda: tally.served,
            workplace=self._workplace(stage),
            concurrency=units_at_once(self.study, stage, self.options.concurrency),
            forgotten=frozenset(one for stone in self._stones for one in stone.ids if not reports),
            facts=self._facts() if reports else RunFacts(),
        )
        context.tell = self.telling.teller(stage, tally, context)
        return context

    def _workplace(self, stage: Stage) -> Workplace | None:
        """The machines that a training goes to. Raises ConsentMissing for rows that hold real people's words."""
        cluster = self.options.cluster
        if cluster is None or self.options.offline:
            return None
        held = stage.block == "tune" and stage.id in self._theirs and not self.options.consent_remote
        if held and not cluster.where.trusted:
            what = refusal_elsewhere(f"the training '{stage.name}'", cluster.where.on, self._theirs[stage.id])
            raise ConsentMissing([Problem(Place(stage.id), "", what)])
        return cluster

    def _models(self, stage: Stage, desk: CallDesk, wanted: Due) -> OpenModels:
        """The models of a stage; offline, what the journal keeps of them stands for those that load weights."""
        if not self.options.offline:
            desk.answered = self.kept.note
            opens = self.models.open, self.models.engine_of, self.models.key_of
            return OpenModels(desk, *opens, workplace=self.options.cluster, open_policy=self.models.open_policy)
        used = self.outcome.unopened
        unopened = UnopenedModels(
            self.models,
            self.kept,
            wanted.what == "replay",
            lambda kept: used.setdefault(stage.id, {}).update({kept.name: kept}),
        )
        return OpenModels(desk, unopened.open, unopened.engine_of, unopened.key_of)

    def _withheld(self, stage: str, model: str) -> str | None:
        """Why a stage may not send what it says to a model, or none: words of real people stay here without consent."""
        why = self._theirs[stage]
        if is_remote(self.study, self.registry, model):
            return refusal(model, why)
        cluster = self.options.cluster
        if cluster is not None and not cluster.where.trusted and runs_elsewhere(self.study, self.registry, model):
            return refusal_elsewhere(f"the model '{model}'", cluster.where.on, why)
        return None

    def _say(self, line: str) -> None:
        """Tell what a user should know while a stage goes on."""
        with self._books:
            if self.telling.log is not None:
                self.telling.log.say(line)
            self.options.announce(line)

    def _before_asking(self, model: str) -> None:
        """Look whether the folder is still ours, and the one that calls are to be paid in."""
        self.folder.check_hold()
        if self._copied_from and is_remote(self.study, self.registry, model):
            what = (
                f"{self.folder.path} is a copy of {self._copied_from}: calls that the original makes, or has made since, would "
                "be paid for twice. If this is the one to go on in, say --take-over"
            )
            raise CopiedRun([Problem(Place(str(self.folder.path)), "", what)])

    def _costs(self, model: str) -> bool:
        """Whether a call costs money or a GPU's time: an embedded model is asked again for nothing."""
        return not all(is_embedded(self.study, self.registry, base) for base in self.study.models_behind(model))

    def _facts(self) -> RunFacts:
        usage, failures = self.journal.usage(), tuple(self._failed or self.outcome.failures)
        return RunFacts(
            lock=lock_of(self.folder),
            usage=usage,
            failures=failures,
            retries=self.journal.retries(),
            moved=self.journal.moved(),
            served=self.journal.served(),
            embedded=self.models.embedded(),
            promise=self.outcome.promise,
            real_people="sessions" in self._theirs,
            made_by=self._made_by(),
            kept=dict(self.outcome.kept),
        )

    def _made_by(self) -> dict[str, str]:
        """Stage -> version of cbtrun that made it, and the code that decided it."""
        marks = self.journal.marks()
        return {
            stage: f"{mark.version} ({mark.code[:8]})"
            for stage, mark in marks.items()
            if mark.code and stage != "report"
        }

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
            return stood_for(self._stones, file_digest(path)) if path.exists() else None
        files = self.folder.report_files()
        if files is None or not all(file.is_file() for file in files):
            return None
        self.outcome.report = next(iter(files), None)
        return digest([file_digest(file) for file in files])
