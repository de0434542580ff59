"""`cbtrun sheet`: designs, amounts, the key, and how far the minutes of people go."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.corrected_study import files


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    """A finished run of 40 personas under two kinds."""
    project = StudyProject(tmp_path_factory.mktemp("sheets"))
    for name, text in files().items():
        project.write(name, text)
    assert project.run().code == 0
    return project


def key(project: StudyProject) -> list[dict[str, str]]:
    """Rows of the key."""
    return list(csv.DictReader(StringIO(project.read("runs/mine/sheet-key.csv"))))


def test_the_key_has_design_units_and_chance_of_each_draw_and_the_sheets_have_not(ran: StudyProject) -> None:
    done = ran.run("sheet", "runs/mine", "--pairs", "8", "--new")
    assert done.code == 0, done.err
    assert "drew 8 personas, each with a session of every arm (16 sessions)" in done.out
    assert "the key has the chance of each draw (personas): 8 of 40" in done.out
    rows = key(ran)
    assert {(row["design"], row["chance"], row["units"], row["stratum"]) for row in rows} == {
        ("pairs", "0.2", "40", "all")
    }
    assert ran.read("runs/mine/sheets/sheet.csv").splitlines()[0] == "sheet,session,rater,item,score,comment"
    assert "0.2" not in ran.read("runs/mine/sheets/sheet.csv")


def test_a_sheet_goes_on_in_its_own_design_and_refuses_another(ran: StudyProject) -> None:
    assert ran.run("sheet", "runs/mine", "--pairs", "4", "--new").code == 0
    before = {row["code"]: row["session"] for row in key(ran)}
    assert ran.run("sheet", "runs/mine", "--pairs", "6").code == 0
    after = {row["code"]: row["session"] for row in key(ran)}
    assert before.items() <= after.items()
    assert len(after) == 12
    assert {row["chance"] for row in key(ran)} == {"0.15"}
    done = ran.run("sheet", "runs/mine", "--design", "all")
    assert done.code == 2
    assert "its sheet was drawn as pairs, not all; --new draws another" in done.err


def test_minutes_say_how_many_fit_and_where_they_come_from(ran: StudyProject) -> None:
    done = ran.run("sheet", "runs/mine", "--design", "pairs", "--minutes", "30", "--new")
    assert done.code == 0, done.err
    assert "30 minutes of each rater do for" in done.out
    assert "minutes a session, told from" in done.out
    assert "2 items at 20 seconds (assumed)" in done.out
    done = ran.run("sheet", "runs/mine", "--design", "pairs", "--minutes", "60", "--minutes-each", "5", "--new")
    assert (
        "60 minutes of each rater do for 6 of 40 personas (12 sessions): 5.0 minutes a session, as measured" in done.out
    )
    assert len(key(ran)) == 12


def test_minutes_of_a_session_can_be_those_that_rating_pages_measured(ran: StudyProject) -> None:
    rows = [f"S0{at},ann,{item},3,{seconds}" for at, seconds in ((1, 240), (2, 480)) for item in ("agenda", "clear")]
    ran.write("timed.csv", "\n".join(["session,rater,item,score,seconds", *rows]) + "\n")
    done = ran.run("sheet", "runs/mine", "--design", "pairs", "--minutes", "60", "--timed", "timed.csv", "--new")
    assert (
        "60 minutes of each rater do for 5 of 40 personas (10 sessions): 6.0 minutes a session, as measured" in done.out
    )
    ran.write("timed.csv", "session,rater,item,score\nS01,ann,agenda,3\n")
    done = ran.run("sheet", "runs/mine", "--minutes", "60", "--timed", "timed.csv", "--new")
    assert done.code == 2
    assert "timed.csv: no columns 'session' and 'seconds'" in done.err


def test_without_an_amount_the_sheet_that_is_there_stays_as_it_is(ran: StudyProject) -> None:
    assert ran.run("sheet", "runs/mine", "--pairs", "3", "--new").code == 0
    before = key(ran)
    assert ran.run("sheet", "runs/mine").code == 0
    assert key(ran) == before


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--pairs", "4", "--sessions", "8"), "say one of --sessions, --pairs and --minutes"),
        (("--design", "pairs", "--sessions", "1"), "--sessions 1: a pair is 2 sessions"),
        (("--minutes", "4", "--minutes-each", "9"), "--minutes 4: one of the sessions takes 9 minutes"),
    ],
)
def test_amounts_that_do_not_fit_are_refused(ran: StudyProject, options: tuple[str, ...], why: str) -> None:
    done = ran.run("sheet", "runs/mine", "--new", *options)
    assert done.code == 2
    assert why in done.err


def test_agree_tests_whether_the_model_may_stand_in_where_three_people_rated(ran: StudyProject) -> None:
    head = "session,rater,item,score"
    rows = [
        f"s{at}{kind},{name},agenda,{(at + shift) % 7}"
        for at in range(20)
        for kind in ("fine", "plain")
        for name, shift in (("ann", 0), ("ben", 0), ("cid", 1))
    ]
    ran.write("three.csv", "\n".join([head, *rows]) + "\n")
    done = ran.run("agree", "runs/mine", "three.csv", "--epsilon", "0.1")
    assert done.code == 0, done.err
    assert "May the model stand in for a person? The alternative-annotator test" in done.out
    assert "at epsilon 0.1" in done.out
    assert "winning_rate" in ran.read("runs/mine/agreement/agreement.csv")
    ran.write("two.csv", "\n".join([head, *(row for row in rows if ",cid," not in row)]) + "\n")
    done = ran.run("agree", "runs/mine", "two.csv")
    assert "Whether a model may stand in for a person is not tested: needs 3 people; there are 2." in done.out
