"""Do the fidelity checks find planted faults, and leave clean sessions alone?"""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.plugins.dialogue.checks import checked, excluding_rules
from cbtrun.plugins.fidelity.checks import CHECKS, NAMES, fidelity_flags, findings
from cbtrun.plugins.fidelity.finding import Case
from tests.helpers.fidelity_corpus import TURNS, Planted, clean_cases, people, planted
from tests.helpers.places import optional_data

RECALL, FALSE_ALARMS = 0.9, 0.05


def found(one: Planted) -> bool:
    """Whether the check of that name finds the fault, by the speaker who has it."""
    loops = one.fault == "repetition"
    return any(it.name == one.fault and (loops or it.speaker == one.by) for it in findings(one.case))


@pytest.mark.slow
@pytest.mark.parametrize("file", ["faults.yaml", "faults_put_aside.yaml"])
def test_planted_faults_are_found(file: str) -> None:
    hits = [found(one) for one in planted(file)]
    assert len(hits) >= 60
    assert sum(hits) / len(hits) >= RECALL


@pytest.mark.slow
def test_every_fault_of_the_corpus_has_a_check_and_the_other_way_round() -> None:
    assert {one.fault for one in planted("faults.yaml")} == {check.name for check in CHECKS}


@pytest.mark.slow
def test_clean_sessions_raise_no_alarm() -> None:
    cases = clean_cases(120, seed=21)
    assert sum(bool(findings(case)) for case in cases) / len(cases) <= FALSE_ALARMS


def test_real_sessions_raise_hardly_an_alarm() -> None:
    path = optional_data("annomi_dev.csv")
    sessions: dict[str, list[tuple[int, Turn]]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            speaker = "therapist" if row["interlocutor"] == "therapist" else "patient"
            turn = Turn(speaker=speaker, text=row["utterance_text"])
            sessions.setdefault(row["transcript_id"], []).append((int(row["utterance_id"]), turn))
    ordered = [[turn for _, turn in sorted(turns, key=lambda one: one[0])] for turns in sessions.values()]
    alarms = Counter(bool(findings(Case(turns))) for turns in ordered)
    assert alarms[True] / len(ordered) <= FALSE_ALARMS


def session(*texts: str, flags: tuple[str, ...] = (), ended: str = "farewell") -> Session:
    """A session in which the two take turns."""
    turns = [Turn(speaker=("therapist", "patient")[place % 2], text=text) for place, text in enumerate(texts)]
    return Session(id="a/p/1", arm="a", persona="p", draw="d", turns=tuple(turns), ended=ended, flags=flags)


def test_a_flag_names_speaker_turn_and_words() -> None:
    turns = session("Hello.", "As your therapist, I'd like us to look at the evidence.").turns
    (flag,) = fidelity_flags(Case(turns, people(1)[0], "", TURNS))
    assert flag == 'role_swap: patient turn 2, "As your therapist, I\'d like us to look at the evidence."'


def test_words_that_the_therapist_taught_are_no_clinical_register() -> None:
    taught = session(
        "We call that catastrophizing, an automatic thought that exaggerates.",
        "So catastrophizing, an automatic thought.",
    )
    alone = session("What happened?", "It's catastrophizing, an automatic thought.")
    assert not findings(Case(taught.turns))
    assert [one.name for one in findings(Case(alone.turns))] == ["clinical_register"]


def test_a_session_without_persona_cannot_contradict_one() -> None:
    turns = session("Hm.", "My name is Nobody and I live with my parents.").turns
    assert not [one for one in findings(Case(turns)) if one.name == "contradiction"]


def test_checks_can_be_named_or_switched_off() -> None:
    swapped = session("Hello.", "What brings you in today?")
    case = Case(swapped.turns)
    assert checked(swapped, case, {"fidelity": True}).flags
    assert checked(swapped, case, {"fidelity": ["role_swap"]}).flags
    assert not checked(swapped, case, {"fidelity": ["repetition"]}).flags
    assert not checked(swapped, case, {"fidelity": False}).flags


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("role_swap", ["role_swap by patient"]),
        ({"flag": "repetition"}, []),
        ({"flag": "repetition", "by": "therapist"}, ["repetition by therapist"]),
        ({"flag": "repetition", "by": "either"}, ["repetition by either"]),
        ("crisis", ["crisis by patient"]),
        ({"fewer_turns_than": 3}, ["fewer than 3 turns"]),
        ({"fewer_turns_than": 2}, []),
        ({"ended": "farewell"}, ["ended by farewell"]),
    ],
)
def test_a_rule_excludes_by_flag_speaker_length_or_end(rule: str | dict[str, object], words: list[str]) -> None:
    flags = ('role_swap: patient turn 2, "x"', 'repetition: therapist turn 5, "y"', "crisis: turn 2 harm_to_self")
    assert excluding_rules(session("One.", "Two.", flags=flags), [rule]) == words


def test_an_excluded_session_is_kept_and_says_why() -> None:
    one = session("Hello.", "What brings you in today?")
    kept = checked(one, Case(one.turns), {"fidelity": True, "exclude": ["role_swap", {"fewer_turns_than": 6}]})
    assert kept.turns == one.turns
    assert kept.flags[-2:] == ("excluded: role_swap by patient", "excluded: fewer than 6 turns")


def test_every_check_says_what_it_measures_and_from_where_on() -> None:
    assert all(check.measures and check.threshold and NAMES[check.name] is check for check in CHECKS)
