"""The fingerprint of a stage: one digest over all that a study says for it, and one over the code that decides it.

In the fingerprint: its own block, the blocks of the models it talks to, the digests of what it reads (outputs of other
stages, files, rubrics), the study's seed, and, where a number comes of it, the versions of the libraries that compute it.
The code stands apart (run/sources.py), since new code is no reason to pay again: see run/up_to_date.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from cbtrun.contract.digests import digest
from cbtrun.contract.labels import without_labels
from cbtrun.contract.plugin_digest import path_digest
from cbtrun.contract.sources import code_digest
from cbtrun.contract.study_blocks import where_it_runs_left_out
from cbtrun.contract.study_view import without_places, without_statements
from cbtrun.study.graph import Stage

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

COMPUTING = ("numpy", "scipy", "statsmodels")
"""Libraries whose version can change a number of an analysis or of the results."""
RESULTS = Stage("results", "", {}, ())
"""results.json: made by the engine itself, from all that the other stages wrote."""
_SCORES_CODE = ("cbtrun.scores.making", "cbtrun.scores.kept")
"""How scores are made of ratings: what every number of an analysis and of the results rests on."""
_RESULTS_CODE = ("cbtrun.results.build", "cbtrun.results.parts", "cbtrun.analysis.whole_study", *_SCORES_CODE)


def stage_fingerprint(
    stage: Stage, study: Study, rubrics: Mapping[str, Rubric], outputs: Mapping[str, str], also: object = None
) -> str:
    """SHA-256 over all that a study says for a stage. outputs: stage id -> digest of what it wrote. also: anything else."""
    if stage is RESULTS:
        order = [*study.analyses]  # a digest knows no order of keys, and the first analysis may be the headline
        return digest(
            {
                "study": without_labels(without_places(without_statements(study.data))),
                "order": order,
                "reads": dict(outputs),
                "libraries": _libraries(),
                "also": also,
            }
        )
    shown = {"labels": labels} if stage.block == "report" and (labels := _item_labels(rubrics)) else {}
    return digest({**shown, **said_for(stage, study, rubrics, outputs), "also": also})


def said_for(
    stage: Stage, study: Study, rubrics: Mapping[str, Rubric], outputs: Mapping[str, str]
) -> dict[str, object]:
    """All that a study says for a stage. outputs: stage id -> digest of what it wrote."""
    from cbtrun.ratings.rubric import rubric_digest

    references = {*study.named_by(stage.id)}
    unlabelled = without_labels(study.data)
    judges = {one: unlabelled["ratings"][one] for one in study.judges_of(stage.id)}
    people = {one.name: _people(one.name, study) for one in references if one.kind == "people"}
    return {
        **({"people": people} if people else {}),
        **({"judges": judges, "sessions": unlabelled.get("sessions")} if judges else {}),  # held and rated as they are
        "block": unlabelled[stage.block][stage.name] if stage.name else unlabelled[stage.block],
        "arms": unlabelled.get("arms", {}) if stage.block == "sessions" else None,
        "study": without_places(study.data) if stage.block == "report" else None,
        "seed": study.seed,
        "reads": {need: outputs.get(need) for need in stage.needs},
        "results": outputs.get(RESULTS.id) if stage.block == "report" else None,
        "aggregates": _aggregates(stage, study),
        "models": {name: where_it_runs_left_out(study.block("models", name)) for name in models_of(stage, study)},
        "rubrics": {one.name: rubric_digest(rubrics[one.name]) for one in references if one.kind == "rubrics"},
        "files": {one.name: path_digest(one.path) for one in references if one.path is not None},
        "libraries": _libraries() if stage.block == "analysis" else None,
    }


def _people(name: str, study: Study) -> dict[str, object]:
    """A source of people's ratings: its block, and the digests of its files."""
    files = {one.name: path_digest(one.path) for one in study.references("people", name) if one.path is not None}
    return {"block": study.data["people"][name], "files": files}


def stage_code(stage: Stage, study: Study, registry: Registry) -> str:
    """SHA-256 over the code that decides a stage: its plugin's, and that of the models it talks to."""
    if stage is RESULTS:
        words = {block.using for block in study.analyses.values()}  # a plugin's sentences stand in the results
        return digest([code_digest(_RESULTS_CODE), {name: registry.digest(name) for name in sorted(words)}])
    using = {stage.options["using"], *(study.models[name].using for name in models_of(stage, study))}
    scores = code_digest(_SCORES_CODE) if stage.block == "analysis" else ""
    return digest([scores, {name: registry.digest(name) for name in sorted(using)}])


def models_of(stage: Stage, study: Study) -> list[str]:
    """The models that a stage talks to, and the base models of the tune jobs that it talks to."""
    named = {one.name for one in study.models_named_by(stage.id)} if stage is not RESULTS else set()
    return sorted({model for name in named for model in study.models_behind(name)})


def _libraries() -> dict[str, str]:
    return {name: found for name in COMPUTING if (found := _version(name)) is not None}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _item_labels(rubrics: Mapping[str, Rubric]) -> dict[str, dict[str, str]]:
    """Rubric -> item -> what reports call it; a rubric's digest leaves them out."""
    found = {name: {item.id: item.label for item in rubric.items if item.label} for name, rubric in rubrics.items()}
    return {name: labels for name, labels in found.items() if labels}


def _aggregates(stage: Stage, study: Study) -> dict[str, str]:
    """Rating set -> how its ratings become one value, for an analysis of it: the ratings themselves do not change with it."""
    needs = {need.removeprefix("ratings.") for need in stage.needs} if stage.block == "analysis" else set()
    return {name: study.rating_sets[name].aggregate for name in sorted(needs & {*study.rating_sets})}
