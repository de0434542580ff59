"""From a checked study to its results: every stage in order of need, nothing done twice.

    spec -> personas -> corpus -> tune -> sessions -> ratings -> analysis -> report

A stage whose fingerprint is the one in the journal, and whose output is still there, is left alone. A stage with failed
units writes what it has, is not marked as done, and the next run goes over it again: kept calls are replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, RLock
from typing import TYPE_CHECKING, Any

from cbtrun.calls.budget import budget_of
from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.calls.secrets import KeyRing
from cbtrun.calls.server_gate import ServerGates
from cbtrun.consent import is_embedded, is_remote, refusal
from cbtrun.context import RunFacts, StageContext, StageNote
from cbtrun.digests import derive_seed, digest, file_digest
from cbtrun.errors import CbtrunError, SpecError, StageError, StopRun
from cbtrun.fingerprints import stage_fingerprint
from cbtrun.forget.tombstones import stood_for, tombstones, without_forgotten
from cbtrun.journal.journal import Journal, StageMark
from cbtrun.journal.trouble import told
from cbtrun.models import EngineShare, Model, ModelContext, TunedAdapter
from cbtrun.origins import real_people_in
from cbtrun.persona_sets import check_disjoint
from cbtrun.plain_files import inside
from cbtrun.progress import ProgressFile
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.records import Failure
from cbtrun.registered import keep_registration, personas_made, promise_of, registration_digest
from cbtrun.result_parts import STAGE as PARTS
from cbtrun.result_parts import Parts
from cbtrun.results.build import build_results
from cbtrun.results.records import read_results, results_bytes
from cbtrun.run_folder import RunFolder, write_atomically, write_records
from cbtrun.run_lock import lock_of, write_lock
from cbtrun.side_by_side import Wave, run_side_by_side, waves
from cbtrun.stage_inputs import OUTPUTS, Inputs, output_path
from cbtrun.stages import Stage, ordered_stages

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


GOES_ON = ("sessions", "report")
"""Blocks that run even if something they read has failed: other arms can be simulated, and a report shows what there is."""


@dataclass(frozen=True)
class RunOptions:
    """What the command line decides, and the study does not."""

    offline: bool = False
    """Answer from the journal alone."""
    consent_remote: bool = False
    """Real people's words may go to a remote model."""
    concurrency: int = 256
    """Units under way at once."""
    take_over: bool = False
    """Go on in a folder that another spec file made."""
    keys: KeyRing = field(default_factory=KeyRing)
    """Where keys of servers come from, and where each may go."""


@dataclass
class Outcome:
    """How a run ended."""

    folder: RunFolder
    failures: list[Failure] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """Ids of the stages that did something."""
    up_to_date: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    report: Path | None = None


def run_study(study: Study, registry: Registry, folder: RunFolder, options: RunOptions) -> Outcome:
    """Run what is not done yet.

    Raises StageError when another process holds the folder, SpecError for a folder made by another spec, StopRun when
    a limit or a server that is down ends the run; what is done stays done.
    """
    with folder.locked():
        write_lock(folder, study, registry, take_over=options.take_over)
        keep_registration(study, folder)
        with Journal(folder.journal) as journal, told(folder.journal):
            journal.check()
            journal.start_run()
            return _Run(study, registry, folder, options, journal).all_stages()


def remake_report(
    study: Study, registry: Registry, folder: RunFolder, options: Mapping[str, object] | None = None
) -> tuple[Outcome, list[Path]]:
    """Make the report of a run folder again, from its files alone; gives the files. Nothing else is written.

    options: of the report's block, instead of the study's. Raises StageError when the study has no report, or none
    that knows these options.
    """
    block = study.data.get("report")
    if not block:
        raise StageError(f"{folder.path}: the study has no `report` block")
    if not folder.results.exists():
        raise StageError(f"{folder.path}: there is no {folder.results.name} yet; run the study first")
    known = registry.schema("report", block["using"]).get("properties", {})
    if unknown := [name for name in options or {} if name not in known]:
        raise StageError(f"the report plugin '{block['using']}' cannot write some formats alone: no `{unknown[0]}`")
    with folder.locked(), Journal(folder.journal) as journal, told(folder.journal):
        run = _Run(study, registry, folder, RunOptions(offline=True), journal)
        return run.outcome, run.report_alone(options or {})


def make_personas_alone(study: Study, registry: Registry) -> dict[str, str]:
    """Persona set -> SHA-256 of its personas, made in a folder that is thrown away; sets that ask a model are left out."""
    with TemporaryDirectory() as made:
        folder = RunFolder(Path(made))
        with Journal(folder.journal) as journal:
            _Run(study, registry, folder, RunOptions(offline=True), journal).personas_alone()
        return personas_made(study, folder)


class _Run:
    """One run in progress."""

    def __init__(
        self, study: Study, registry: Registry, folder: RunFolder, options: RunOptions, journal: Journal
    ) -> None:
        self.study, self.registry, self.folder, self.options, self.journal = study, registry, folder, options, journal
        self._progress = ProgressFile(folder.progress)
        self._books = RLock()
        """Around everything but the plugins' work, which may go on in several threads."""
        self._stopping = Event()
        self._lost = Parts()
        """What a fault of ours cost: told when everything else is written."""
        self.rubrics: Mapping[str, Rubric] = study.rubrics()
        self.inputs = Inputs(folder, study.data, self.rubrics)
        self.outputs: dict[str, str] = {}
        self.broken: set[str] = set()
        self.outcome = Outcome(folder)
        self.gates = ServerGates()
        self.shared: dict[str, Any] = {}
        self.budget = budget_of(study.data, journal.spent())
        self.stones = tombstones(folder)
        self.theirs = real_people_in(study, registry)
        """Stage -> why its requests may hold words of real people."""

    def all_stages(self) -> Outcome:
        """Every stage in order; the results are written when all but the report is done."""
        stages = ordered_stages(self.study)
        for stage in [stage for stage in stages if stage.block == "personas"]:
            self._stage(stage)
        if not self.broken:
            check_disjoint(self.study.data, self.inputs)
        middle = [stage for stage in stages if stage.block not in ("personas", "report")]
        for wave in waves(middle, self.study, self.registry):
            self._wave(wave)
        if self.outcome.done or not _is_whole(self.folder):
            self._write_results()
        for stage in [stage for stage in stages if stage.block == "report"]:
            self._stage(stage)
        self._lost.raise_first()
        return self.outcome

    def personas_alone(self) -> None:
        """The persona sets that need no model."""
        for stage in ordered_stages(self.study):
            if stage.block == "personas":
                self._stage(stage)

    def report_alone(self, options: Mapping[str, object]) -> list[Path]:
        """Make the report again from what the stages wrote, whether or not they are finished."""
        stage = next(stage for stage in ordered_stages(self.study) if stage.block == "report")
        context = self._context(stage, Tally())
        context.options = {**context.options, **options}
        written: list[Path] = self.registry.run(stage.block, stage.options["using"], context)
        self.outcome.done.append(stage.id)
        self.outcome.report = next(iter(written), None)
        return written

    def _write_results(self) -> None:
        sessions = self.inputs.sessions() if output_path(self.folder, "sessions", "").exists() else []
        results = build_results(
            self.study.data,
            self.study.digest,
            sessions,
            self.inputs.rated(),
            self.inputs.comparisons(),
            self.outcome.failures,
            self._lost,
        )
        self.outcome.failures += self._lost.failures
        write_atomically(self.folder.results, results_bytes(results).decode())

    def _wave(self, wave: Wave) -> None:
        if wave.at_once == 1:
            for stage in wave.stages:
                self._stage(stage)
            return
        failures, self.outcome.failures = self.outcome.failures, []
        try:
            run_side_by_side([partial(self._stage, stage) for stage in wave.stages], wave.at_once, self._stop)
        finally:
            order = [stage.id for stage in wave.stages]
            self.outcome.failures = [*failures, *sorted(self.outcome.failures, key=lambda one: order.index(one.stage))]

    def _stop(self) -> None:
        """Make the stages in other threads return; what they had not finished is for the next run."""
        self._stopping.set()
        self.registry.stop()

    def _stage(self, stage: Stage) -> None:
        if self._stopping.is_set():
            return
        with self._books:
            fingerprint = self._to_do(stage)
        if fingerprint is not None:
            self._work(stage, fingerprint)

    def _to_do(self, stage: Stage) -> str | None:
        """The fingerprint of a stage that has to run; none for one that is up to date or that nothing can be done for."""
        fingerprint = stage_fingerprint(stage, self.study, self.registry, self.rubrics, self.outputs)
        if stage.block == "report" and (promise := registration_digest(self.folder)):
            fingerprint = digest([fingerprint, promise])
        kept = self._kept(stage, fingerprint)
        if kept is not None:
            self.outputs[stage.id] = kept.output
            self.outcome.up_to_date.append(stage.id)
            self._tell(StageNote(stage.id, "up to date", kept.units, kept.units), "stage_finished")
            return None
        self.journal.unmark_stage(stage.id)
        missing = [need for need in stage.needs if need in self.broken]
        if missing and stage.block not in GOES_ON:
            self._break(stage, [Failure(stage=stage.id, unit="", reason=f"needs {', '.join(missing)}, which failed")])
            return None
        return fingerprint

    def _break(self, stage: Stage, failures: list[Failure]) -> None:
        """A stage without output: what an earlier run left there would be of another study."""
        self.broken.add(stage.id)
        self.outcome.done.append(stage.id)
        self.outcome.failures += failures
        if stage.block in OUTPUTS:
            output_path(self.folder, stage.block, stage.name).unlink(missing_ok=True)
            self.inputs.forget(stage.block, stage.name)
        self._tell(StageNote(stage.id, "failed"), "stage_finished")

    def _kept(self, stage: Stage, fingerprint: str) -> StageMark | None:
        mark = self.journal.stage(stage.id)
        if mark is None or mark.fingerprint != fingerprint:
            return None
        return mark if self._output_digest(stage) == mark.output else None

    def _work(self, stage: Stage, fingerprint: str) -> None:
        tally = Tally()
        context = self._context(stage, tally)
        context.folder.mkdir(parents=True, exist_ok=True)
        self._tell(StageNote(stage.id, "running"), "stage_started")
        try:
            result = self.registry.run(stage.block, stage.options["using"], context)
            with self._books:
                self._write(stage, result)
        except StopRun:
            self._tell(_note(stage, "stopped", 0, tally), "stage_finished")
            raise
        except SpecError:
            raise
        except Exception as error:
            if not isinstance(error, CbtrunError):
                if stage.block != "analysis":
                    raise
                self._lost.lose(stage.id, error)
            with self._books:
                if self._stopping.is_set():
                    self._tell(_note(stage, "stopped", 0, tally), "stage_finished")
                else:
                    context.fail("", str(error) or type(error).__name__)
                    self._break(stage, context.failures)
            return
        with self._books:
            self._finish(stage, fingerprint, context, tally, len(result))

    def _write(self, stage: Stage, result: Any) -> None:
        """Write what a plugin gave."""
        if stage.block == "report":
            self.outcome.report = next(iter(result), None)
            names = [path.relative_to(self.folder.path).as_posix() for path in result]
            write_atomically(self._report_list, "".join(f"{name}\n" for name in names))
        else:
            kept = without_forgotten(self.stones, stage.block, result)
            write_records(output_path(self.folder, stage.block, stage.name), kept)
            self.inputs.forget(stage.block, stage.name)

    def _finish(self, stage: Stage, fingerprint: str, context: StageContext, tally: Tally, units: int) -> None:
        """Mark a stage as done, if nothing failed."""
        self.outcome.done.append(stage.id)
        self.outcome.failures += context.failures
        self.outcome.tally.add(tally)
        self.outputs[stage.id] = self._output_digest(stage) or ""
        if not context.failures:
            self.journal.mark_stage(stage.id, StageMark(fingerprint, self.outputs[stage.id], units))
        self._tell(_note(stage, "incomplete" if context.failures else "done", units, tally), "stage_finished")

    def _context(self, stage: Stage, tally: Tally) -> StageContext:
        desk = CallDesk(self.journal, self.study.seed, stage.id, tally, self.options.offline, self.gates, self.budget)
        if stage.id in self.theirs and not self.options.consent_remote:
            desk.withheld = partial(self._withheld, stage.id)
        own_folder = self.folder.path / "adapters" / stage.name if stage.block == "tune" else self.folder.path
        return StageContext(
            stage=stage.block,
            name=stage.name,
            options=self.study.options(stage.block, stage.name),
            study=self.study.data,
            seed=derive_seed(self.study.seed, stage.id),
            folder=own_folder,
            inputs=self.inputs,
            models=OpenModels(desk, self._open_model, self._engine_of),
            tell=self._teller(stage, tally),
            concurrency=self.options.concurrency,
            facts=self._facts() if stage.block == "report" else RunFacts(),
        )

    def _withheld(self, stage: str, model: str) -> str | None:
        """Why a stage may not send what it says to a model, or none: words of real people stay here without consent."""
        return refusal(model, self.theirs[stage]) if is_remote(self.study, self.registry, model) else None

    def _facts(self) -> RunFacts:
        models = self.study.data.get("models") or {}
        embedded = [name for name in models if is_embedded(self.study, self.registry, name)]
        usage, failures = self.journal.usage(), tuple(self.outcome.failures)
        promise = promise_of(self.study, self.folder, self.journal.first_run())
        retries, theirs = self.journal.retries(), "sessions" in self.theirs
        return RunFacts(lock_of(self.folder), usage, failures, retries, embedded, promise, theirs)

    def _open_model(self, name: str) -> Model:
        """Open a model of the study, or the model of a tune job (`job` or `job@seed`)."""
        context = self._model_context(name)
        model: Model = self.registry.run("models", context.options["using"], context)
        return model

    def _engine_of(self, name: str) -> EngineShare | None:
        context = self._model_context(name)
        return self.registry.engine(context.options["using"], context)

    def _model_context(self, name: str) -> ModelContext:
        job, _, seed = name.partition("@")
        folder = adapter_digest = None
        if job in (self.study.data.get("tune") or {}):
            chosen = next(one for one in self.inputs.adapters(job) if seed in ("", str(one.seed)))
            name, folder, adapter_digest = chosen.base, str(inside(self.folder.path, chosen.folder)), chosen.digest
        return ModelContext(
            name,
            self.study.options("models", name),
            {rubric_digest(rubric): rubric for rubric in self.rubrics.values()},
            folder,
            adapter_digest,
            self.options.keys,
            self._tuned(),
            self.shared,
        )

    def _tuned(self) -> list[TunedAdapter]:
        """Every adapter that is there: of jobs that have failed or are still to come there are none."""
        jobs = [job for job in self.study.data.get("tune") or {} if output_path(self.folder, "tune", job).exists()]
        return [
            TunedAdapter(str(inside(self.folder.path, one.folder)), self.study.options("models", one.base))
            for job in jobs
            if f"tune.{job}" not in self.broken
            for one in self.inputs.adapters(job)
        ]

    def _teller(self, stage: Stage, tally: Tally) -> Callable[[int, int | None, str], None]:
        def tell(done: int, total: int | None, detail: str) -> None:
            self._tell(_note(stage, "running", done, tally, total, detail), "stage_advanced")

        return tell

    def _tell(self, note: StageNote, observer: str) -> None:
        with self._books:
            self.registry.tell(observer, note)
            self._progress.show(note)

    @property
    def _report_list(self) -> Path:
        return self.folder.path / "report.files"

    def _output_digest(self, stage: Stage) -> str | None:
        """SHA-256 of what a stage wrote, or none when some of it is not there."""
        if stage.block != "report":
            path = output_path(self.folder, stage.block, stage.name)
            # A file without a person who was forgotten stands for the one it was: nothing that reads it is done again.
            return stood_for(self.stones, file_digest(path)) if path.exists() else None
        if not self._report_list.exists():
            return None
        files = [inside(self.folder.path, line) for line in self._report_list.read_text().splitlines()]
        if not all(file.exists() for file in files):
            return None
        self.outcome.report = next(iter(files), None)
        return digest([file_digest(file) for file in files])


def _is_whole(folder: RunFolder) -> bool:
    """Whether results.json is there, can be read, and lacks no part that could not be made."""
    try:
        return PARTS not in read_results(folder.results.read_bytes()).counts.failures
    except (OSError, ValueError):
        return False


def _note(stage: Stage, state: str, done: int, tally: Tally, total: int | None = None, detail: str = "") -> StageNote:
    tokens = tally.tokens_in + tally.tokens_out
    return StageNote(
        stage.id, state, done, total, detail, tally.made, tally.replayed, tokens, tally.usd, tally.retries.total()
    )
