"""Specs and rubrics with something wrong in them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import yaml

from tests.fuzz.mutations import broken_bytes, broken_document, yaml_text
from tests.fuzz.project import RUBRIC, SPEC_FILES, STUDY, write

MODELS = """
models:
  remote: {using: openai, base_url: "http://localhost:1/v1", model: m, limits: {tries: 1}, extra_body: {top_k: 5}}
  google: {using: google, model: gemini-2.5-flash}
  claude: {using: anthropic, model: claude-x, max_tokens: 100}
  author: {using: grammar}
  patient: {using: scripted-patient}
  tiny: {using: transformers, model: "cbtrun:tiny"}
personas:
  train: {using: sampled, attributes: depression, count: 2}
  eval: {using: sampled, attributes: depression, count: 2, disjoint_from: train}
corpus: {cbt: {using: written-course, author: author, personas: train, course: depression-20, register: cbt, sessions: [1]}}
tune: {job: {using: sft, base: tiny, corpus: cbt, lora: {rank: 4, alpha: 8}, max_steps: 2, learning_rate: 1.0e-3, seeds: [1]}}
arms:
  one: {therapist: tiny, factors: {tuning: none}, system: "Be kind to {{ persona.name }}."}
  two: {therapist: job, factors: {tuning: cbt}, reminder: "Turn {{ turn }}"}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 4, repeats: 1}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [remote], repeats: 1}}
analysis:
  main: {using: paired, outcome: ctrs.total, factor: tuning, levels: [cbt, none], pair_by: persona, tests: [t, wilcoxon]}
  rest: {using: mixed, outcome: ctrs.total, factor: tuning, levels: [cbt, none]}
limits: {usd: 3, tokens: 1000, hours: 1}
assumptions: {seed: nobody says}
"""
OTHER = yaml.safe_load(STUDY) | yaml.safe_load(MODELS)


def break_spec(folder: Path, chance: Random) -> list[tuple[str, ...]]:
    """Write a study that is broken in its text or in its values, or beside a broken rubric."""
    files = dict(SPEC_FILES)
    what = chance.choice(("values", "values", "other", "other", "other", "text", "rubric", "rubric text", "set"))
    write(folder, files)
    options: tuple[str, ...] = ()
    if what == "values":
        write(folder, {"study.yaml": yaml_text(broken_document(yaml.safe_load(STUDY), chance))})
    elif what == "other":
        write(folder, {"study.yaml": yaml_text(broken_document(OTHER, chance))})
    elif what == "text":
        (folder / "study.yaml").write_bytes(broken_bytes(STUDY.encode(), chance))
    elif what == "rubric":
        write(folder, {"rubric.yaml": yaml_text(broken_document(yaml.safe_load(RUBRIC), chance))})
    elif what == "rubric text":
        (folder / "rubric.yaml").write_bytes(broken_bytes(RUBRIC.encode(), chance))
    else:
        at = chance.choice(("seed", "ratings.own.raters", "sessions.path", "models", "analysis.main.levels.0", "", "."))
        options = ("--set", f"{at}={yaml_text(broken_document('x', chance)).strip()}".replace("\x00", ""))
    command = chance.choice((("validate",), ("validate",), ("plan",), ("power",)))
    return [(*command, "study.yaml", *options)]
