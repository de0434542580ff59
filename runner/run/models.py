"""The models of a study as its stages open them: a base by itself, or with an adapter that a tune job made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cbtrun.calls.calls import own_code
from cbtrun.contract.digests import digest
from cbtrun.contract.marks import elsewhere
from cbtrun.contract.models import EngineShare, Model, ModelContext, TunedAdapter
from cbtrun.files.plain_files import inside
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.run.inputs import Inputs, output_path
from cbtrun.study.model_kinds import is_embedded

if TYPE_CHECKING:
    from cbtrun.contract.rollouts import Policy
    from cbtrun.contract.workplace import Workplace
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.keys.secrets import KeyRing
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


@dataclass
class StudyModels:
    """Opens models by the names that a study's stages use."""

    study: Study
    registry: Registry
    folder: RunFolder
    inputs: Inputs
    rubrics: Mapping[str, Rubric]
    keys: KeyRing
    broken: set[str]
    """Ids of stages that have failed: a failed tune job has no adapters."""
    shared: dict[str, Any] = field(default_factory=dict)
    """What the models of one run share, such as an engine."""
    workplace: Workplace | None = None
    """Machines that replies are made on; none where that is this one."""

    def open(self, name: str) -> Model:
        """A model of the study, or the model of a tune job (`job` or `job@seed`)."""
        return self._opened(self._context(name))

    def open_policy(self, policy: Policy) -> Model:
        """A model with an adapter that is still in the making, in settings of its own."""
        context = self._context(policy.base)
        options = {**context.options, **policy.options}
        return self._opened(replace(context, options=options, adapter=str(policy.folder), adapter_digest=policy.digest))

    def _opened(self, context: ModelContext) -> Model:
        using = context.options["using"]
        model: Model = self.registry.run("models", using, context)
        if context.workplace is None or elsewhere(self.registry.schema("models", using)) != "model":
            return model
        from cbtrun.cluster.hosted_model import hosted_model

        return hosted_model(using, model, context, context.workplace)

    def engine_of(self, name: str) -> EngineShare | None:
        """The engine that must be open for a model, if it has one."""
        context = self._context(name)
        using = context.options["using"]
        share = self.registry.engine(using, context)
        if context.workplace is None:
            return share
        if share is None and elsewhere(self.registry.schema("models", using)) == "model":
            share = self._whole(using, context)
        return replace(share, memory=context.workplace.engine_share(share.gpus)) if share is not None else None

    def _whole(self, using: str, context: ModelContext) -> EngineShare | None:
        """What a model takes that is opened whole on another machine, where it takes a GPU there."""
        from cbtrun.cluster.hosted_model import opened_by

        there = opened_by(using, self.registry.run("models", using, context), context)
        return EngineShare(there.key, 0.0, there.gpus) if there.gpus else None

    def code_of(self, name: str, model: Model) -> str:
        """Digest of the code that answers for a model: its own word, or its plugin's code where it ships with cbtrun."""
        own = own_code(name, model)
        if own or not is_embedded(self.study, self.registry, self.study.base_of(name)):
            return own
        return self.registry.code(self.study.models[name].using)

    def key_of(self, name: str, model: Model) -> tuple[str, str]:
        """Digest of a model's identity, and the code that answers: what the keys of its calls hold."""
        return digest(model.identity), self.code_of(name, model)

    def adapter_of(self, name: str) -> str | None:
        """Digest of the adapter of a tuned model; none for any other."""
        return self._context(name).adapter_digest

    def embedded(self) -> list[str]:
        """Names of the models that ship with cbtrun."""
        return [name for name in self.study.models if is_embedded(self.study, self.registry, name)]

    def _context(self, name: str) -> ModelContext:
        job, seed = self.study.job_of(name), name.partition("@")[2]
        folder = adapter_digest = None
        if job is not None:
            chosen = next(one for one in self.inputs.adapters(job.name) if seed in ("", str(one.seed)))
            name, folder, adapter_digest = chosen.base, str(inside(self.folder.path, chosen.folder)), chosen.digest
        return ModelContext(
            name,
            self.study.options("models", name),
            {rubric_digest(rubric): rubric for rubric in self.rubrics.values()},
            folder,
            adapter_digest,
            self.keys,
            self._tuned(),
            self.shared,
            self.workplace if self.study.models[name].using in self._elsewhere else None,
        )

    @cached_property
    def _elsewhere(self) -> frozenset[str]:
        """Plugins whose replies may be made on another machine: those of the study's own files are not there."""
        using = {block.using for block in self.study.models.values()}
        return frozenset(
            one for one in using if elsewhere(self.registry.schema("models", one)) and not self.registry.is_local(one)
        )

    def _tuned(self) -> list[TunedAdapter]:
        """Every adapter that is there: of jobs that have failed or are still to come there are none."""
        jobs = [job for job in self.study.tune_jobs if output_path(self.folder, "tune", job).exists()]
        return [
            TunedAdapter(str(inside(self.folder.path, one.folder)), self.study.options("models", one.base))
            for job in jobs
            if f"tune.{job}" not in self.broken
            for one in self.inputs.adapters(job)
        ]
