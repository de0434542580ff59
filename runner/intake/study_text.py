"""The study that is proposed, as the YAML that a person would write: blocks with what was found, the rest with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cbtrun.intake.facts import Facts
from cbtrun.intake.harmless import harmless
from cbtrun.intake.proposal import Block, Proposal

CONTAINS = """\
contains: real-people        # the careful word: nothing that is said here goes to a remote model without --consent-remote.
                             # Say none if nobody real speaks in these files
"""
RATER = """\
  rater: {using: lexical-rater}        # counts English words: it shows that the study works. A language model as judge:
  # judge: {using: openai, base_url: "http://localhost:8000/v1", model: my-model}    # and raters: [judge] below
"""
SMALL = "cbtrun:tiny"
_UNSEEN = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ue000-\uf8ff]")


def flow(value: Any) -> str:
    """Plain data as YAML on one line; what cannot be seen is written as its escape."""
    import yaml

    shown = yaml.safe_dump(
        value,
        default_flow_style=True,
        sort_keys=False,
        width=10**9,
        allow_unicode=not _UNSEEN.search(str(value)),
    )
    return shown.removesuffix("\n").removesuffix("\n...")


def block_text(proposal: Proposal) -> str:
    """The block alone, under its key."""
    block = proposal.block
    if block.stage == "sessions":
        return f"sessions:\n{_lines(block, 2)}"
    return f"{block.stage}:\n  {block.name}:\n{_lines(block, 4)}"


def _lines(block: Block, indent: int) -> str:
    pad = " " * indent
    whys = {key: f"    # {harmless(why, 200)}" for key, why in block.whys.items()}
    return "".join(f"{pad}{key}: {flow(value)}{whys.get(key, '')}\n" for key, value in block.options.items())


def study_text(proposal: Proposal, name: str, file: str) -> str:
    """The whole study. name: its name. file: what it will be called, for the commands in its first line."""
    body = {"rate": _rate, "agree": _rate, "check": _check, "tune": _tune, "personas": _personas}[proposal.to]
    head = [
        f"# Written by `cbtrun import` for {harmless(proposal.source, 80)}: {harmless(proposal.words, 100)}.",
        f"# Check it:  cbtrun validate {file}      Run it:  cbtrun {file}",
        "cbtrun: 1",
        f"study: {name}",
    ]
    return "\n".join(head) + "\n" + "\n".join(body(proposal)) + "\n\nreport: {using: html}\n"


def _rate(proposal: Proposal) -> Iterator[str]:
    rubric = proposal.rubric
    yield f"title: How are these sessions rated on the rubric {rubric}?"
    yield f"seed: 1\n{CONTAINS}"
    yield f"models:\n{RATER}"
    yield block_text(proposal)
    yield f"ratings:\n  {rubric}: {{using: rubric, rubric: {rubric}, raters: [rater]}}"
    yield from _comparison(proposal.facts, rubric)


def _comparison(facts: Facts, rubric: str) -> Iterator[str]:
    """The first factor whose two commonest levels have two sessions each or more."""
    for factor, levels in facts.levels.items():
        counts = facts.counts[factor]
        pair = list(levels) if len(levels) == 2 else sorted(levels, key=lambda one: -counts[one])[:2]
        if len(pair) == 2 and min(counts[one] for one in pair) >= 2:
            block = {"using": "independent", "outcome": f"{rubric}.total", "factor": factor, "levels": pair}
            yield f"\nanalysis:\n  by-{_name(factor)}: {flow(block)}"
            return


def _check(proposal: Proposal) -> Iterator[str]:
    factor, levels = next(iter(proposal.facts.levels.items()))
    yield f"title: May this rater be used? Sessions known by {harmless(factor)}, and the same with one thing spoiled"
    yield f"seed: 1\n{CONTAINS}"
    yield f"models:\n{RATER}"
    yield block_text(proposal)
    yield "ratings:\n  ctrs: {using: rubric, rubric: ctrs, raters: [rater], mask_identity: true}\n"
    check = {"using": "rater-check", "outcome": "ctrs.total", "factor": factor, "levels": list(levels)}
    yield f"analysis:\n  check: {flow(check)}        # the first level is the better one"


def _tune(proposal: Proposal) -> Iterator[str]:
    preference = "rejected" in proposal.block.options["columns"]
    how = "preference, method: dpo" if preference else "sft"
    yield "title: Does tuning on these transcripts raise the CTRS score?"
    yield f"seed: 1\n{CONTAINS}"
    yield f"""\
models:
  base: {{using: transformers, model: "{SMALL}", max_tokens: 60, temperature: 0.3}}    # a toy that shows that the study works; a real one:
  # base: {{using: transformers, model: OWNER/NAME}}
  patient: {{using: scripted-patient}}
{RATER}
personas:
  eval: {{using: sampled, attributes: depression, count: 4}}
"""
    yield block_text(proposal)
    rank = "lora: {rank: 8, alpha: 16}, max_steps: 20, batch_size: 1, learning_rate: 1e-3"
    yield f"""\
tune:
  tuned: {{using: {how}, base: base, corpus: {proposal.block.name}, {rank}}}

arms:
  untuned: {{therapist: base,  factors: {{tuning: none}}}}
  tuned:   {{therapist: tuned, factors: {{tuning: these}}}}

sessions: {{using: dialogue, patient: patient, personas: eval, max_turns: 8}}

ratings:
  ctrs: {{using: rubric, rubric: ctrs, raters: [rater]}}

analysis:
  main: {{using: paired, outcome: ctrs.total, factor: tuning, levels: [these, none], pair_by: persona}}"""


def _personas(proposal: Proposal) -> Iterator[str]:
    yield "title: How do sessions with these patients go?"
    yield f"seed: 1\n{CONTAINS}"
    yield f"""\
models:
  therapist: {{using: careful-control}}                                     # the therapist of your study stands here
  patient: {{using: transformers, model: "{SMALL}", max_tokens: 60}}    # a toy; a patient of `id` and `text` needs a language model:
  # patient: {{using: openai, base_url: "http://localhost:8000/v1", model: my-model}}
{RATER}"""
    yield block_text(proposal)
    yield f"""\
arms:
  first: {{therapist: therapist}}

sessions: {{using: dialogue, patient: patient, personas: {proposal.block.name}, max_turns: 6}}

ratings:
  ctrs: {{using: rubric, rubric: ctrs, raters: [rater]}}"""


def _name(word: str) -> str:
    """A word as the name of a block."""
    return re.sub(r"[^a-z0-9]+", "-", word.casefold()).strip("-") or "label"


def name_of(stem: str) -> str:
    """A name for a study, made of a file's."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:60]
    return name or "imported"
