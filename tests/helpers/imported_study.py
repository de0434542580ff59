"""A study of imported transcripts that every stage of runs in a second, and its transcripts."""

from __future__ import annotations

TRANSCRIPTS = """session,speaker,text,quality
a,therapist,What would you like us to work on today?,good
a,patient,My mornings are hard and I stay in bed.,good
a,therapist,Your mornings are hard. What goes through your mind when you stay in bed?,good
a,patient,That nothing will come of the day.,good
b,therapist,You should get up earlier than you do.,poor
b,patient,I try to get up every day.,poor
b,therapist,You must try harder than that.,poor
b,patient,Maybe I should do that.,poor
c,therapist,How did it go with the thought record since last week?,good
c,patient,I wrote down two thoughts about my sister.,good
d,therapist,That is just how life is for everybody.,poor
d,patient,I suppose that it is so.,poor
"""


STUDY = """
cbtrun: 1
study: s
contains: none
models: {rater: {using: lexical-rater}}
sessions:
  using: import
  path: t.csv
  columns: {session: session, speaker: speaker, text: text}
  speakers: {therapist: therapist, patient: patient}
  factors: {quality: quality}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
analysis: {main: {using: independent, outcome: ctrs.total, factor: quality, levels: [good, poor]}}
"""
