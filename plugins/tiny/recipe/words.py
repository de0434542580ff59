"""Open vocabulary: names, nouns and compounds that nobody has met before.

A model can only say such a word by copying it from what the other speaker said, which is the ability we want.
Every made-up word belongs to one of two sides: `held` words occur in held-out dialogue only.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random


def _split(sounds: str) -> list[str]:
    return sounds.split(" ")


ONSETS = _split(
    "b br bl c ch cl cr d dr f fl fr g gl gr h j k kl kn l m n p ph pl pr qu r s sc sh sk sl sm sn sp st str sw t th tr tw v vr w wh y z"
)
VOWELS = _split("a a a e e e i i o o o u ai ay ea ee ei ia ie oa oo ou ow y")
CODAS = _split(
    "b ck ct d dge ff g ge l ld ll lm lt m mp n nd ng nk nt p r rd rk rl rm rn rt s sk sp ss st t th tt v x z"
)
NAME_ENDS = _split("a a e i ia o y an en in on ar er is us el al ette ine ora ina elle")
NOUN_ENDS = _split("er ing le et ock in ow age ment ery ard is um oid ine ade elt urn ipe ast")


def _pick(rng: Random, choices: list[str]) -> str:
    return choices[int(rng.random() * len(choices))]


def _syllables(rng: Random) -> str:
    word = _pick(rng, ONSETS) + _pick(rng, VOWELS)
    if rng.random() < 0.55:
        word += _pick(rng, CODAS)
    if rng.random() < 0.35:
        word += _pick(rng, VOWELS) + _pick(rng, CODAS)
    return word


def is_held_out(word: str) -> bool:
    """True for the eighth of all made-up words that training dialogue never uses."""
    return sum(map(ord, word)) % 8 == 7


def _on_side(make: Callable[[Random], str], held: bool) -> Callable[[Random], str]:
    def made(rng: Random) -> str:
        while True:
            word = make(rng)
            if is_held_out(word) == held:
                return word

    return made


def _name(rng: Random) -> str:
    return (_syllables(rng) + _pick(rng, NAME_ENDS)).capitalize()


def _noun(rng: Random) -> str:
    return _syllables(rng) + _pick(rng, NOUN_ENDS)


def makers(held: bool) -> dict[str, Callable[[Random], str]]:
    """Makers by slot name: `made_name` (Velmora), `made_noun` (tessock), `number`, `clock`, `percent`, `small`."""
    return {
        "made_name": _on_side(_name, held),
        "made_noun": _on_side(_noun, held),
        "number": lambda rng: str(2 + int(rng.random() ** 2 * 90)),
        "small": lambda rng: str(2 + int(rng.random() * 9)),
        "scale": _scale,
        "percent": lambda rng: str(5 * int(rng.random() * 21)),
        "clock": _clock,
        "year": lambda rng: str(1950 + int(rng.random() * 76)),
    }


SCALE = _split("zero one two three four five six seven eight nine ten")


def _scale(rng: Random) -> str:
    number = int(rng.random() * 11)
    return SCALE[number] if rng.random() < 0.5 else str(number)


def _clock(rng: Random) -> str:
    hour = 1 + int(rng.random() * 12)
    return f"{hour}" if rng.random() < 0.5 else f"{hour}:{_pick(rng, ['15', '30', '45', '10', '20'])}"
