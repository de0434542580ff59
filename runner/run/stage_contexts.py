"""What a stage is handed: its options and inputs, the models that it may talk to, the machines it may use, and what it may not send."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cbtrun.calls.budget import budget_of
from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.calls.server_gate import ServerGates
from cbtrun.contexts import RunFacts, StageContext
from cbtrun.contract.digests import derive_seed
from cbtrun.contract.study_view import StudyView
from cbtrun.errors import ConsentMissing, CopiedRun, Place, Problem
from cbtrun.run.batched import by_batch, units_at_once
from cbtrun.run.kept_models import KeptModels, UnopenedModels
from cbtrun.run.study_lock import copied_from, lock_of
from cbtrun.run.tombstones import tombstones
from cbtrun.run.up_to_date import Due
from cbtrun.study.model_kinds import is_embedded, is_remote, refusal, refusal_elsewhere, runs_elsewhere
from cbtrun.study.origins import real_people_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbtrun.contract.records import Failure
    from cbtrun.contract.workplace import Workplace
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.journal import Journal
    from cbtrun.registry import Registry
    from cbtrun.run.inputs import Inputs
    from cbtrun.run.models import StudyModels
    from cbtrun.run.options import Outcome, RunOptions
    from cbtrun.run.telling import Telling
    from cbtrun.study.graph import Stage
    from cbtrun.study.spec import Study


@dataclass
class StageContexts:
    """What one run hands to each of its stages."""

    study: Study
    registry: Registry
    folder: RunFolder
    options: RunOptions
    journal: Journal
    inputs: Inputs
    models: StudyModels
    outcome: Outcome
    telling: Telling

    def __post_init__(self) -> None:
        """What all stages share."""
        self.stones = tombstones(self.folder)
        self._kept = KeptModels(self.study, self.registry, self.journal, self.models.adapter_of)
        self._gates = ServerGates(self.study.seed)
        self._budget = budget_of(self.study.limits, self.journal.spent())
        self._theirs = real_people_in(self.study, self.registry)
        self._copied_from = copied_from(self.folder)

    def of(self, stage: Stage, tally: Tally, wanted: Due, failed: Sequence[Failure] = ()) -> StageContext:
        """What a stage is handed. failed: what failed in the run whose report is made again."""
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
            forgotten=frozenset(one for stone in self.stones for one in stone.ids if not reports),
            facts=self._facts(failed) if reports else RunFacts(),
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
            desk.answered = self._kept.note
            opens = self.models.open, self.models.engine_of, self.models.key_of
            return OpenModels(desk, *opens, workplace=self.options.cluster, open_policy=self.models.open_policy)
        used = self.outcome.unopened
        unopened = UnopenedModels(
            self.models,
            self._kept,
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
        with self.telling.books:
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

    def _facts(self, failed: Sequence[Failure]) -> RunFacts:
        usage, failures = self.journal.usage(), tuple(failed or self.outcome.failures)
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
            made_by=made_by(self.journal),
            kept=dict(self.outcome.kept),
        )


def made_by(journal: Journal) -> dict[str, str]:
    """Stage -> version of cbtrun that made it, and the code that decided it."""
    marks = journal.marks()
    return {
        stage: f"{mark.version} ({mark.code[:8]})" for stage, mark in marks.items() if mark.code and stage != "report"
    }
