"""Whether two runs measured the same: all that differs between them but the therapist's model, by path.

Compared are rating sets with their rubrics, raters and what those are told; patients, their models, and how sessions are held;
what the arms' therapists are told; the code of the plugins that do it. Not compared: the therapist's model and its tuning, which
are what is judged, and where a model runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.contract.digests import digest
from cbtrun.contract.labels import without_labels
from cbtrun.journal.recorded import models_in
from cbtrun.journal.tables import connect_to_read
from cbtrun.study.weights import as_named

if TYPE_CHECKING:
    from cbtrun.gate.judged_run import JudgedRun
    from cbtrun.study.spec import Study

WHERE_IT_RUNS = frozenset(
    {
        *(
            "base_url",
            "api_key_env",
            "timeout_seconds",
            "connect_seconds",
            "max_reply_mib",
            "limits",
            "prices",
            "engine",
        ),
        *("device", "threads", "group", "prefix_mib", "gpu_memory_utilization", "tensor_parallel_size", "load_format"),
        *("prefix_caching", "max_num_seqs", "max_num_batched_tokens", "max_loras", "enforce_eager"),
    }
)
"""Options of a model that say on what and how fast it answers, not what."""
NOT_OF_THE_MEASURE = frozenset({"repeats", "arms_at_once", "personas", "path"})
"""Options of sessions: more repeats make a mean surer; who is spoken with is compared by who they are."""
PERSONAS = "personas"
LONGEST = 60


@dataclass(frozen=True)
class Apart:
    """One thing in which two runs differ, and which decides what is measured."""

    path: str
    there: str
    """In the run that was named."""
    here: str

    def __str__(self) -> str:
        return f"{self.path}: {self.there} there, {self.here} here"


Measure = dict[str, Any]
"""Path -> value, of all that decides what is measured."""


def measure_of(
    study: Study, sets: Iterable[str], rubrics: Mapping[str, str], code: Mapping[str, str], arms: Mapping[str, str]
) -> Measure:
    """All of a study that decides what is measured.

    sets: rating sets that are judged. rubrics: set -> digest. code: plugin -> digest. arms: the name under which an arm is
    compared -> its name in this study.
    """
    data = without_labels(as_named(study.data, study.named_weights))
    found: Measure = {}
    for name in sets:
        found |= _flat({key: value for key, value in data["ratings"][name].items() if key != "item_labels"}, f"ratings.{name}")  # fmt: skip
        found[f"rubric of ratings.{name}"] = rubrics[name]
    block = data.get("sessions") or {}
    found |= _flat({key: value for key, value in block.items() if key not in NOT_OF_THE_MEASURE}, "sessions")
    for name, own in arms.items():
        arm = (data.get("arms") or {}).get(own) or {}
        found |= {f"arms.{name}.{key}": arm.get(key) or None for key in ("system", "patient")}
    asked = sorted(_asked(study, sets, arms.values()))
    for name in asked:
        model = data["models"].get(name) or {}
        found |= _flat({key: value for key, value in model.items() if key not in WHERE_IT_RUNS}, f"models.{name}")
    using = {block.get("using"), *(data["ratings"][name].get("using") for name in sets), *(data["models"][name]["using"] for name in asked)}  # fmt: skip
    return found | {f"code of the plugin {name}": code[name] for name in sorted(filter(None, using)) if name in code}


def patients_of(study: Study) -> Measure:
    """What decides who is spoken with, as far as the study's file tells before anybody is drawn."""
    name = study.evaluation_set()
    if not name:
        return {}
    block = study.block("personas", name)
    drawn = {} if block.get("path") else {"seed": study.seed}  # those of a file are the same under any seed
    return _flat({**block, **drawn}, PERSONAS)


def measure_of_run(run: JudgedRun, sets: Iterable[str], arms: Mapping[str, str]) -> Measure:
    """The same of a finished run, as its own files have it. A set that it does not have has no rubric."""
    from cbtrun.run.study_lock import lock_of

    there = [name for name in sets if name in run.study.rating_sets and name in run.results.ratings]
    rubrics = {name: run.results.ratings[name].rubric.digest for name in there}
    code = dict(lock_of(run.folder).get("plugins") or {})
    return measure_of(run.study, there, rubrics, code, arms)


def apart(here: Measure, there: Measure) -> list[Apart]:
    """Where two measures differ. A plugin of which one side has no digest is not told of."""
    found = []
    for path in dict.fromkeys([*there, *here]):
        if path.startswith("code of") and not (path in here and path in there):
            continue
        if here.get(path) != there.get(path):
            found.append(Apart(path, _shown(there.get(path)), _shown(here.get(path))))
    return found


def personas_apart(here: JudgedRun, there: JudgedRun) -> list[Apart]:
    """Whether two runs spoke with the same patients."""
    ours, theirs = here.units, there.units
    if ours == theirs:
        return []
    same = len(ours.items() & theirs.items())
    changed = sum(1 for one in ours.keys() & theirs.keys() if ours[one] != theirs[one])
    more = f"; {changed} of the same name are others" if changed else ""
    return [Apart(PERSONAS, f"{len(theirs)}", f"{len(ours)} ({same} are the same{more})")]


def models_apart(here: JudgedRun, there: JudgedRun, sets: Iterable[str]) -> list[Apart]:
    """Raters and patients that answered in both runs and were not the same model, as the journals have it."""
    ours, theirs = _answered(here), _answered(there)
    asked = _asked(here.study, sets, here.study.arms)
    return [
        Apart(f"model behind {name}", sorted(theirs[name])[0][:12], sorted(ours[name])[0][:12])
        for name in sorted(asked & ours.keys() & theirs.keys())
        if not ours[name] & theirs[name]
    ]


def _answered(run: JudgedRun) -> dict[str, set[str]]:
    """Model -> digests of what it was each time that it answered."""
    found: dict[str, set[str]] = {}
    if not run.folder.journal.exists():
        return found
    with closing(connect_to_read(run.folder.journal)) as connection:
        for one in _kept(connection):
            found.setdefault(one[0], set()).add(one[1])
    return found


def _kept(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for one in models_in(connection):
        yield one.name, digest([one.identity, one.code])


def _asked(study: Study, sets: Iterable[str], arms: Iterable[str]) -> set[str]:
    """The models that rate, and those that play patients."""
    raters = {name for one in sets for name in study.talks_to(f"ratings.{one}")}
    patients = {study.patient_in(arm) for arm in arms} | {study.sessions.patient}
    return {model for name in raters | patients if name for model in study.models_behind(name)} & {*study.models}


def _flat(value: Any, path: str) -> Measure:
    if not isinstance(value, Mapping):
        return {path: value}
    return {at: leaf for key, child in value.items() for at, leaf in _flat(child, f"{path}.{key}").items()}


def _shown(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
