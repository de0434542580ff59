"""The pilot of docs/d-study.md: three raters with noise of their own behind a server on this machine, and what it says.

    python benchmarks/d_study_pilot.py /tmp/d-study

The server answers as the lexical rater; how far each answer is moved is drawn from the rater's name, the wording, the
transcript and the call's seed, so that every component of a design is there. Nobody's therapy is measured.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

from cbtrun.plugins.mock_server.answers import EmbeddedAnswers
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import MockServer

STUDY = """\
cbtrun: 1
study: pilot
title: A pilot of two scripted therapists
seed: 2412
contains: none
models:
  patient: {using: scripted-patient}
  careful: {using: careful-control}
  harmful: {using: harmful-control}
RATERS
personas: {eval: {using: sampled, attributes: depression, count: 12}}
arms:
  careful: {therapist: careful, factors: {kind: careful}}
  harmful: {therapist: harmful, factors: {kind: harmful}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 8, repeats: 2}
ratings:
  ctrs:
    using: rubric
    rubric: ctrs
    raters: [ada, bo, cy]
    repeats: 2
    wordings:
      - {name: shipped}
      - {name: strict, text: "You are a strict examiner of therapists. The middle of a scale is for solid work."}
      - {name: warm, text: "You supervise trainees kindly and fairly, and say what you see."}
analysis:
  main: {using: mixed, outcome: ctrs.total, factor: kind, levels: [careful, harmful]}
"""
RATER = "  {name}: {{using: openai, base_url: '{address}', model: {name}, prices: {{input: 2.0, output: 8.0}}}}"
POINTS = {"rater": 0.5, "rater x arm": 0.3, "wording": 0.4, "wording x arm": 0.15, "session": 0.25, "repeat": 0.45}
"""SD of what moves an item, in points."""


def drawn(name: str, *of: object) -> float:
    """A normal number that is the same for the same things."""
    return random.Random(hashlib.sha256(repr((name, *of)).encode()).hexdigest()).gauss(0, POINTS[name])


class NoisyRaters:
    """The lexical rater's answers, moved."""

    def __init__(self) -> None:
        self.embedded = EmbeddedAnswers.of_folders()

    async def __call__(self, body: dict[str, object]) -> str:
        """An answer in the rubric's form."""
        answer = json.loads(await self.embedded(body))
        messages = body["messages"]
        system, user = (str(one["content"]) for one in messages[:2])  # type: ignore[index]
        rater, wording = body["model"], system.splitlines()[0]
        said = user.partition("<transcript>")[2]
        arm = "What would you like" in said or "agenda" in said
        moved = drawn("rater", rater) + drawn("rater x arm", rater, arm) + drawn("wording", wording)
        moved += drawn("wording x arm", wording, arm) + drawn("session", said)
        for item, entry in answer["items"].items():
            if entry["evidence"]:  # without a quote only the lowest score is allowed
                own = drawn("repeat", item, rater, wording, said, body.get("seed"))
                entry["score"] = min(6, max(0, round(entry["score"] + moved + own)))
        return json.dumps(answer)


def main(folder: Path) -> None:
    """Run the study, then ask what it says of designs."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("cbtrun"))]
    with listening(MockServer(answer=NoisyRaters())) as server:
        raters = "\n".join(RATER.format(name=name, address=server.root) for name in ("ada", "bo", "cy"))
        (folder / "study.yaml").write_text(STUDY.replace("RATERS", raters), encoding="utf-8")
        subprocess.run([*command, "run", "study.yaml", "--quiet"], cwd=folder, check=True)
    asked = ["power", "--from", "pilot", "--effect", "3", "--budget", "25", "--to", "plan"]
    subprocess.run([*command, *asked], cwd=folder, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
