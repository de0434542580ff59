"""A study with everything that can be missing: a session that fails, ratings that fail, labels; it runs in a second."""

from __future__ import annotations

PLUGIN = '''
from cbtrun.plugin import ModelError, Reply, hookimpl


class Flaky:
    """Answers one sentence, and refuses whoever says a word."""

    def __init__(self, word):
        self.identity = {"using": "flaky", "word": word}

    async def reply(self, request):
        if any(self.identity["word"] in one.content for one in request.messages):
            raise ModelError("refused: it said the word")
        return Reply("And how did that make you feel?")

    async def close(self):
        pass


@hookimpl
def options_schema(stage):
    word = {"type": "string"}
    return {"type": "object", "additionalProperties": False, "properties": {"word": word}} if stage == "models" else None


@hookimpl
def open_model(context):
    return Flaky(context.options["word"])
'''

GAPS = """
cbtrun: 1
study: gaps
seed: 3
plugins: [./flaky.py]
models:
  careful: {using: careful-control}
  flaky: {using: flaky, word: "seven months"}
  reader: {using: flaky, word: "zero to ten"}
  patient: {using: scripted-patient}
  rater: {using: lexical-rater}
personas: {eval: {using: sampled, attributes: depression, count: 3}}
factors:
  who: {label: Who speaks, levels: {careful: A careful one, flaky: One that fails}}
arms:
  careful: {therapist: careful, factors: {who: careful}, label: Careful control}
  flaky: {therapist: flaky, factors: {who: flaky}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 6}
ratings:
  ctrs: {using: rubric, rubric: ctrs, raters: [rater], item_labels: {agenda: Setting an agenda}}
  other: {using: rubric, rubric: ctrs, raters: [reader]}
analysis:
  main: {using: paired, outcome: ctrs.total, factor: who, levels: [careful, flaky], items: false}
  lost: {using: paired, outcome: other.total, factor: who, levels: [careful, flaky], items: false}
report: {using: html, page: false, tables: [csv], figures: []}
"""
"""The patient `eval-001` says one word to the therapist `flaky`; the therapist `careful` says the other to the reader."""
