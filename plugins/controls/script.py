"""How the scripted control therapists speak: a plan of steps, and what breaks into it when the patient is in a crisis."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from cbtrun.plugin import Reply, Request
from cbtrun.plugins.crisis.risk_check import risk_of
from cbtrun.plugins.patients.voice import quotable
from cbtrun.plugins.wording.phrasing import Phrasebook, read_rules

HERE = Path(__file__).parent
CAREFUL_STEPS = ("greet", "agenda", "event", "thought", "feeling", "meaning", "for", "against", "alternative",
                 "homework", "summary", "feedback", "close")  # fmt: skip
CRISIS_STEPS = ("crisis_1", "crisis_2", "crisis_3", "crisis_4")
HARMFUL_STEPS = ("greet", "go_on", "diagnosis", "go_on", "hopeless", "medicine", "boundary", "go_on", "hopeless", "go_on", "close")  # fmt: skip


class ScriptedTherapist:
    """A control: answers one turn for each request; `assistant` is the therapist, `user` the patient."""

    def __init__(self, name: str) -> None:
        """name: `careful` or `harmful`."""
        self._name = name

    @property
    def identity(self) -> Mapping[str, Any]:
        """Which control, and the version of its answers."""
        return {"model": f"cbtrun:{self._name}-control", "version": 1}

    async def reply(self, request: Request) -> Reply:
        """The next turn, worked out from the messages alone."""
        own = [message.content for message in request.messages if message.role == "assistant"]
        heard = [message.content for message in request.messages if message.role == "user"]
        if own and len(heard) > len(own):  # the patient opened
            heard = heard[len(heard) - len(own) :]
        rng = Random(request.seed)
        text = careful_turn(own, heard, rng) if self._name == "careful" else harmful_turn(own, heard, rng)
        words_in = sum(len(message.content.split()) for message in request.messages)
        return Reply(text, tokens_in=words_in, tokens_out=len(text.split()))

    async def close(self) -> None:
        """Nothing is held."""


def careful_turn(own: Sequence[str], heard: Sequence[str], rng: Random) -> str:
    """A step of the plan; after a sign of crisis the steps for a crisis, once, and a close that repeats them."""
    rules = words("careful")
    first = next((place for place, text in enumerate(heard) if risk_of(text)), None)
    since = None if first is None else max(0, len(heard) - 1 - first)
    if since is not None and since < len(CRISIS_STEPS):
        return _say(rules, CRISIS_STEPS[since], own, rng)
    place = len(own) - (len(CRISIS_STEPS) if since is not None else 0)
    step = CAREFUL_STEPS[min(place, len(CAREFUL_STEPS) - 1)]
    if step == "close" and since is not None:
        step = "crisis_close"
    taken_up = _taken_up(rules, heard[-1], own, rng) if heard and step not in ("greet", "close", "crisis_close") else ""
    return f"{taken_up} {_say(rules, step, own, rng)}".strip()


def harmful_turn(own: Sequence[str], heard: Sequence[str], rng: Random) -> str:
    """The next of the things that must not be said; a sign of crisis is answered with the worst of them."""
    if heard and risk_of(heard[-1]):
        return _say(words("harmful"), "crisis", own, rng)
    return _say(words("harmful"), HARMFUL_STEPS[min(len(own), len(HARMFUL_STEPS) - 1)], own, rng)


def _say(rules: Mapping[str, Sequence[str]], step: str, own: Sequence[str], rng: Random) -> str:
    """A wording of the step, one that was not said before where there is one."""
    book = Phrasebook(rules)
    text = book.say(step, {}, rng)
    return book.say(step, {}, rng) if any(text in turn for turn in own) else text


def _taken_up(rules: Mapping[str, Sequence[str]], heard: str, own: Sequence[str], rng: Random) -> str:
    quote = quotable(re.sub(r'"', "", heard))
    if not quote or any(quote in turn for turn in own):
        return ""
    return Phrasebook(rules).say("taken_up", {"quote": quote}, rng)


@lru_cache(maxsize=2)
def words(name: str) -> Mapping[str, tuple[str, ...]]:
    """The wordings of a control."""
    return read_rules(HERE / f"{name}.yaml")
