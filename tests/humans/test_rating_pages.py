"""Pages for people who rate: what they show and hide, in which order, and what they are made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.errors import SpecError, StageError
from cbtrun.humans.names import common_words, without_names
from cbtrun.humans.preference_pairs import draw_pairs
from cbtrun.humans.rate_server import open_desks
from cbtrun.humans.rated_run import rated_run
from cbtrun.humans.rating_page import rating_page
from cbtrun.humans.rating_settings import PageOptions, settings_of
from cbtrun.humans.sheet import Drawn, Sheet, make_sheet
from cbtrun.humans.task import Settings, task_of
from cbtrun.humans.training import read_training, shipped_training
from cbtrun.ratings.rubric_file import find_rubric, read_rubric
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import RUBRICS
from tests.helpers.rated_study import KINDS, drawn, rated_files

Project = Callable[[dict[str, str]], StudyProject]
CTRS = read_rubric(find_rubric("ctrs", [RUBRICS]))


def sheet_of(rename: Callable[[int], dict[str, Any]]) -> Sheet:
    """Six sessions that say always the same, under whatever arms, ids and facts."""
    turns = [(Turn(speaker="therapist", text=f"Word {at}."), Turn(speaker="patient", text="Yes.")) for at in range(6)]
    sessions = [
        Session(turns=turns[at], **{"ended": "x", "draw": "d", "id": f"i{at}", **rename(at)}) for at in range(6)
    ]
    return Sheet(
        "a secret",
        tuple(Drawn(code=f"S{at:02}", session=one, stratum=one.arm or "") for at, one in enumerate(sessions)),
    )


def test_a_page_is_the_same_whatever_arm_id_and_facts_its_words_have() -> None:
    def known(at: int) -> dict[str, Any]:
        facts = {
            "factors": {"tuning": f"f{at % 2}"},
            "labels": {"l": str(at)},
            "measures": {"phq9": at},
            "flags": ("x",),
        }
        return {"id": f"cbt/{at}", "arm": "cbt" if at % 2 else "none", "persona": f"p{at}", "repeat": at + 1, **facts}

    plain, told = sheet_of(lambda _: {}), sheet_of(known)
    for rater in ("ada", 1, 2):
        assert rating_page(task_of(plain, CTRS, rater, Settings())) == rating_page(
            task_of(told, CTRS, rater, Settings())
        )


def test_nothing_of_a_sheet_stands_in_what_the_study_publishes(ran: StudyProject) -> None:
    assert ran.run("sheet", "runs/mine", "--sessions", "8", "--raters", "2", "--preferences", "4").code == 0
    public = "".join(ran.read(f"runs/mine/{name}") for name in ("results.json", "study.lock.yaml", "sessions.jsonl"))
    words = {word for line in ran.read("talks.csv").split() for word in re.findall(r"\w+", line)}
    known = {*re.findall(r"\w{4,}", public)} - words
    for name in ("sheet-1.html", "sheet-2.html", "sheet-1.csv", "sheet-2.csv"):
        page = ran.read(f"runs/mine/sheets/{name}")
        told = page.split('id="task">')[-1].split("</script>")[0]
        ours = {"sheet", "session", "rater", "item", "score", "comment", "agenda", "safe"}
        found = {*re.findall(r"\w{4,}", told)} & known
        assert not {one for one in found if re.search(r"\d", one)} - ours
        assert not found & {*KINDS, "kind", "arm", "draw", "persona"}
        assert not re.search(r"\d{4}-\d\d-\d\d|\d{10}", told.replace(page.split('"digest": "')[-1][:64], ""))


def test_places_of_sessions_tell_no_arm_over_many_draws(ran: StudyProject) -> None:
    with chdir(ran.folder):
        run = rated_run(Path("runs/mine"), None)
        firsts: Counter[str] = Counter()
        sides: Counter[str] = Counter()
        for _ in range(60):
            sheet = make_sheet(run, 8, (), new=True)
            settings = settings_of(run, sheet, PageOptions(preferences=4))
            asked = task_of(sheet, run.rubric, "ada", settings)
            arms = {one.code: one.session.factors["kind"] for one in sheet.drawn}
            firsts[arms[asked.order[0]]] += 1
            pairs = {pair.code: pair for pair in settings.pairs}
            for pair in asked.pairs:
                sides[getattr(pairs[pair.code], pair.left).factors["kind"]] += 1
    assert 15 < firsts[KINDS[0]] < 45  # 60 fair coins leave this once in 10,000 times
    assert 80 < sides[KINDS[0]] < 160  # 240 of them


def test_raters_have_orders_of_their_own_that_their_files_record(ran: StudyProject) -> None:
    run, sheet, settings = drawn(ran, preferences=4)
    with chdir(ran.folder):
        desks = open_desks(run, sheet, settings, ["ada", "ben", "cho"])
        again = open_desks(run, sheet, settings, ["ada", "ben", "cho"])
    assert len({desk.task.order for desk in desks}) == 3
    assert [desk.task.order for desk in again] == [desk.task.order for desk in desks]
    assert len({desk.token for desk in desks}) == 3
    for desk in again:
        (header,) = desk.entries.headers
        assert header["order"] == list(desk.task.order)
        assert header["left"] == {pair.code: pair.left for pair in desk.task.pairs}


def test_nothing_to_export_and_a_model_called_like_a_person_are_told(ran: StudyProject) -> None:
    assert "there is no sheet of this run" in ran.run("rate", "runs/mine", "--export").err
    assert "a model of the study is called Rater" in ran.run("rate", "runs/mine", "--rater", "Rater").err
    assert "two raters are called" in ran.run("rate", "runs/mine", "--rater", "ada", "--rater", "Ada").err
    assert "is no code of a rater" in ran.run("rate", "runs/mine", "--rater", "../x").err


def test_a_key_without_a_secret_serves_nobody(ran: StudyProject) -> None:
    ran.write("runs/mine/sheet-key.csv", "sheet,code,session,arm,stratum\n687c8df2,S01,s1,,all\n")
    assert "had no secret; --new draws another" in ran.run("rate", "runs/mine").err


def test_pairs_are_one_persons_under_two_arms_and_go_on_with_their_codes() -> None:
    turns = (Turn(speaker="therapist", text="Hello."),)
    sessions = [
        Session(id=f"{arm}/{who}", arm=arm, persona=who, draw="d", turns=turns, ended="x")
        for who in "pqrs"
        for arm in ("cbt", "none", "old")
    ]
    first = draw_pairs(sessions, 4, "secret", [])
    assert sorted(pair.a.persona or "" for pair in first) == [*"pqrs"]
    assert all(pair.a.persona == pair.b.persona and pair.a.arm != pair.b.arm for pair in first)
    more = draw_pairs(sessions, 9, "secret", [(pair.code, pair.a.id, pair.b.id) for pair in first])
    assert more[:4] == first
    assert len({frozenset((pair.a.id, pair.b.id)) for pair in more}) == 9
    with pytest.raises(StageError, match="no persona has sessions of two arms"):
        draw_pairs([one for one in sessions if one.arm == "cbt"], 2, "secret", [])


def test_the_shipped_training_session_has_a_score_and_a_reason_for_every_item() -> None:
    training = shipped_training(CTRS)
    assert training is not None
    assert {*training.agreed} == {item.id for item in CTRS.items}
    assert all(one.why for one in training.agreed.values())


def test_all_faults_of_a_training_session_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("extra: 1\nturns: [{nurse: x}]\nscores: {agenda: {score: 9}, mood: {score: 1}}\n")
    with pytest.raises(SpecError) as told:
        read_training(path, CTRS)
    for words in ("unknown key 'extra'", "turn 1 is not `therapist:`", "agenda: 9 is off the scale", "no item 'mood'"):
        assert words in str(told.value)


def test_names_of_real_people_are_masked_throughout_their_session() -> None:
    said = (
        "Hi Maria, how was Monday?",
        "Good. My husband Jonas O'Neill called me at work. Maria, he said, come home.",
        "What did Jonas mean, do you think? Write to me at m.k@mail.example or +49 151 1234567.",
        "Dr. Weber says CBT helps. I said: well, Weber, I am Tired.",
    )
    masked = without_names(said, common_words([*said, "I am tired."]))
    text = " ".join(masked)
    assert not any(name in text for name in ("Maria", "Jonas", "O'Neill", "Weber", "mail.example", "1234567"))
    assert all(word in text for word in ("Monday", "CBT", "Good", "Tired", "Write"))
    assert without_names(("Ask in Ulm.",), frozenset(), ("ulm",)) == ("Ask in [name].",)


def test_pages_warn_of_real_people_and_mask_names_where_the_study_does_not_deny_them(study_project: Project) -> None:
    files = rated_files(contains="real-people")
    files["talks.csv"] = files["talks.csv"].replace("Yes. I see.", "My name is Zelda. Yes. I see.")
    project = study_project(files)
    assert project.run().code == 0
    done = project.run("sheet", "runs/mine", "--sessions", "8")
    assert "hold words of real people" in done.out
    page = project.read("runs/mine/sheets/sheet.html")
    assert ("Zelda" in page, "[name]" in page, '"realPeople": true' in page) == (False, True, True)
