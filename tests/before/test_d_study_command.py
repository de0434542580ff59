"""`cbtrun power --from RUN`, as its user sees it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping

import pytest

from cbtrun.testing.projects import StudyProject

MakeProject = Callable[[Mapping[str, str]], StudyProject]
RATER = '''
"""A rater by somebody else: moved by its name, the wording, the session and chance."""
import hashlib, json, random, re
from cbtrun.plugin import Reply, hookimpl

@hookimpl
def options_schema(stage):
    return {"type": "object", "properties": {"called": {"type": "string"}}} if stage == "models" else None

def drawn(sd, *of):
    return random.Random(hashlib.sha256(repr(of).encode()).hexdigest()).gauss(0, sd)

class Noisy:
    def __init__(self, called):
        self.called = called
        self.identity = {"called": called}
    async def reply(self, request):
        wording, said = request.messages[0].content[:40], request.messages[1].content.partition("<transcript>")[2]
        good = "skilful" in said
        value = 10 + 2 * good + drawn(1, self.called) + drawn(1, wording) + drawn(0.5, wording, good) + drawn(2, said)
        value += drawn(0.5, self.called, good) + drawn(1, self.called, wording, said, request.draw.repeat)
        quote = re.search('"text": "([^"]*)"', said)[1]
        entry = {"rationale": "r", "evidence": [{"turn": 1, "quote": quote}], "absent": False,
                 "score": min(20, max(0, round(value))), "unscored_reason": None}
        return Reply(json.dumps({"items": {"skill": entry}}))
    async def close(self):
        pass

@hookimpl
def open_model(context):
    return Noisy(context.options["called"])
'''
RUBRIC = """
name: mine
title: Mine
version: "1.0"
source: me
licence: mine
validation: none
total: {low: 0, high: 20}
items: [{id: skill, name: Skill, asks: How much?, high: 20}]
"""
STUDY = """
cbtrun: 1
study: pilot
contains: none
plugins: [./noisy.py]
models: {a: {using: noisy, called: a}, b: {using: noisy, called: b}, c: {using: noisy, called: c}}
sessions:
  using: import
  path: talks.csv
  columns: {session: id, speaker: who, text: said, persona: person}
  speakers: {t: therapist, p: patient}
  factors: {quality: quality}
ratings: {mine: {using: rubric, rubric: mine.yaml, raters: [a, b, c], wordings: [{name: x}, {name: y, text: Strict.}]}}
analysis: {main: {using: mixed, outcome: mine.total, factor: quality, levels: [good, poor]}}
"""


def talks() -> str:
    lines = ["id,person,quality,who,said"]
    for person in range(8):
        for quality in ("good", "poor"):
            said = f"{'skilful' if quality == 'good' else 'dull'} words to person {person} of quality {quality}"
            lines += [f"{quality}{person},p{person},{quality},{who},{said} {who}" for who in ("t", "p")]
    return "\n".join(lines) + "\n"


@pytest.fixture
def pilot(study_project: MakeProject) -> StudyProject:
    project = study_project({"study.yaml": STUDY, "noisy.py": RATER, "mine.yaml": RUBRIC, "talks.csv": talks()})
    done = project.run("run", "study.yaml", "--allow-local-plugins")
    assert done.code == 0, done.err
    return project


def test_a_pilot_says_which_design_to_buy_and_what_it_cannot_tell(pilot: StudyProject) -> None:
    done = pilot.run("power", "--from", "pilot", "--effect", "3", "--allow-local-plugins", "--to", "plan")
    assert done.code == 0, done.err
    for words in (
        "8 personas x 3 raters x 2 wordings for each arm: 96 ratings",
        "persona x arm + session ",
        "rater x arm",
        "wording x arm",
        "cancels",
        "repeats: one rating by each rater in the pilot, so no component, and it is not 0",
        "sessions: one session of a persona in the pilot",
        "the pilot's",
        "cheapest for 3 points",
        "95 % interval",
        "no model of the study has a price",
    ):
        assert words in done.out, done.out
    rows = list(csv.DictReader(pilot.read("plan/d-study.csv").splitlines()))
    assert [row["which"] for row in rows[:2]] == ["pilot", "cheapest"]
    assert float(rows[1]["detectable_points"]) <= 3
    assert all((pilot.folder / f"plan/d-study.{end}").exists() for end in ("svg", "pdf", "png"))
    found = json.loads(pilot.read("runs/pilot/results.json"))["comparisons"][0]
    low, high = found["interval"]["low"], found["interval"]["high"]
    assert float(rows[0]["half_width_points"]) == pytest.approx((high - low) / 2, rel=0.35)  # REML drops what is 0

    refused = pilot.run("power", "--from", "pilot", "--budget", "10", "--allow-local-plugins")
    assert refused.code == 2
    assert "nothing of this study has a price" in refused.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "which study, or which pilot?"),
        (["--from", "none"], "no run 'none'"),
        (["study.yaml", "--budget", "3"], "--budget: of a pilot alone"),
    ],
)
def test_what_cannot_be_asked_is_refused(study_project: MakeProject, arguments: list[str], told: str) -> None:
    done = study_project({"study.yaml": STUDY}).run("power", *arguments)
    assert done.code == 2
    assert told in done.err
