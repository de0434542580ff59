"""A study that checks a rater, two raters by somebody else, and sessions for them."""

from cbtrun.contract.records import Session
from tests.helpers.rating_fakes import a_session

TALK = (
    ("therapist", "Hello, how are you?"),
    ("patient", "Sad."),
    ("therapist", "For homework, write it down."),
    ("patient", "I will."),
    ("therapist", "What goes through your mind?"),
    ("patient", "That I fail."),
)
TOPICS = ("kitchens", "violins", "trains", "gardens", "bridges", "letters", "rivers", "winters", "bakeries", "harbours")
MATTERS = ("sorrow", "anger", "shame", "boredom", "envy", "panic", "grief", "doubt")


def session(id: str, quality: str = "good", turns: int = 6) -> Session:
    """A session whose turns bear its id."""
    said = [(who, f"{text} {id} {at}") for at, (who, text) in enumerate((TALK * 5)[:turns])]
    return a_session(said, id=id, draw=id, factors={"quality": quality})


RUBRIC = """\
name: mine
title: Mine
version: "1.0"
source: me
licence: mine
validation: none
total: {low: 0, high: 20}
items:
  - {id: skill, name: Skill, asks: How much?, high: 20, signals: [{signal: said, points: [[0, 0], [20, 20]]}]}
signals:
  said: SIGNAL
"""


COUNTS_WORDS = "{kind: phrases, means: skill, per: session, any: [skilful]}"


LISTENS = "{kind: echo, means: taken up, per: session, shared_words: 1, shared_part: 0.1, any: ['skilful|dull']}"


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
  columns: {session: id, speaker: who, text: said}
  speakers: {t: therapist, p: patient}
  factors: {quality: quality}
  controls: [shuffled, swapped]
ratings:
  mine: {using: rubric, rubric: mine.yaml, raters: [rater]}
analysis:
  check: {using: rater-check, outcome: mine.total, factor: quality, levels: [good, poor]}
"""


def talks() -> str:
    """Twenty sessions; a good therapist takes up the patient's topic skilfully, a poor one talks of something else."""
    lines = ["id,quality,who,said"]
    for at in range(20):
        good, topic = at % 2 == 0, TOPICS[at // 2]
        for matter in MATTERS[: 6 + at % 3]:
            lines.append(f"s{at},{'good' if good else 'poor'},p,{topic} bring {matter} {topic}{matter}.")
            said = f"skilful words on {topic}{matter}" if good else "Dull words on taxation"
            lines.append(f"s{at},{'good' if good else 'poor'},t,{said}.")
    return "\n".join(lines) + "\n"
