"""The sound study that everything is broken from, run once, and copied for each case."""

from __future__ import annotations

import csv
import io
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.fuzz.trial import tried
from tests.helpers.imported_study import TRANSCRIPTS

STUDY = """cbtrun: 1
study: fuzzed
title: What is said of what was said
seed: 7
contains: none
models: {rater: {using: lexical-rater}, other: {using: lexical-rater}}
sessions:
  using: import
  path: t.csv
  columns: {session: session, speaker: speaker, text: text}
  speakers: {therapist: therapist, patient: patient}
  factors: {quality: quality}
ratings: {own: {using: rubric, rubric: ./rubric.yaml, raters: [rater, other], repeats: 2}}
analysis: {main: {using: independent, outcome: own.total, factor: quality, levels: [good, poor]}}
report: {using: html, figures: [], tables: [csv]}
"""
RUBRIC = """name: own
title: Two items
version: "1"
source: nobody
licence: anybody's
validation: none
speaker: therapist
total: {low: 0, high: 12}
items:
  - id: agenda
    name: Agenda
    asks: Whether an agenda is set together.
    high: 6
    anchors: {0: None is set., 3: One is set., 6: It is set together.}
    signals: [{signal: asks, points: [[0, 0], [0.5, 6]], why: an agenda}]
  - id: clarity
    name: Clarity
    asks: Whether it is easy to follow.
    high: 6
    anchors: {0: Hard to follow., 6: Easy to follow.}
    signals: [{signal: long, points: [[0, 6], [0.5, 0]], why: long turns are hard to follow}]
signals:
  asks: {kind: phrases, means: asks, per: turn, any: ['\\bwork on today\\b', '(what|how) (goes|did)']}
  long: {kind: words, means: long turns, measure: long_turns, over: 9}
"""
SPEC_FILES = {"study.yaml": STUDY, "rubric.yaml": RUBRIC, "t.csv": TRANSCRIPTS}
RUN = "runs/fuzzed"


@cache
def sound() -> Path:
    """A folder with the study, its run, and a journal's export. Made once a process."""
    folder = Path(mkdtemp(prefix="cbtrun-fuzz-sound-"))
    write(folder, SPEC_FILES)
    commands = (
        ("study.yaml",),
        ("sheet", RUN),
        ("journal", "export", RUN, "journal.gz"),
        ("journal", "check", RUN),
        ("status", RUN),
    )
    for command in commands:
        ended = tried(command, folder)
        if ended.code != 0 or ended.fault:
            raise RuntimeError(f"the sound study is not sound: {command} {ended.fault} {ended.said}")
    write(folder, {"ratings.csv": _rated((folder / RUN / "sheets/sheet.csv").read_text(encoding="utf-8"))})
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    """Write texts below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", errors="surrogatepass")


def copied(to: Path) -> None:
    """The sound folder, copied into a new one."""
    shutil.copytree(sound(), to, dirs_exist_ok=True)


def _rated(sheet: str) -> str:
    """A sheet as a person gave it back."""
    rows = list(csv.DictReader(io.StringIO(sheet)))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for at, row in enumerate(rows):
        writer.writerow({**row, "rater": "ann", "score": str(at % 3)})
    return out.getvalue()
