"""Which sessions a sheet draws, with which chances, and what its key says of them."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.errors import SpecError, StageError
from cbtrun.humans.sheet import draw_sheet
from cbtrun.people.draws import Design, units_of
from cbtrun.people.sheet_key import Key, read_key


def sessions(personas: int = 20, repeats: int = 1, arms: tuple[str, ...] = ("a", "b")) -> list[Session]:
    """Sessions of each persona under each arm; every other persona is of site x."""
    return [
        Session(
            id=f"{arm}-{persona}-{repeat}",
            arm=arm,
            persona=f"p{persona:02}",
            repeat=repeat,
            draw=str(repeat),
            turns=(Turn(speaker="therapist", text="Hello."),),
            ended="imported",
            labels={"site": "xy"[persona % 2]},
        )
        for arm in arms
        for persona in range(personas)
        for repeat in range(1, repeats + 1)
    ]


def test_pairs_are_of_one_persona_under_every_arm() -> None:
    drawn = draw_sheet(sessions(), 6, (), "secret", design=Design("pairs")).drawn
    found = Counter((one.session.persona, one.session.arm) for one in drawn)
    assert len(found) == 12
    assert {arm for _, arm in found} == {"a", "b"}
    assert len({persona for persona, _ in found}) == 6
    assert {(one.chance, one.units) for one in drawn} == {("0.3", 20)}


def test_a_repeat_of_a_pair_has_its_share_of_the_chance() -> None:
    drawn = draw_sheet(sessions(repeats=2), 5, (), "secret", design=Design("pairs")).drawn
    assert len(drawn) == 10
    assert {one.chance for one in drawn} == {"0.125"}


def test_each_session_of_a_stratum_has_the_chance_of_so_many_of_so_many() -> None:
    few = [one for one in sessions() if one.arm == "a" or (one.persona or "") < "p04"]  # 20 of a, 4 of b
    drawn = draw_sheet(few, 6, (), "secret").drawn
    assert {one.stratum: one.chance for one in drawn} == {"arm a": "0.15", "arm b": "0.75"}


def test_sessions_come_up_as_often_as_their_chance_says() -> None:
    few = [one for one in sessions(10) if one.arm == "a" or (one.persona or "") < "p04"]
    counts = Counter(one.session.id for draw in range(600) for one in draw_sheet(few, 6, (), f"secret {draw}").drawn)
    of_a = [counts[one.id] / 600 for one in few if one.arm == "a"]
    of_b = [counts[one.id] / 600 for one in few if one.arm == "b"]
    assert 0.2 < min(of_a) < max(of_a) < 0.4  # 3 of 10
    assert 0.65 < min(of_b) < max(of_b) < 0.85  # 3 of 4


def test_pairs_can_be_even_over_what_a_persona_has() -> None:
    drawn = draw_sheet(sessions(), 4, ("site",), "secret", design=Design("pairs")).drawn
    assert Counter(one.stratum for one in drawn) == {"site x": 4, "site y": 4}


def test_all_sessions_have_the_chance_of_one() -> None:
    drawn = draw_sheet(sessions(5), 1, (), "secret", design=Design("all")).drawn
    assert len(drawn) == 10
    assert {one.chance for one in drawn} == {"1"}


def test_one_arm_alone_can_be_drawn_from() -> None:
    drawn = draw_sheet(sessions(arms=("a", "b", "c")), 4, (), "secret", design=Design("pairs", arms=("a", "c"))).drawn
    assert {one.session.arm for one in drawn} == {"a", "c"}


@pytest.mark.parametrize(
    ("there", "design", "why"),
    [
        (sessions(arms=("a",)), Design("pairs"), "the sessions have one arm"),
        (sessions(3)[:3] + sessions(9)[-3:], Design("pairs"), "no persona has sessions of every arm"),
        (sessions(), Design("pairs", by=("arm",)), "would stand in two strata"),
        (sessions(), Design(by=("ward",)), "--by ward: no session has it"),
        (sessions(), Design(arms=("z",)), "--arm z: no session has it; known: a, b"),
    ],
)
def test_a_design_that_does_not_fit_is_refused(there: list[Session], design: Design, why: str) -> None:
    with pytest.raises(StageError, match=why):
        units_of(there, design, "secret")


@pytest.mark.parametrize("chance", ["0", "1.5", "-0.1", "often", "1/0", "1e-3", "9" * 60])
def test_what_is_no_chance_is_told_with_its_line(chance: str, tmp_path) -> None:
    path = tmp_path / "key.csv"
    path.write_text(f"session,chance\ns1,0.5\ns2,{chance}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"key.csv:3: '.+' is no chance"):
        read_key(path)


def test_a_key_of_ones_own_needs_sessions_and_chances(tmp_path) -> None:
    path = tmp_path / "key.csv"
    path.write_text("session,chance\ns1,0.5\ns2,1/4\n", encoding="utf-8")
    found = read_key(path)
    assert found.has_chances
    assert [one.chance for one in found.drawn] == [Fraction(1, 2), Fraction(1, 4)]
    assert read_key(tmp_path / "none.csv") == Key({})
