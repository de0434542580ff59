"""What raters entered comes back as tables, goes through `cbtrun agree`, and can be forgotten."""

from __future__ import annotations

import csv
import json
import re
from contextlib import chdir
from typing import Any

import pytest

from cbtrun.humans.entries import read_entries
from cbtrun.humans.rate_server import open_desks
from cbtrun.testing.projects import StudyProject
from tests.helpers.rated_study import drawn, task


def rate_all(project: StudyProject, codes: dict[str, int], consent: bool = True) -> None:
    """Raters who give the agenda what the model gives it and so many points more, at most 6; and choices of `a`."""
    run, sheet, settings = drawn(project, preferences=4)
    with chdir(project.folder):
        from cbtrun.humans.sheet import keep_keys

        keep_keys(sheet, run, settings)
        for desk in open_desks(run, sheet, settings, [*codes]):
            points = {
                one.code: min(6, 2 * (int(one.session.id[1:]) % 4) + codes[desk.task.rater]) for one in sheet.drawn
            }
            changes = [{"place": f"score/{code}/agenda", "value": str(value)} for code, value in points.items()]
            changes += [{"place": f"score/{code}/safe", "value": "1"} for code in points]
            changes += [{"place": f"choice/{pair.code}", "value": "a"} for pair in settings.pairs]
            changes += [{"place": "quotes/S01/agenda", "value": [{"turn": 2, "text": "I see."}]}]
            changes += [{"place": "comment/S01/agenda", "value": "=1+1"}, {"place": "seconds/S01", "value": 61.4}]
            desk.take([*changes, *([{"place": "consent", "value": "yes"}] if consent else [])])


def test_what_is_exported_goes_through_agree_as_it_is(ran: StudyProject) -> None:
    rate_all(ran, {"ada": 0, "ben": 1})
    done = ran.run("rate", "runs/mine", "--export", "--preferences", "4")
    assert done.code == 0, done.err
    assert "ada: 16 of 16 items scored" in done.out
    assert re.search(r"preferred: fine-kind \d, other-kind \d, no difference 0 \(of 8 choices\)", done.out)
    rows = list(csv.DictReader(ran.read("runs/mine/rated/ratings.csv").splitlines()))
    assert {row["session"] for row in rows} == {f"s{at}" for at in range(8)}
    (marked,) = [row for row in rows if row["rater"] == "ada" and row["evidence"]]
    assert json.loads(marked["evidence"]) == [{"turn": 2, "text": "I see."}]
    assert (marked["comment"], marked["seconds"], marked["code"]) == ("'=1+1", "61", "S01")
    done = ran.run("agree", "runs/mine", "runs/mine/rated/ratings.csv")
    assert done.code == 0, done.err
    assert "8 sessions, 2 people" in done.out
    report = json.loads(ran.read("runs/mine/agreement/agreement.json"))
    severity = {one["rater"]: one["mean"] for one in report["outcomes"][1]["humans"]["severity"]}
    assert severity["ada"] < severity["ben"]
    raters = list(csv.DictReader(ran.read("runs/mine/rated/raters.csv").splitlines()))
    assert [(row["rater"], row["items_scored"], bool(row["consent_at"])) for row in raters] == [
        ("ada", "16", True),
        ("ben", "16", True),
    ]
    key = {row["code"]: row for row in csv.DictReader(ran.read("runs/mine/preference-key.csv").splitlines())}
    for row in csv.DictReader(ran.read("runs/mine/rated/preferences.csv").splitlines()):
        assert (row["preferred_session"], row["preferred_arm"]) == (
            key[row["pair"]]["session_a"],
            key[row["pair"]]["arm_a"],
        )


ANALYSIS = """
people: {ours: {file: [runs/mine/rated/ratings.csv], key: runs/mine/sheet-key.csv, ratings: two}}
analysis: {main: {using: paired, outcome: two.total, factor: kind, levels: [fine-kind, other-kind], corrected_by: people.ours}}
"""


def test_what_is_exported_goes_into_an_analysis_as_it_is(ran: StudyProject) -> None:
    rate_all(ran, {"ada": 0, "ben": 1})
    assert ran.run("rate", "runs/mine", "--export", "--preferences", "4").code == 0
    ran.write("study.yaml", ran.read("study.yaml") + ANALYSIS)
    done = ran.run("study.yaml", "--take-over")  # the fixture's run is a copy
    assert done.code == 0, done.err
    (told,) = [
        one for one in json.loads(ran.read("runs/mine/results.json"))["comparisons"] if one["outcome"] == "two.total"
    ]
    corrected = told["corrected"]
    assert (corrected["raters"], corrected["sessions"], corrected["personas"]) == (2, 8, 4)
    assert corrected["withheld"] == "4 labelled personas are too few: intervals hold their level from 8 on"


def test_who_did_not_agree_to_the_consent_text_is_left_out(ran: StudyProject) -> None:
    rate_all(ran, {"ada": 0})
    rate_all(ran, {"ben": 0}, consent=False)
    done = ran.run("rate", "runs/mine", "--export")
    assert "ben: left out, has not agreed to the consent text" in done.out
    assert "ben" not in ran.read("runs/mine/rated/ratings.csv")


def record_of(project: StudyProject, **changes: Any) -> str:
    """A record as a page that is a file saves it."""
    asked = task(project)
    entries = {"consent": "t", "score/S01/agenda": "3", "seconds/S01": 30}
    told = {
        "cbtrun-rating": 1,
        "sheet": asked.sheet,
        "rater": "dee",
        "order": list(asked.order),
        "left": {},
        "entries": entries,
    }
    return json.dumps({**told, **changes})


def test_the_record_of_a_page_that_was_a_file_is_taken_beside_the_others(ran: StudyProject) -> None:
    assert ran.run("sheet", "runs/mine", "--sessions", "8").code == 0
    ran.write("record.json", record_of(ran))
    done = ran.run("rate", "runs/mine", "--take", "record.json", "--export")
    assert done.code == 0, done.err
    assert "took 3 entries of dee" in done.out
    assert "dee: 1 of 16 items scored" in done.out
    assert "'dee' has entries already" in ran.run("rate", "runs/mine", "--take", "record.json").err


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sheet": "00000000"}, "belongs to another sheet"),
        ({"rater": "../../x"}, "is no code of a rater"),
        ({"entries": {"score/S01/agenda": "9"}}, "cannot have saved"),
        ({"entries": 3}, "not a record"),
        ({"cbtrun-rating": 2}, "not a record"),
    ],
)
def test_a_record_that_no_page_saved_is_refused(ran: StudyProject, changes: dict[str, Any], told: str) -> None:
    assert ran.run("sheet", "runs/mine", "--sessions", "8").code == 0
    ran.write("record.json", record_of(ran, **changes))
    done = ran.run("rate", "runs/mine", "--take", "record.json")
    assert (done.code, told in done.err) == (2, True), done.err


def test_a_new_sheet_does_not_mix_with_entries_on_the_old_one(ran: StudyProject) -> None:
    rate_all(ran, {"ada": 0})
    assert ran.run("sheet", "runs/mine", "--sessions", "8", "--new").code == 0
    assert "nobody has rated this sheet yet" in ran.run("rate", "runs/mine", "--export").err


def test_forgetting_a_person_takes_their_words_out_of_what_raters_marked(ran: StudyProject) -> None:
    rate_all(ran, {"ada": 0})
    assert ran.run("rate", "runs/mine", "--export").code == 0
    (path,) = ran.folder.glob("runs/mine/rated/*/ada.jsonl")
    key = {row["code"]: row["session"] for row in csv.DictReader(ran.read("runs/mine/sheet-key.csv").splitlines())}
    before = read_entries(path)
    assert ran.run("forget", "runs/mine", key["S01"]).code == 0
    after = read_entries(path)
    assert {*before.values} - {*after.values} == {"quotes/S01/agenda", "comment/S01/agenda"}
    assert not (ran.folder / "runs/mine/rated/ratings.csv").exists()
