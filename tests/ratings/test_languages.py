"""A session's language is told from what is said in it; what cannot be told stands in nobody's way."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from cbtrun.ratings.languages import MOST_CHARACTERS, spoken_in, why_unreadable

ENGLISH = (
    "How was your week?",
    "Not so good, I stayed in bed most of the days.",
    "What went through your mind then?",
    "That I am worth nothing, and that nobody cares.",
)
SESSIONS = {
    "German": ("Wie war Ihre Woche?", "Nicht so gut, ich bin die meisten Tage im Bett geblieben.", "Was ging Ihnen da durch den Kopf?", "Dass ich nichts wert bin."),
    "French": ("Comment s'est passée votre semaine ?", "Pas très bien, je suis resté au lit presque tous les jours.", "Qu'est-ce qui vous est passé par la tête ?"),
    "Spanish": ("¿Cómo ha ido la semana?", "No muy bien, me quedé en la cama casi todos los días.", "¿Qué pensaba en ese momento?"),
    "Dutch": ("Hoe was uw week?", "Niet zo goed, ik ben de meeste dagen in bed gebleven.", "Wat ging er door u heen?"),
    "Polish": ("Jak minął tydzień?", "Nie najlepiej, większość dni spędziłem w łóżku.", "Co wtedy przyszło panu do głowy?"),
    "Finnish": ("Millainen viikkosi oli?", "Ei kovin hyvä, makasin sängyssä useimmat päivät."),
    "Swahili": ("Wiki yako ilikuwaje?", "Si nzuri sana, nilikaa kitandani siku nyingi.", "Ulikuwa unafikiria nini wakati huo?"),
    "Chinese": ("这一周过得怎么样？", "不太好，我大部分时间都躺在床上。", "当时你脑子里在想什么？"),
    "Japanese": ("今週はいかがでしたか。", "あまりよくありません、ほとんど毎日ベッドで過ごしました。"),
    "Russian": ("Как прошла ваша неделя?", "Не очень хорошо, я почти все дни пролежал в постели."),
    "Arabic": ("كيف كان أسبوعك؟", "ليس جيدا، بقيت في السرير معظم الأيام."),
    "Greek": ("Πώς ήταν η εβδομάδα σας;", "Όχι πολύ καλή, έμεινα στο κρεβάτι."),
}  # fmt: skip


@pytest.mark.parametrize("language", SESSIONS)
def test_a_session_in_another_language_is_told_by_its_name(language: str) -> None:
    why = why_unreadable(SESSIONS[language], ["en"])
    assert why == f"the session is in {language}, and the rater reads English alone"


@pytest.mark.parametrize(
    "turns", [("你好吗？", "不好"), ("Hallo.", "Wie geht's?", "Gut, danke."), ("Hola.", "¿Cómo está?")]
)
def test_a_few_words_are_enough_where_they_are_clear(turns: tuple[str, ...]) -> None:
    assert why_unreadable(turns, ["en"])


@pytest.mark.parametrize(
    "said",
    [
        "OK",
        "",
        "12 / 27",
        "😀👍",
        "Mm-hmm. Yeah. Okay. Uh-huh.",
        "[Lachen] [unverständlich] yes",
        "Hello Jörg, how was Zürich with Björn and Señora Muñoz?",
        "Nguyen Thi Minh Khai told Xiuying Zhang about Wojciech Szczęsny and Þórður.",
        "PHQ-9: 14. GAD-7: 9. BDI-II: 22. CBT, DBT, ACT, SSRI, sertraline 50 mg.",
        "um uh i dunno lol gonna wanna kinda",
        "gotta do that mumbo jumbo, Hakuna Matata, ya know",
        "I told abuela 'te quiero mucho, mi amor' and she cried, and 我很好 is what I say to my mother.",
        "She calls it Weltschmerz, and my Angst is Schadenfreude for her.",
        "We did mindfulness, yoga nidra and tai chi in Kuala Lumpur with Nguyễn and Siobhán Ó Súilleabháin.",
        "i cant sleep n i cant eat its all 2 much 4 me tbh",
    ],
)
def test_english_with_odd_names_and_what_cannot_be_told_is_refused_by_nobody(said: str) -> None:
    assert why_unreadable([said], ["en"]) == ""


def test_the_transcripts_that_ship_are_english_turn_by_turn() -> None:
    table = files("cbtrun.specs").joinpath("examples/transcripts.csv").read_text(encoding="utf-8")
    turns = [row["utterance_text"] for row in csv.DictReader(table.splitlines())]
    assert len(turns) > 100
    assert [turn for turn in turns if why_unreadable([turn], ["en"])] == []


def test_a_session_in_two_languages_is_told_by_both() -> None:
    mixed = [one for pair in zip(ENGLISH, SESSIONS["German"], strict=True) for one in pair]
    spoken = spoken_in(mixed)
    assert set(spoken.languages) == {"en", "de"}
    assert "and the rater reads English alone" in why_unreadable(mixed, ["en"])
    assert why_unreadable(mixed, ["en", "de"]) == ""


def test_a_borrowed_sentence_makes_no_other_language() -> None:
    assert why_unreadable((*ENGLISH, *ENGLISH, SESSIONS["German"][0]), ["en"]) == ""


def test_a_rater_of_another_language_reads_that_one() -> None:
    assert why_unreadable(SESSIONS["German"], ["de"]) == ""
    assert why_unreadable(ENGLISH, ["de"]) == "the session is in English, and the rater reads German alone"
    assert why_unreadable(ENGLISH, ["de", "fr"]).endswith("reads German and French alone")
    assert why_unreadable(SESSIONS["Chinese"], []) == ""


def test_a_long_turn_and_many_turns_are_looked_at_in_part() -> None:
    assert why_unreadable([" ".join(ENGLISH) * 10_000], ["en"]) == ""
    german = [SESSIONS["German"][1]] * 5_000
    assert why_unreadable(german, ["en"])
    assert why_unreadable([f"{ENGLISH[1] * 4}{SESSIONS['German'][1] * 100}"], ["en"]) == ""
    assert len(ENGLISH[1] * 4) > MOST_CHARACTERS
