"""One persona drawn from attributes: a theme first, then whatever fits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from cbtrun.plugin import FullPersona, Situation
from cbtrun.plugins.personas.attributes import Attributes, Episode, Option, Theme
from cbtrun.plugins.personas.thought_kinds import thought_kind
from cbtrun.plugins.wording.phrasing import fill, fits

T = TypeVar("T")

EPISODES = 4  # situations that a persona can tell about


@dataclass(frozen=True)
class Life:
    """What is settled about a persona before the words are drawn."""

    age: int
    has: frozenset[str]
    slots: Mapping[str, str]

    def allows(self, option: Option) -> bool:
        """Whether age, living situation and known people let an option be true."""
        low, high = option.ages
        there = not option.needs or bool(self.has & set(option.needs))
        return low <= self.age <= high and there and fits(option.value, self.slots)


def draw_persona(attributes: Attributes, persona_id: str, seed: int) -> FullPersona:
    """The persona that a seed gives."""
    rng = Random(seed)
    theme = attributes.stories[weighted(attributes.themes, rng)]
    gender = weighted(attributes.gender, rng)
    occupation, age, living = _place_in_life(attributes, theme, rng)
    slots = _people(attributes, gender, living, rng)
    life = Life(age, frozenset(living.has), slots)
    severity = attributes.severity[weighted({name: band.weight for name, band in attributes.severity.items()}, rng)]
    style = weighted(attributes.engagement_style, rng)
    episodes = _episodes(theme, life, rng)
    thoughts = [episode.thought for episode in episodes]
    kinds = list(dict.fromkeys(thought_kind(thought) for thought in thoughts))
    return FullPersona.model_validate(
        {
            "id": persona_id,
            "name": rng.choice([name for name in attributes.names[gender] if name != slots["friend"]]),
            "age": age,
            "gender": gender,
            "occupation": occupation,
            "living_situation": fill(living.value, slots, rng),
            "presenting_problem": _some(theme.presenting, 1, life, rng)[0] + ".",
            "phq9": rng.randint(*severity.phq9),
            "symptoms": _some(attributes.symptoms, severity.symptoms, life, rng),
            "situations": episodes[:EPISODES],
            "automatic_thoughts": thoughts,
            "intermediate_beliefs": _some(theme.intermediate, 2, life, rng),
            "core_beliefs": _some(theme.core, rng.choice((1, 2)), life, rng),
            "distortions": kinds,
            "history": _some(theme.history, 1, life, rng)[0],
            "strengths": [*_some(theme.strengths, 2, life, rng), *_some(attributes.strengths, 1, life, rng)],
            "goals": [*_some(theme.goals, 2, life, rng), *_some(attributes.goals, 1, life, rng)],
            "engagement_style": style,
            "disclosure_style": weighted(attributes.disclosure_style[style], rng),
            "risk": weighted(attributes.risk, rng),
            "speech": _speech(attributes, style, rng),
        }
    )


def weighted(weights: Mapping[str, float], rng: Random) -> str:
    """One of the names, by weight."""
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def _place_in_life(attributes: Attributes, theme: Theme, rng: Random) -> tuple[str, int, Option]:
    """An occupation, an age that it allows, and a living situation that both the age and the theme allow."""
    while True:
        occupation = rng.choice(theme.occupations)
        age = rng.randint(max(theme.ages[0], occupation.ages[0]), min(theme.ages[1], occupation.ages[1]))
        homes = [home for home in attributes.living if home.ages[0] <= age <= home.ages[1]]
        homes = [home for home in homes if set(home.has) & set(theme.living)]
        if homes:
            return occupation.value, age, homes[_index([home.weight for home in homes], rng)]


def _people(attributes: Attributes, gender: str, living: Option, rng: Random) -> Mapping[str, str]:
    """Who there is in this life; somebody the living situation rules out has no slot."""
    people, has = attributes.people, set(living.has)
    slots = {"friend": rng.choice(people.friend), "boss": rng.choice(people.boss)}
    partner, child = weighted(people.partner[gender], rng), rng.choice(people.child)
    slots["sibling"] = rng.choice(people.sibling)
    if "partner" in has:
        slots["partner"] = partner
    if has & {"kids", "grown-kids"}:
        slots["child"] = child
    return slots


def _episodes(theme: Theme, life: Life, rng: Random) -> list[Situation]:
    """Episodes in random order, one more than a persona tells of: the last gives a further thought."""
    fitting = [one for one in theme.situations if _possible(one, life)]
    chosen = rng.sample(fitting, min(EPISODES + 1, len(fitting)))
    return [_situation(one, life.slots, rng) for one in chosen]


def _possible(one: Episode, life: Life) -> bool:
    there = not one.needs or bool(life.has & set(one.needs))
    return there and all(fits(text, life.slots) for text in (one.event, one.thought, one.behaviour))


def _situation(one: Episode, slots: Mapping[str, str], rng: Random) -> Situation:
    event, thought, behaviour = (fill(text, slots, rng) for text in (one.event, one.thought, one.behaviour))
    return Situation(event=event, thought=thought, feeling=one.feeling, behaviour=behaviour)


def _some(options: Sequence[Option], count: int, life: Life, rng: Random) -> list[str]:
    """Up to `count` different options that this life allows, in random order."""
    left = [option for option in options if life.allows(option)]
    chosen: list[str] = []
    while left and len(chosen) < count:
        option = left.pop(_index([one.weight for one in left], rng))
        chosen.append(fill(option.value, life.slots, rng))
        left = [other for other in left if not option.group or other.group != option.group]
    return chosen


def _speech(attributes: Attributes, style: str, rng: Random) -> str:
    fitting = [way for way in attributes.speech if not way.styles or style in way.styles]
    return fitting[_index([way.weight for way in fitting], rng)].value


def _index(weights: Sequence[float], rng: Random) -> int:
    return rng.choices(range(len(weights)), weights=weights)[0]
