"""A gate as a whole: what may be compared, every verdict, and the code that the command ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.errors import StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.gate.asked import Asked, Criterion, criteria_of
from cbtrun.gate.comparable import (
    PERSONAS,
    Apart,
    apart,
    measure_of,
    measure_of_run,
    models_apart,
    patients_of,
    personas_apart,
)
from cbtrun.gate.judged_run import JudgedRun
from cbtrun.gate.verdicts import Verdict, verdicts

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

PASSED, FAILED, NOT_JUDGED = 0, 5, 3


@dataclass(frozen=True)
class Judged:
    """What a gate found."""

    study: str
    folder: str
    against: str
    """The run that it is to be no worse than; empty where none was named."""
    verdicts: tuple[Verdict, ...]
    despite: tuple[Apart, ...] = ()
    """Differences that were said to be no reason against comparing."""
    holds_for: str = ""
    """Raters, rubrics and patients that all of it holds for."""

    @property
    def code(self) -> int:
        """0 where all passed, 5 where one failed, 3 where none failed and one could not be judged."""
        states = {one.state for one in self.verdicts}
        return FAILED if "failed" in states else NOT_JUDGED if "not judged" in states else PASSED

    @property
    def state(self) -> str:
        """In a word."""
        return {PASSED: "passed", FAILED: "failed", NOT_JUDGED: "not judged"}[self.code]

    def count(self, state: str) -> int:
        """Criteria in a state."""
        return sum(1 for one in self.verdicts if one.state == state)


def other_run(asked: Asked, here: RunFolder, registry: Registry) -> JudgedRun | None:
    """The run that was named; none where none was. Raises StageError for one without results, and for the same run."""
    from cbtrun.run.study_lock import study_of_run

    if asked.run is None:
        return None
    there = RunFolder(asked.run)
    if here.path.exists() and there.path.samefile(here.path):
        raise StageError(
            f"{asked.run}: is the run that is judged; give what is judged another name (--set study=NAME), or name another run"
        )
    return JudgedRun(there, study_of_run(there, registry))


def criteria_for(asked: Asked, study: Study) -> list[Criterion]:
    """What a study is asked, before it runs. Raises SpecError with all that cannot be."""
    from cbtrun.gate.asked import ALL

    by_name = study.rubrics()
    rubrics = {one.name: by_name[one.rubric] for one in study.rating_sets.values() if one.rubric in by_name}
    return criteria_of(asked, rubrics, [*study.arms] or [ALL])


def refuse_incomparable(
    asked: Asked, study: Study, registry: Registry, criteria: Sequence[Criterion], other: JudgedRun
) -> list[Apart]:
    """What differs and was said to be no reason, before a study runs. Raises StageError with all that is one."""
    from cbtrun.ratings.rubric import rubric_digest

    compared = [one for one in criteria if one.kind == "no-worse"]
    _refuse_lacking(compared, other)
    sets = [*dict.fromkeys(one.rating_set for one in compared)]
    rubrics = study.rubrics()
    digests = {name: rubric_digest(rubrics[study.rating_sets[name].rubric]) for name in sets}
    using = {block["using"] for stage in ("models", "sessions", "ratings") for block in study.blocks(stage).values()}
    code = {name: registry.digest(name) for name in sorted(using)}
    here = measure_of(study, sets, digests, code, _own(compared)) | patients_of(study)
    there = measure_of_run(other, sets, _theirs(compared)) | patients_of(other.study)
    return _settled(asked, apart(here, there), other)


def judge(asked: Asked, criteria: Sequence[Criterion], run: JudgedRun, other: JudgedRun | None) -> Judged:
    """Every criterion held against a finished run. Raises StageError where two runs cannot be compared."""
    if rehearsed := next((one for one in (run, other) if one is not None and one.study.stand_ins), None):
        raise StageError(f"{rehearsed.folder.path}: is a rehearsal with stand-ins, whose numbers say nothing")
    despite: list[Apart] = []
    compared = [one for one in criteria if one.kind == "no-worse"]
    if other is not None and compared:
        _refuse_lacking(compared, other)
        sets = [*dict.fromkeys(one.rating_set for one in compared)]
        found = apart(measure_of_run(run, sets, _own(compared)), measure_of_run(other, sets, _theirs(compared)))
        found += [*personas_apart(run, other), *models_apart(run, other, sets)]
        despite = _settled(asked, found, other)
    return Judged(
        run.study.name,
        str(run.folder.path),
        str(other.folder.path) if other else "",
        tuple(verdicts(criteria, asked, run, other)),
        tuple(despite),
        _holds_for(run, criteria),
    )


def _own(criteria: Sequence[Criterion]) -> dict[str, str]:
    return {one.arm: one.arm for one in criteria}


def _theirs(criteria: Sequence[Criterion]) -> dict[str, str]:
    return {one.arm: one.against for one in criteria}


def _refuse_lacking(criteria: Sequence[Criterion], other: JudgedRun) -> None:
    lacking = sorted({one.against for one in criteria} - {*other.arms})
    if lacking:
        raise StageError(
            f"{other.folder.path}: has no arm '{lacking[0]}'; there is: {', '.join(other.arms)}. "
            f"--arm {lacking[0]}=ITS_NAME says which one is compared, --arm NAME alone judges that one"
        )
    sets = sorted({one.rating_set for one in criteria} - {*other.results.ratings})
    if sets:
        raise StageError(
            f"{other.folder.path}: has no ratings '{sets[0]}'; there is: {', '.join(other.results.ratings)}"
        )


def _settled(asked: Asked, found: Sequence[Apart], other: JudgedRun) -> list[Apart]:
    """Differences that were waved through. Raises StageError with those that were not."""
    left = [one for one in found if not any(f"{one.path}.".startswith(f"{path}.") for path in asked.despite)]
    if left:
        told = "\n".join(f"  {one}" for one in left)
        more = (
            " --despite personas pairs those that are in both."
            if any(f"{one.path}.".startswith(f"{PERSONAS}.") for one in left)
            else ""
        )
        raise StageError(
            f"{other.folder.path}: cannot be compared, for it did not measure the same:\n{told}\n"
            "Measure both alike, or say --despite PATH of each that is no reason to you; it is then told wherever the verdict "
            f"is.{more}"
        )
    return [*dict.fromkeys(found)]


def _holds_for(run: JudgedRun, criteria: Sequence[Criterion]) -> str:
    """What a verdict generalises to, in words."""
    sets = [*dict.fromkeys(one.rating_set for one in criteria)]
    told = []
    for name in sets:
        rated = run.results.ratings.get(name)
        if rated is not None:
            told.append(
                f"{name} on {rated.rubric.title} {rated.rubric.version} as {', '.join(rated.raters) or 'nobody'} rates it"
            )
    who = f"simulated patients like these {len(run.personas)}" if run.personas else "sessions like these"
    tuned = "; these tunings, not tunings in general" if run.study.tune_jobs else ""
    return f"{'; '.join(told)}; {who}{tuned}"


def as_json(judged: Judged) -> dict[str, Any]:
    """The same for programs."""
    return {
        "command": "gate",
        "exit_code": judged.code,
        "state": judged.state,
        "study": judged.study,
        "folder": judged.folder,
        "no_worse_than": judged.against or None,
        "criteria": [_verdict(one) for one in judged.verdicts],
        "despite": [str(one) for one in judged.despite],
        "holds_for": judged.holds_for,
    }


def _verdict(one: Verdict) -> Mapping[str, Any]:
    asked = one.criterion
    return {
        "kind": asked.kind,
        "outcome": asked.outcome,
        "arm": asked.arm,
        "points": asked.points,
        "declared": asked.declared,
        "lower_is_better": asked.lower_is_better,
        "state": one.state,
        "estimate": one.estimate,
        "limit": None if one.limit is None else one.limit.value,
        "method": None if one.limit is None else one.limit.method,
        "sessions": one.sessions,
        "units": one.units,
        "missing": one.missing,
        "says": one.says,
    }
