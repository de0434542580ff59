"""A reward that counts a keyword ends its own training; one that looks at the patient alone does not."""

from __future__ import annotations

from pathlib import Path

import yaml

from cbtrun.testing.projects import StudyProject
from tests.helpers.reinforced_study import reinforced_project

RUBRIC = """\
name: mine
title: Mine
version: "1.0"
source: me
licence: mine
validation: none
total: {low: 0, high: 60}
items:
  - {id: agenda, name: Agenda, asks: How much?, high: 60, signals: [{signal: said, points: [[0, 0], [60, 60]]}]}
signals:
  said: SIGNAL
"""
KEYWORD = "{kind: phrases, means: words of the trade, per: session, any: [agenda, homework, thought, belief, summary, feedback, plan]}"
PATIENT = "{kind: phrases, means: what the patient tells, speaker: patient, per: session, any: [' i ', ' my ']}"


def stopped(folder: Path, signal: str) -> str:
    """Why a training with this reward ended early."""
    project: StudyProject = reinforced_project(
        folder,
        {
            "reward": {"rating": "mine"},
            "personas_per_step": 6,
            "steps": 1,
            "stop": {"gap": None},
            "controls": {"every": 1, "kinds": ["keyword-stuffed", "longer"], "sessions": 6},
        },
        {
            "personas": {"train": {"using": "sampled", "attributes": "depression", "count": 6}},
            "ratings": {"mine": {"using": "rubric", "rubric": "mine.yaml", "raters": ["rater"]}},
        },
    )
    project.write("mine.yaml", RUBRIC.replace("SIGNAL", signal))
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    lock = yaml.safe_load(project.read("runs/taught/adapters/tuned/seed-1/adapter.lock.yaml"))
    return str(lock["stopped"])


def test_a_reward_that_counts_a_keyword_is_caught_by_the_controls(tmp_path: Path) -> None:
    assert stopped(tmp_path, KEYWORD).startswith("controls: the reward prefers keyword-stuffed sessions")


def test_a_reward_that_the_therapist_cannot_talk_up_is_not_flagged(tmp_path: Path) -> None:
    assert stopped(tmp_path, PATIENT) == ""
