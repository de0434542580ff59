"""A study as everybody reads it: its parts as typed records, made from plain values alone.

The same for a study that was just checked, the lock file of a run, and a page of results: it needs no file. It is a
mapping too, with the plain values as the study has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from cbtrun.contract.stage_kinds import is_named
from cbtrun.contract.study_blocks import (
    AnalysisBlock,
    Arm,
    CorpusBlock,
    FactorBlock,
    ModelBlock,
    PersonaSet,
    RatingSet,
    ReportBlock,
    SessionsBlock,
    TuneJob,
    analysis_of,
    arm_of,
    corpus_of,
    factor_of,
    mapping,
    model_of,
    number,
    persona_set_of,
    rating_set_of,
    report_of,
    sessions_of,
    text,
    tune_job_of,
    where_it_runs_left_out,
)

B = TypeVar("B")


@dataclass(frozen=True, eq=False)
class StudyView(Mapping[str, Any]):
    """One study, by its parts."""

    data: Mapping[str, Any]
    """Everything the study says, defaults filled in, as plain values."""

    def __getitem__(self, key: str) -> Any:
        """A part as plain values."""
        return self.data[key]

    def __iter__(self) -> Iterator[str]:
        """Names of the parts, in the order of the study."""
        return iter(self.data)

    def __len__(self) -> int:
        """How many parts there are."""
        return len(self.data)

    @property
    def name(self) -> str:
        """Name of the study and of its run folder."""
        return str(self.data.get("study", ""))

    @property
    def title(self) -> str:
        """The question of the study, or its name."""
        return text(self.data, "title") or self.name

    @property
    def seed(self) -> int:
        """Where every random act begins."""
        return number(self.data, "seed") or 0

    @property
    def contains(self) -> str:
        """Whether real people speak in the study: `real-people`, `none`, or empty where nobody has said it."""
        return text(self.data, "contains")

    @property
    def plugins(self) -> tuple[str, ...]:
        """Python files beside the study that bring plugins of its own."""
        return tuple(self.data.get("plugins") or ())

    @property
    def limits(self) -> Mapping[str, Any]:
        """What all runs together may take: `usd`, `tokens`, `hours`."""
        return mapping(self.data, "limits")

    @property
    def assumptions(self) -> Mapping[str, str]:
        """Path in the study -> why this value was chosen where the source says none."""
        return {str(path): str(why) for path, why in mapping(self.data, "assumptions").items()}

    @property
    def statements(self) -> Mapping[str, str]:
        """What the authors state: `ethics`, `funding`, `data` ...; no stage depends on it."""
        return {str(name): str(told) for name, told in mapping(self.data, "statements").items()}

    @property
    def instead_of(self) -> Mapping[str, str]:
        """Path in the study -> what the study that it repeats had there, and why not here."""
        return {str(path): str(why) for path, why in mapping(self.data, "instead_of").items()}

    @property
    def compare_with(self) -> Mapping[str, Mapping[str, Any]]:
        """Published values, by name."""
        return mapping(self.data, "compare_with")

    @property
    def stand_ins(self) -> Mapping[str, Mapping[str, str]]:
        """`models` and `counts` of a rehearsal -> what stands in for what; empty for a study in earnest."""
        return mapping(self.data, "rehearsal")

    @cached_property
    def models(self) -> Mapping[str, ModelBlock]:
        """Every model that the study talks to."""
        return self._named("models", model_of)

    @cached_property
    def personas(self) -> Mapping[str, PersonaSet]:
        """Every persona set."""
        return self._named("personas", persona_set_of)

    @cached_property
    def corpora(self) -> Mapping[str, CorpusBlock]:
        """Every corpus."""
        return self._named("corpus", corpus_of)

    @cached_property
    def tune_jobs(self) -> Mapping[str, TuneJob]:
        """Every tune job; one that starts from another's adapter has that one's base."""
        jobs = self._named("tune", tune_job_of)
        return {name: replace(job, base=_base_in(jobs, job)) for name, job in jobs.items()}

    @cached_property
    def arms(self) -> Mapping[str, Arm]:
        """Every arm."""
        return self._named("arms", arm_of)

    @cached_property
    def factor_blocks(self) -> Mapping[str, FactorBlock]:
        """Every factor that has labels."""
        return self._named("factors", factor_of)

    @cached_property
    def sessions(self) -> SessionsBlock:
        """How sessions come about; says nothing where the study has none."""
        return sessions_of(mapping(self.data, "sessions"))

    @cached_property
    def rating_sets(self) -> Mapping[str, RatingSet]:
        """Every rating set."""
        return self._named("ratings", rating_set_of)

    @property
    def people(self) -> Mapping[str, Mapping[str, Any]]:
        """Ratings by people: name -> plain options."""
        return self.blocks("people")

    @cached_property
    def analyses(self) -> Mapping[str, AnalysisBlock]:
        """Every analysis."""
        return self._named("analysis", analysis_of)

    @cached_property
    def report(self) -> ReportBlock:
        """What is written for people to read; says nothing where the study has none."""
        return report_of(mapping(self.data, "report"))

    def blocks(self, stage: str) -> Mapping[str, Mapping[str, Any]]:
        """Name -> plain options of each block of a stage; `sessions` and `report` have the empty name."""
        content = mapping(self.data, stage)
        if not is_named(stage):
            return {"": content} if content else {}
        return {name: block for name, block in content.items() if isinstance(block, Mapping)}

    def job_of(self, model: str) -> TuneJob | None:
        """The tune job that a name leads to (`job`, `job@seed`); none for the name of a model."""
        return None if model in self.models else self.tune_jobs.get(model.partition("@")[0])

    def base_of(self, model: str) -> str:
        """The model whose weights speak: the model itself, or the base of a tune job (`job`, `job@seed`)."""
        job = self.job_of(model)
        return job.base if job else model

    def patient_in(self, arm: str | None) -> str:
        """The model that plays the patient in an arm; empty where nobody plays it."""
        own = self.arms.get(arm) if arm is not None else None
        return (own.patient if own else "") or self.sessions.patient

    def training_sets(self) -> frozenset[str]:
        """Names of the persona sets that corpora are written for, or that a tune job talks with."""
        written = {corpus.personas for corpus in self.corpora.values()}
        return frozenset(written | {job.personas for job in self.tune_jobs.values()}) & {*self.personas}

    def evaluation_set(self) -> str:
        """The persona set that sessions are held with; empty where there is none."""
        return self.sessions.personas if self.sessions.personas in self.personas else ""

    def _named(self, stage: str, read: Callable[[str, Mapping[str, Any]], B]) -> Mapping[str, B]:
        return {str(name): read(str(name), block) for name, block in self.blocks(stage).items()}


def _base_in(jobs: Mapping[str, TuneJob], job: TuneJob) -> str:
    """The model that a job stands on, through the jobs that it starts from; empty where they start from each other."""
    seen = {job.name}
    while not job.base and job.start in jobs and job.start not in seen:
        seen.add(job.start)
        job = jobs[job.start]
    return job.base or ("" if job.start in jobs else job.start)


def without_statements(study: Mapping[str, Any]) -> dict[str, Any]:
    """What a study does: all that it says but for its authors' statements. What every digest of a study is made over."""
    return {name: part for name, part in study.items() if name != "statements"}


def without_places(study: Mapping[str, Any]) -> dict[str, Any]:
    """A study without the lists of servers that answer alike: where it runs is no part of what it does."""
    models = study.get("models")
    if not isinstance(models, Mapping):
        return dict(study)
    left = {
        name: where_it_runs_left_out(block) if isinstance(block, Mapping) else block for name, block in models.items()
    }
    return {**study, "models": left}


def view_of(study: Mapping[str, Any]) -> StudyView:
    """A study by its parts: itself, if it is that already."""
    return study if isinstance(study, StudyView) else StudyView(study)
