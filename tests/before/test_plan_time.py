"""What `cbtrun plan` says of the time, held against simulated servers of the latency that it assumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from cbtrun.before.plan_costs import ASSUMED_SECONDS
from cbtrun.testing.projects import StudyProject
from tests.helpers.simulated_server import Simulated

STUDY = """
cbtrun: 1
study: waits
models:
  therapist: {using: openai, base_url: "http://127.0.0.1:1/v1", model: t, limits: {concurrency: AT_ONCE}}
  patient: PATIENT
personas: {eval: {using: sampled, attributes: depression, count: PERSONAS}}
arms:
  one: {therapist: therapist, system: "Be kind.", factors: {kind: one}}
  two: {therapist: therapist, system: "Be brief.", factors: {kind: two}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 20, opens: therapist}
"""
SAME = "{using: openai, base_url: 'http://127.0.0.1:1/v1', model: p}"
OURS = "{using: scripted-patient}"


@pytest.mark.parametrize(
    ("patient", "latencies"), [(SAME, (ASSUMED_SECONDS,)), (OURS, (ASSUMED_SECONDS, 0.0))], ids=["one server", "ours"]
)
@pytest.mark.parametrize(("personas", "at_once"), [(10, 64), (64, 16), (150, 512), (150, 100)])
def test_the_time_that_a_plan_says_is_that_of_the_calls_as_they_follow_each_other(
    study_project: Callable[[Mapping[str, str]], StudyProject],
    patient: str,
    latencies: tuple[float, ...],
    personas: int,
    at_once: int,
) -> None:
    text = STUDY.replace("PATIENT", patient).replace("PERSONAS", str(personas)).replace("AT_ONCE", str(at_once))
    if at_once > 64:
        text = text.replace("model: p}", f"model: p, limits: {{concurrency: {at_once}}}}}")
    answer = json.loads(study_project({"study.yaml": text}).run("plan", "study.yaml", "--json").out)
    taken = Simulated([20] * 2 * personas, latencies, at_once, 256, 20).run().now
    assert answer["seconds_waiting"] == pytest.approx(taken, rel=0.15)
    by_stage = {one["stage"]: one["seconds_waiting"] for one in answer["stages"]}
    assert by_stage == {"personas.eval": None, "sessions": answer["seconds_waiting"]}


def test_limits_a_minute_bound_a_plan(study_project: Callable[[Mapping[str, str]], StudyProject]) -> None:
    text = STUDY.replace("PATIENT", OURS).replace("PERSONAS", "10").replace("AT_ONCE", "64, requests_per_minute: 20")
    project = study_project({"study.yaml": text})
    assert json.loads(project.run("plan", "study.yaml", "--json").out)["seconds_waiting"] == pytest.approx(600.0)
    assert "~10 min 0 s waiting for servers" in project.run("plan", "study.yaml").out
