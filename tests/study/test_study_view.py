"""The typed view of a study: the same from plain values as from a checked study, and forgiving of what is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbtrun.contexts import BlockContext
from cbtrun.contract.stage_kinds import PLUGGED, STAGES, block_path, stage_id
from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.errors import Place
from cbtrun.study.load import load_study
from cbtrun.study.spec import Study
from tests.helpers.places import SPECS

PLAIN = {
    "study": "small",
    "seed": 3,
    "models": {"tiny": {"using": "transformers", "model": "cbtrun:tiny"}, "patient": {"using": "scripted-patient"}},
    "personas": {"train": {"using": "sampled", "count": 4}, "eval": {"using": "sampled"}},
    "corpus": {"cbt": {"using": "written-course", "personas": "train"}},
    "tune": {"job": {"using": "sft", "base": "tiny", "corpus": "cbt", "seeds": [1, 2]}, "once": {"using": "mine"}},
    "arms": {"untuned": {"therapist": "tiny"}, "tuned": {"therapist": "job", "patient": "tiny", "factors": {"n": 1}}},
    "sessions": {"using": "dialogue", "patient": "patient", "personas": "eval"},
    "ratings": {"ctrs": {"using": "rubric", "rubric": "ctrs", "aggregate": "median"}},
    "analysis": {"main": {"using": "paired", "outcome": "ctrs.total", "factor": "n", "levels": ["1", "2"]}},
}


def test_parts_are_read_from_plain_values() -> None:
    study = StudyView(PLAIN)
    assert (study.name, study.title, study.seed, study.contains) == ("small", "small", 3, "")
    assert study.models["tiny"].model == "cbtrun:tiny"
    assert (study.personas["train"].count, study.personas["eval"].count) == (4, None)
    assert study.arms["tuned"].factors == {"n": "1"}
    assert (study.sessions.repeats, study.sessions.max_turns) == (1, None)
    assert study.rating_sets["ctrs"].aggregate == "median"
    assert (study.analyses["main"].rating_set, study.analyses["main"].levels) == ("ctrs", ("1", "2"))
    assert study.report.using == ""


def test_a_name_leads_to_the_model_whose_weights_speak() -> None:
    study = StudyView(PLAIN)
    assert [study.base_of(name) for name in ("tiny", "job", "job@2")] == ["tiny"] * 3
    assert study.tune_jobs["job"].seeds == (1, 2)
    assert study.tune_jobs["once"].seeds == (1,), "a plugin without seeds tunes once"


def test_an_arm_has_its_own_patient_or_that_of_the_sessions() -> None:
    study = StudyView(PLAIN)
    assert [study.patient_in(arm) for arm in ("tuned", "untuned", "unknown", None)] == ["tiny"] + ["patient"] * 3


def test_sets_are_told_apart_by_who_is_trained_on_and_who_is_evaluated_with() -> None:
    study = StudyView(PLAIN)
    assert (study.training_sets(), study.evaluation_set()) == ({"train"}, "eval")


def test_the_view_is_the_mapping_that_it_was_made_from() -> None:
    study = StudyView(PLAIN)
    assert study == PLAIN
    assert study["arms"]["tuned"]["therapist"] == "job"
    assert view_of(study) is study


@pytest.mark.parametrize("part", ["models", "personas", "arms", "tune", "sessions", "ratings", "analysis", "report"])
@pytest.mark.parametrize("broken", [None, 3, "text", [1], {"a": None}, {"a": 3}])
def test_what_is_broken_reads_as_left_out(part: str, broken: object) -> None:
    study = StudyView({"study": "x", part: broken})
    assert not any((study.models, study.personas, study.arms, study.tune_jobs, study.rating_sets, study.analyses))
    assert (study.sessions.using, study.report.using) == ("", "")


def test_a_plain_mapping_given_to_a_context_is_read_as_a_study() -> None:
    here = Path()
    context = BlockContext("sessions", "", {}, PLAIN, here, lambda *_: Place("x"), lambda *_: Place("x"))  # type: ignore[arg-type]
    assert context.study.base_of("job@1") == "tiny"


@pytest.fixture(scope="module")
def paper() -> Study:
    from cbtrun.registry import load_registry

    return load_study(SPECS / "paper.yaml", registry=load_registry())


def test_a_stage_talks_to_the_models_that_it_and_its_arms_name(paper: Study) -> None:
    spoken = {arm.therapist for arm in paper.arms.values()} | {paper.patient_in(arm) for arm in paper.arms}
    assert paper.talks_to("sessions") >= spoken
    assert all(paper.talks_to(f"tune.{job}") == frozenset() for job in paper.tune_jobs), "a tuning talks to nobody"
    name, job = next(iter(paper.tune_jobs.items()))
    assert paper.models_behind(f"{name}@1") == {job.base}


def test_a_checked_study_and_its_plain_values_have_the_same_parts(paper: Study) -> None:
    again = StudyView(paper.data)
    assert (again.arms, again.tune_jobs, again.sessions) == (paper.arms, paper.tune_jobs, paper.sessions)


def test_the_table_of_stages_names_each_output_and_schema_once() -> None:
    outputs = [kind.output for kind in STAGES.values() if kind.output]
    assert len(outputs) == len({*outputs})
    assert all(("{name}" in kind.output) == kind.named for kind in STAGES.values() if kind.output)
    assert all(bool(kind.record) == bool(kind.output) for kind in STAGES.values())
    assert [*PLUGGED] == ["models", *STAGES]


def test_a_block_has_its_path_and_a_stage_its_id() -> None:
    assert [block_path("sessions", ""), block_path("tune", "job"), block_path("arms", "a")] == [
        ("sessions",),
        ("tune", "job"),
        ("arms", "a"),
    ]
    assert [stage_id("sessions", ""), stage_id("ratings", "ctrs")] == ["sessions", "ratings.ctrs"]
