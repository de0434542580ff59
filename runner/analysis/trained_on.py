"""What a comparison's arms were tuned by, where that is what they are now compared on.

A score that a model was trained to raise rises without the model being any better (Goodhart; Gao, Schulman & Hilton 2023,
"Scaling laws for reward model overoptimization"): a claim on it says so in front.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cbtrun.contract.study_blocks import RatingSet, TuneJob
    from cbtrun.contract.study_view import StudyView


@dataclass(frozen=True)
class Judge:
    """Who chose or rewarded what a job learnt from, and on which rubric."""

    rubric: str
    raters: tuple[Any, ...]
    """Each as `rater_behind` tells it."""


def trained_on(outcome: str, jobs: Sequence[str], study: StudyView) -> str:
    """How close an outcome is to what the jobs were tuned by, in words that stand before a claim; empty where it is not.

    outcome: `SET.outcome`. The closest relation of any job is told: the score itself, its rubric, its rater.
    """
    rated = set_of(outcome, study)
    if rated is None:
        return ""
    own = judge_of(rated, study)
    found: dict[str, list[str]] = {}
    for name in jobs:
        relations = [_relation(judge, own) for judge in judges_of_job(name, study)]
        for relation in _RELATIONS:
            if relation in relations:
                found.setdefault(relation, []).append(name)
                break
    closest = next((relation for relation in _RELATIONS if relation in found), "")
    return closest.format(jobs=" and ".join(found[closest])) if closest else ""


def is_own_score(outcome: str, job: str, study: StudyView) -> bool:
    """Whether an outcome is the very score that a tune job was trained to raise."""
    return trained_on(outcome, [job], study) == _SCORE.format(jobs=job)


_SCORE = "on the score that {jobs} was trained to raise"
_RUBRIC = "on the rubric that {jobs} was trained on, by another rater"
_RATER = "by a rater that also judged {jobs} in its training, on another rubric"
_RELATIONS = (_SCORE, _RUBRIC, _RATER)


def _relation(judge: Judge, own: Judge) -> str:
    same_rater = bool({*judge.raters} & {*own.raters})
    if judge.rubric and judge.rubric == own.rubric:
        return _SCORE if same_rater else _RUBRIC
    return _RATER if same_rater else ""


def judges_of_job(name: str, study: StudyView) -> Iterator[Judge]:
    """Everybody whose judgement a tune job learnt from, also through the job that it starts from: the reward and the veto of
    a training by reinforcement, and the rater that chose the preferred of two turns.
    """
    seen: set[str] = set()
    while (job := study.tune_jobs.get(name)) is not None and name not in seen:
        seen.add(name)
        yield from _own_judges(job, study)
        name = str(job.options.get("start") or "").partition("@")[0]


def _own_judges(job: TuneJob, study: StudyView) -> Iterator[Judge]:
    reward = job.options.get("reward")
    rewarded = str(reward.get("rating") or "") if isinstance(reward, Mapping) else ""
    for named in (rewarded, str(job.options.get("veto") or "")):
        if (rated := set_of(named, study)) is not None:
            yield judge_of(rated, study)
    corpus = study.corpora.get(job.corpus)
    if corpus is not None and corpus.options.get("rater"):
        rater = rater_behind(str(corpus.options["rater"]), study)
        yield Judge(str(corpus.options.get("rubric") or ""), (rater,))


def set_of(named: str, study: StudyView) -> RatingSet | None:
    """The rating set of `SET`, or of `SET.outcome`; none where the study has none of that name."""
    fitting = [one for one in study.rating_sets if named == one or named.startswith(f"{one}.")]
    return study.rating_sets[max(fitting, key=len)] if fitting else None


def judge_of(rated: RatingSet, study: StudyView) -> Judge:
    """A rating set as a judge."""
    raters = rated.options.get("raters") or ()
    return Judge(rated.rubric, tuple(rater_behind(str(name), study) for name in raters))


def rater_behind(name: str, study: StudyView) -> Any:
    """A rater by what it is: two names of one model are one rater. A name that the study does not have stands for itself."""
    block = study.models.get(name)
    return name if block is None else (block.using, block.model, block.base_url)
