"""A study whose every model is on the mock server, and the server in a thread of its own."""

from __future__ import annotations

from cbtrun.plugins.mock_server.in_thread import listening

__all__ = ["ALLOW", "CALLS", "REPORTED", "STUDY", "listening"]

STUDY = """
cbtrun: 1
study: calls
seed: 7
contains: none
models:
  therapist: &t
    using: openai
    base_url: ${MOCK_URL}
    model: therapist
    api_key_env: MOCK_KEY
    seed: true
    prices: {input: 1.0, output: 2.0}
    limits: {first_wait_seconds: 0.001, longest_wait_seconds: 0.002}
  patient: *t
  rater: *t
personas:
  eval: {using: sampled, attributes: depression, count: 3}
arms:
  one: {therapist: therapist, system: "Be kind.", factors: {kind: one}}
  two: {therapist: therapist, system: "Be brief.", factors: {kind: two}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 4, farewell: false}
ratings:
  ctrs: {using: rubric, rubric: ctrs, raters: [rater]}
analysis:
  main: {using: paired, outcome: ctrs.total, factor: kind, levels: [one, two], pair_by: persona, tests: [t]}
"""
REPORTED = STUDY + "report: {using: html}\n"
CALLS = 2 * 3 * 4 + 6
"""Calls that STUDY makes: sessions x turns, and a rating of each session."""
ALLOW = ("--allow-host", "MOCK_KEY=127.0.0.1")
