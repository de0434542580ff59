"""A session of another practice than CBT, written from its own wordings and the patient's material."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from cbtrun.plugins.grammar.brief import Brief, Written, remember
from cbtrun.plugins.grammar.course import MOST_TURNS, Step, Talk
from cbtrun.plugins.patients.voice import Voice, open_voice
from cbtrun.plugins.practices.practice import Practice, Technique
from cbtrun.plugins.wording.phrasing import Phrasebook, finish


def write_practised(brief: Brief, practice: Practice, rng: Random) -> Written:
    """One session after the plan of the brief."""
    techniques = [practice.techniques[name] for name in brief.session.techniques if name in practice.techniques]
    techniques = techniques or list(practice.techniques.values())[:1]
    voice = open_voice(brief.patient, brief.session.number, rng, practice.patient_words)
    offers = _offers(techniques, voice, rng)
    talk = Talk(brief, remember(brief), voice, Phrasebook(practice.therapist), rng, offers)
    for step in _steps(brief, practice, techniques):
        talk.exchange(step)
    return Written(tuple(talk.turns), _summary(talk), offers.get("newhomework", ""))


def _steps(brief: Brief, practice: Practice, techniques: list[Technique]) -> list[Step]:
    """Opening, work and closing; the work is cut where the session would be too long."""
    opening = practice.later if brief.before and practice.later else practice.opening
    work = list(dict.fromkeys(step for one in techniques for step in one.steps))
    room = max(2, MOST_TURNS - len(opening) - len(practice.closing))
    return [Step(*pair) for pair in (*opening, *work[:room], *practice.closing)]


def _offers(techniques: list[Technique], voice: Voice, rng: Random) -> dict[str, str]:
    """What the therapist brings along: name, topic, and what may be agreed."""
    offers = {"name": voice.material.slots["name"], "mood": voice.material.slots["mood"]}
    offers["topic1"] = _drawn(techniques[0].topic, offers, rng)
    if techniques[-1].homework:
        offers["newhomework"] = _drawn(techniques[-1].homework, offers, rng)
    return offers


def _drawn(texts: tuple[str, ...], slots: Mapping[str, str], rng: Random) -> str:
    return Phrasebook({"": texts}).draw("", slots, rng)


def _summary(talk: Talk) -> str:
    """What the next session is told."""
    heard = talk.voice.material.heard
    parts = [f"talked about {talk.offers['topic1']}"]
    parts += [f"wants to {heard['goal2']}"] if "goal2" in heard else []
    parts += [f"episode: {heard['event2']}"] if "event2" in heard else []
    return finish("; ".join(parts) + ".")
