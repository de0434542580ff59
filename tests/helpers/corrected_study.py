"""A study of imported sessions whose judge favours one kind, and two people who rate sessions of it."""

from __future__ import annotations

import csv
import random
from io import StringIO

RUBRIC = """\
name: two
title: Two items
version: "1.0"
source: me
licence: mine
validation: none
items:
  - id: agenda
    name: Agenda
    asks: Is there one?
    high: 6
    signals: [{signal: said, points: [[0, 0], [1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6]]}]
  - {id: clear, name: Clear, asks: Is it?, type: yes_no, signals: [{signal: said, points: [[0, 0], [4, 1]]}]}
total: {low: 0, high: 7}
signals:
  said: {kind: phrases, means: agenda, per: session, any: [agenda]}
"""
STUDY = """\
cbtrun: 1
study: mine
title: t
seed: 3
contains: none
models: {rater: {using: lexical-rater}}
sessions:
  using: import
  path: talks.csv
  columns: {session: id, persona: person, speaker: who, text: said}
  speakers: {t: therapist, p: patient}
  factors: {kind: kind}
ratings:
  two: {using: rubric, rubric: ./two.yaml, raters: [rater]}
analysis:
  main: {using: paired, outcome: two.agenda, factor: kind, levels: [fine, plain]}
"""
PEOPLE = """\
people:
  ours: {file: [ratings-ann.csv, ratings-ben.csv], key: runs/mine/sheet-key.csv}
"""
CORRECTED = STUDY.replace("plain]}", "plain], corrected_by: people.ours}") + PEOPLE
Given = dict[str, dict[str, int]]
"""Person -> session -> points on the agenda."""


def talks(personas: int = 40, seed: int = 5) -> tuple[str, Given]:
    """A table of sessions, two of each persona, and what two people give them: the judge adds a point to `fine`."""
    rng = random.Random(seed)
    lines = ["id,person,kind,who,said"]
    given: Given = {"ann": {}, "ben": {}}
    for persona in range(personas):
        own = rng.gauss(2.4, 0.9)
        for kind, more in (("fine", 0.7), ("plain", 0.0)):
            true = own + more + rng.gauss(0, 0.5)
            judge = min(6, max(0, round(true + (kind == "fine") + rng.gauss(0, 0.4))))
            said = " ".join(["Let us look at the agenda."] * judge) or "Well."
            session = f"s{persona}{kind}"
            lines += [f"{session},p{persona:02},{kind},t,{said}", f"{session},p{persona:02},{kind},p,Yes I see that."]
            for of_person in given.values():
                of_person[session] = min(6, max(0, round(true + rng.gauss(0, 0.4))))
    return "\n".join(lines) + "\n", given


def files() -> dict[str, str]:
    """The study's files, without people yet."""
    return {"study.yaml": STUDY, "two.yaml": RUBRIC, "talks.csv": talks()[0]}


def exports(key: str, given: Given) -> dict[str, str]:
    """File -> what each person's sheet saves. key: text of the sheet's key."""
    codes = {row["session"]: row["code"] for row in csv.DictReader(StringIO(key))}
    found = {}
    for person, scores in given.items():
        rows = [
            f"x,{codes[session]},{person},{item},{points}"
            for session, agenda in scores.items()
            if session in codes
            for item, points in (("agenda", agenda), ("clear", int(agenda >= 3)))
        ]
        found[f"ratings-{person}.csv"] = "\n".join(["sheet,session,rater,item,score", *rows]) + "\n"
    return found
