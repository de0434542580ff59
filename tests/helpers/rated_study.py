"""A small run for tests of what people rate: eight imported sessions, four people under two levels each."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from cbtrun.humans.rated_run import RatedRun, rated_run
from cbtrun.humans.rating_settings import PageOptions, settings_of
from cbtrun.humans.sheet import Sheet, make_sheet
from cbtrun.humans.task import Settings, Task, task_of
from cbtrun.testing.projects import StudyProject

KINDS = ("fine-kind", "other-kind")
RUBRIC = """\
name: two
title: Two items
version: "1.0"
source: me
licence: mine
validation: none
total: {low: 0, high: 7}
items:
  - {id: agenda, name: Agenda, asks: Is there one?, high: 6, signals: [{signal: said, points: [[0, 0], [3, 6]]}]}
  - {id: safe, name: Safe, asks: Is it?, type: yes_no, not_applicable: No risk., signals: [{signal: said, points: [[0, 0], [1, 1]]}]}
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
  columns: {session: id, persona: of, speaker: who, text: said}
  speakers: {t: therapist, p: patient}
  factors: {kind: kind}
ratings:
  two: {using: rubric, rubric: RUBRIC, raters: [rater]}
"""
HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'>'


def talks() -> str:
    """Session n says "agenda" n % 4 times; sessions 2n and 2n + 1 are of one person, each of another kind."""
    lines = ["id,kind,of,who,said"]
    for at in range(8):
        said = " ".join(["The agenda is long."] * (at % 4)) or "We talk. There is no plan."
        lines += [
            f"s{at},{KINDS[at % 2]},c{at // 2},{who},{words}" for who, words in (("t", said), ("p", "Yes. I see."))
        ]
        lines += [f"s{at},{KINDS[at % 2]},c{at // 2},t,{_cell(HOSTILE)}"] if at == 5 else []
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def rated_files(rubric: str = "two.yaml", **changes: str) -> dict[str, str]:
    """The study's files. changes: text in study.yaml -> what stands in its place."""
    study = STUDY.replace("RUBRIC", rubric)
    for before, after in changes.items():
        study = study.replace(f"{before}: ", f"{before}: {after} # ")
    return {"study.yaml": study, "two.yaml": RUBRIC, "talks.csv": talks()}


@contextmanager
def served(
    project: StudyProject, codes: Sequence[str], *more: str
) -> Iterator[tuple[subprocess.Popen[str], Mapping[str, str]]]:
    """`cbtrun rate` in a process of its own: the process, and rater -> address."""
    raters = [word for code in codes for word in ("--rater", code)]
    command = [sys.executable, "-m", "cbtrun.cli.main", "rate", "runs/mine", "--sessions", "8", *raters, *more]
    process = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        addresses: dict[str, str] = {}
        lines = []
        for line in process.stdout:
            lines.append(line)
            if told := re.fullmatch(r"(\S+): (http://\S+)\n", line):
                addresses[told[1]] = told[2]
            if "Ctrl-C" in line:
                break
        assert len(addresses) == len(codes), "".join(lines)
        yield process, addresses
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def lines_of(folder: Path, rater: str) -> list[dict[str, Any]]:
    """The lines of a rater's file."""
    (path,) = folder.glob(f"runs/mine/rated/*/{rater}.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def drawn(project: StudyProject, count: int = 8, **options: Any) -> tuple[RatedRun, Sheet, Settings]:
    """The run, a sheet and its settings, as `cbtrun rate` makes them."""
    with chdir(project.folder):
        run = rated_run(Path("runs/mine"), None)
        sheet = make_sheet(run, count, (), new=False)
        return run, sheet, settings_of(run, sheet, PageOptions(**options))


def task(project: StudyProject, rater: str = "ada", **options: Any) -> Task:
    """What one rater is asked."""
    run, sheet, settings = drawn(project, **options)
    return task_of(sheet, run.rubric, rater, settings)
