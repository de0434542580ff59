"""People's ratings: sheets that are drawn for them, files that come back, and how far models agree with them."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.humans.rated_run import rated_run
from cbtrun.humans.sheet import draw_sheet, make_sheet
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import optional_data

KINDS = ("fine-kind", "other-kind")
RUBRIC = """\
name: two
title: Two items
version: "1.0"
source: me
licence: mine
validation: none
total: {low: 0, high: 7}
items:
  - {id: agenda, name: Agenda, asks: Is there one?, high: 6, signals: [{signal: said, points: [[0, 0], [3, 6]]}]}
  - {id: safe, name: Safe, asks: Is it?, type: yes_no, not_applicable: No risk., signals: [{signal: said, points: [[0, 0], [1, 1]]}]}
signals:
  said: {kind: phrases, means: agenda, per: session, any: [agenda]}
"""
STUDY = """\
cbtrun: 1
study: mine
title: t
seed: 3
contains: none
models: {rater: {using: lexical-rater}}
sessions:
  using: import
  path: talks.csv
  columns: {session: id, speaker: who, text: said}
  speakers: {t: therapist, p: patient}
  factors: {kind: kind}
ratings:
  two: {using: rubric, rubric: two.yaml, raters: [rater]}
"""
Project = Callable[[dict[str, str]], StudyProject]


def talks(sessions: int = 8) -> str:
    """A table of sessions: number n says "agenda" n % 4 times; every other one is of kind b."""
    lines = ["id,kind,who,said"]
    for at in range(sessions):
        said = " ".join(["The agenda is long."] * (at % 4)) or "As Qwen, made by Alibaba, I greet you."
        lines += [f"s{at},{KINDS[at % 2]},t,{said}" if "," not in said else f's{at},{KINDS[at % 2]},t,"{said}"']
        lines += [f"s{at},{KINDS[at % 2]},p,Yes I see."]
    return "\n".join(lines) + "\n"


@pytest.fixture
def ran(study_project: Project) -> StudyProject:
    """A finished run of eight sessions."""
    project = study_project({"study.yaml": STUDY, "two.yaml": RUBRIC, "talks.csv": talks()})
    assert project.run().code == 0
    return project


def human_table(*rows: str) -> str:
    """Rows of a long table in our own columns."""
    return "\n".join(["session,rater,item,score", *rows]) + "\n"


def agreeing(shift: dict[str, int]) -> str:
    """People (name -> points added) who rate like the lexical rater on the agenda: two points a mention."""
    rows = [
        f"s{at},{name},agenda,{min(6, max(0, 2 * (at % 4) + points))}"
        for name, points in shift.items()
        for at in range(8)
    ]
    rows += [f"s{at},{name},safe,{int(at % 4 > 0)}" for name in shift for at in range(8)]
    return human_table(*rows)


def found(project: StudyProject) -> dict[str, dict]:
    """Outcome -> what agreement.json says."""
    report = json.loads(project.read("runs/mine/agreement/agreement.json"))
    return {one["outcome"]: one for one in report["outcomes"]}


def test_people_who_score_like_the_model_agree_with_it_perfectly(ran: StudyProject) -> None:
    ran.write("people.csv", agreeing({"ann": 0, "ben": 0}))
    done = ran.run("agree", "runs/mine", "people.csv")
    assert done.code == 0, done.err
    icc, kappa = found(ran)["two.agenda"]["pairwise"]
    assert (icc["human_human"]["value"], icc["model_human"]["value"], kappa["model_human"]["value"]) == (1, 1, 1)


def test_a_severe_person_shows_as_severe(ran: StudyProject) -> None:
    ran.write("people.csv", agreeing({"ann": 0, "severe": -2}))
    assert ran.run("agree", "runs/mine", "people.csv").code == 0
    severity = {one["rater"]: one["deviation"] for one in found(ran)["two.agenda"]["humans"]["severity"]}
    assert severity["severe"] == -1.5  # scores of 0 cannot go lower
    assert severity["ann"] == 1.5


def test_a_wide_table_with_other_names_is_read_by_its_mapping(ran: StudyProject) -> None:
    rows = [f"s{at},ann,{2 * (at % 4)},yes" for at in range(8)] + [f"s{at},ben,{2 * (at % 4)},n/a" for at in range(8)]
    ran.write("people.csv", "\n".join(["who,by,A,S", *rows]).replace("who", "talk") + "\n")
    mapped = ["--column", "session=talk", "--column", "rater=by", "--column", "agenda=A", "--column", "safe=S"]
    done = ran.run("agree", "runs/mine", "people.csv", *mapped)
    assert done.code == 0, done.err
    report = json.loads(ran.read("runs/mine/agreement/agreement.json"))
    assert report["missing"] == {"not applicable": 8}


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["s0,ann,agenda,4", "s99,ann,agenda,4"], "people.csv:3: no session 's99' in the run"),
        (["s0,ann,agenda,7"], "people.csv:2: agenda of session 's0' by 'ann': 7 is off the scale (0 to 6)"),
        (["s0,ann,agenda,good"], "people.csv:2: agenda of session 's0' by 'ann': 'good' is not a number"),
        (["s0,ann,agenda,nan"], "people.csv:2: agenda of session 's0' by 'ann': 'nan' is not a number"),
        (["s0,ann,agneda,4"], "people.csv:2: the rubric has no item 'agneda' (did you mean 'agenda'?)"),
        (
            ["s0,ann,agenda,4", "s0,ann,agenda,5"],
            "people.csv:3: rater 'ann' scores 'agenda' of session 's0' again; first on line 2",
        ),
        (["s0,,agenda,4"], "people.csv:2: no name in column 'rater'"),
        (["s0,ann,agenda"], "people.csv:2: this row does not have the header's 4 columns"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(ran: StudyProject, rows: list[str], problem: str) -> None:
    ran.write("people.csv", human_table(*rows))
    done = ran.run("agree", "runs/mine", "people.csv")
    assert done.code == 2
    assert problem in done.err
    assert "Traceback" not in done.err


def test_a_missing_column_is_named_with_what_the_file_has_and_the_option_to_use(ran: StudyProject) -> None:
    ran.write("people.csv", "session_id,rater,item,score\ns0,ann,agenda,4\n")
    done = ran.run("agree", "runs/mine", "people.csv")
    assert done.code == 2
    assert "no column 'session'; the file has: session_id, rater, item, score" in done.err
    assert "--column session=NAME" in done.err


def test_all_problems_of_a_table_come_at_once(ran: StudyProject) -> None:
    ran.write("people.csv", human_table("s99,ann,agenda,4", "s0,ann,agenda,7", "s1,ann,agenda,x"))
    assert "3 problems" in ran.run("agree", "runs/mine", "people.csv").err


def test_a_person_may_not_bear_the_models_name(ran: StudyProject) -> None:
    ran.write("people.csv", human_table("s0,rater,agenda,4"))
    done = ran.run("agree", "runs/mine", "people.csv")
    assert (done.code, "a person and a model are both called rater" in done.err) == (2, True)


def test_a_changed_rubric_is_not_pooled_with_the_ratings_on_the_old_one(ran: StudyProject) -> None:
    ran.write("two.yaml", RUBRIC.replace("asks: Is there one?", "asks: Is there a good one?"))
    ran.write("people.csv", agreeing({"ann": 0}))
    done = ran.run("agree", "runs/mine", "people.csv")
    assert done.code == 2
    assert "has changed since ratings.two were made" in done.err


def sample(count: int) -> list[Session]:
    """Sessions of two arms, one of them rare."""
    turns = (Turn(speaker="therapist", text="Hello."),)
    arms = ["rare" if at % 10 == 0 else "common" for at in range(count)]
    return [Session(id=f"s{at}", arm=arm, draw=str(at), turns=turns, ended="x") for at, arm in enumerate(arms)]


def test_a_sheet_is_drawn_evenly_over_arms() -> None:
    drawn = draw_sheet(sample(100), 12, (), "a secret").drawn
    assert Counter(one.session.arm for one in drawn) == {"rare": 6, "common": 6}


def test_a_draw_follows_from_its_secret_alone() -> None:
    first, again, other = (draw_sheet(sample(100), 12, (), secret) for secret in ("one", "one", "two"))
    assert first == again
    assert first.id != other.id
    assert {one.session.id for one in first.drawn} != {one.session.id for one in other.drawn}


def test_raters_who_know_the_study_and_its_sessions_guess_no_more_arms_than_by_chance(ran: StudyProject) -> None:
    with chdir(ran.folder):
        run = rated_run(Path("runs/mine"), None)
        sheets = [make_sheet(run, 8, (), new=True) for _ in range(40)]
    keys = [tuple(one.session.id for one in sheet.drawn) for sheet in sheets]
    assert len(set(keys)) > 30  # of 40,320 orders
    first = Counter(int(key[0][1:]) % 2 for key in keys)
    assert 5 < first[0] < 35


def test_a_sheet_made_again_goes_on_with_its_codes_and_draws_more_behind_them(ran: StudyProject) -> None:
    ran.run("sheet", "runs/mine", "--sessions", "4")
    first = key_of(ran)
    page = ran.read("runs/mine/sheets/sheet.html")
    assert ran.run("sheet", "runs/mine", "--sessions", "4").code == 0
    assert (key_of(ran), ran.read("runs/mine/sheets/sheet.html")) == (first, page)
    assert ran.run("sheet", "runs/mine", "--sessions", "8").code == 0
    more = key_of(ran)
    assert {code: more[code] for code in first} == first
    assert sorted(more.values()) == [f"s{at}" for at in range(8)]


def test_a_new_sheet_keeps_the_old_key_under_another_name(ran: StudyProject) -> None:
    ran.run("sheet", "runs/mine", "--sessions", "8")
    old = ran.read("runs/mine/sheet-key.csv")
    assert ran.run("sheet", "runs/mine", "--sessions", "8", "--new").code == 0
    kept = list((ran.folder / "runs/mine").glob("sheet-key-*.csv"))
    assert [path.read_text() for path in kept] == [old]
    assert ran.read("runs/mine/sheet-key.csv") != old


def test_several_raters_get_the_same_sessions_each_in_an_order_of_their_own(ran: StudyProject) -> None:
    assert ran.run("sheet", "runs/mine", "--sessions", "8", "--raters", "3").code == 0
    orders = []
    for number in (1, 2, 3):
        rows = csv.DictReader(ran.read(f"runs/mine/sheets/sheet-{number}.csv").splitlines())
        orders.append(list(dict.fromkeys(row["session"] for row in rows)))
        places = [ran.read(f"runs/mine/sheets/sheet-{number}.html").index(f'"code": "{code}"') for code in orders[-1]]
        assert places == sorted(places)
    assert len({tuple(order) for order in orders}) > 1
    assert {frozenset(order) for order in orders} == {frozenset(key_of(ran))}


def test_a_key_of_an_earlier_version_is_read_and_its_weakness_told(ran: StudyProject) -> None:
    rows = "".join(f"687c8df2,S0{at + 1},s{7 - at},,all\n" for at in range(8))
    ran.write("runs/mine/sheet-key.csv", f"sheet,code,session,arm,stratum\n{rows}")
    done = ran.run("sheet", "runs/mine", "--sessions", "8")
    assert "drawn from the study's seed by an earlier version" in done.out
    assert key_of(ran) == {f"S0{at + 1}": f"s{7 - at}" for at in range(8)}
    assert "by an earlier version" in ran.run("sheet", "runs/mine", "--sessions", "8").out
    assert "by an earlier version" not in ran.run("sheet", "runs/mine", "--sessions", "8", "--new").out
    ran.write("filled.csv", "session,rater,item,score\nS01,ann,agenda,1\n")
    assert ran.run("agree", "runs/mine", "filled.csv").code == 0


def key_of(project: StudyProject) -> dict[str, str]:
    """Code -> session of the key file."""
    return {row["code"]: row["session"] for row in csv.DictReader(project.read("runs/mine/sheet-key.csv").splitlines())}


def test_codes_of_a_sheet_do_not_follow_the_order_of_sessions_or_arms() -> None:
    arms = [one.session.arm for one in draw_sheet(sample(100), 20, (), "a secret").drawn]
    assert arms not in (sorted(arms), sorted(arms, reverse=True))  # type: ignore[type-var]


def test_the_sheet_shows_no_session_id_arm_level_or_model_and_the_key_stands_apart(ran: StudyProject) -> None:
    assert ran.run("sheet", "runs/mine", "--sessions", "8").code == 0
    page = ran.read("runs/mine/sheets/sheet.html")
    assert "Qwen" not in page
    assert "[masked]" in page
    assert not any(name in page for name in KINDS)
    assert not any(f">s{at}<" in page or f'"s{at}"' in page for at in range(8))
    assert sorted(path.name for path in (ran.folder / "runs/mine/sheets").iterdir()) == ["sheet.csv", "sheet.html"]
    key = list(csv.DictReader(ran.read("runs/mine/sheet-key.csv").splitlines()))
    assert {row["session"] for row in key} == {f"s{at}" for at in range(8)}


def test_the_sheets_page_needs_nothing_from_elsewhere(ran: StudyProject) -> None:
    ran.run("sheet", "runs/mine", "--sessions", "2")
    page = ran.read("runs/mine/sheets/sheet.html")
    assert not any(sign in page for sign in ("http:", "https:", "src=", "@import", "url("))
    assert "default-src &#39;none&#39;" in page


def test_a_filled_table_of_the_sheet_is_read_back_by_its_codes(ran: StudyProject) -> None:
    ran.run("sheet", "runs/mine", "--sessions", "8")
    rows = list(csv.DictReader(ran.read("runs/mine/sheets/sheet.csv").splitlines()))
    lines = [f"{row['sheet']},{row['session']},ann,{row['item']},1,fine" for row in rows]
    ran.write("filled.csv", "\n".join(["sheet,session,rater,item,score,comment", *lines]) + "\n")
    done = ran.run("agree", "runs/mine", "filled.csv")
    assert done.code == 0, done.err
    assert "8 sessions, 1 person" in done.out


def test_an_unknown_stratum_is_refused(ran: StudyProject) -> None:
    done = ran.run("sheet", "runs/mine", "--by", "tuning")
    assert (done.code, "--by tuning: no session has it; known: arm, kind" in done.err) == (2, True)


@pytest.mark.slow
def test_people_of_the_real_ratings_hardly_agree_and_differ_in_severity(study_project: Project) -> None:
    study = f"""\
cbtrun: 1
study: real
title: t
seed: 3
models: {{rater: {{using: lexical-rater}}}}
sessions:
  using: import
  path: {optional_data("human_ratings_dev_sessions.jsonl")}
  columns: {{session: session_id, messages: messages}}
  speakers: {{assistant: therapist, user: patient}}
ratings:
  mind: {{using: rubric, rubric: mindeval, raters: [rater]}}
"""
    project = study_project({"study.yaml": study})
    assert project.run().code == 0
    mapped = ["--column", "session=session_id", "--column", "rater=rater_id", "--column", "item=criterion"]
    done = project.run(
        "agree", "runs/real", str(optional_data("human_ratings_dev.csv")), *mapped, "--not-applicable", "0"
    )
    assert done.code == 0, done.err
    report = json.loads(project.read("runs/real/agreement/agreement.json"))
    items = [one for one in report["outcomes"] if one["kind"] == "item"]
    iccs = [
        coefficient["value"]
        for one in items
        for coefficient in one["humans"]["coefficients"]
        if coefficient["name"] == "icc_2_1"
    ]
    assert len(iccs) == 10
    assert max(iccs) < 0.16
    spread = [
        max(who["mean"] for who in one["humans"]["severity"]) - min(who["mean"] for who in one["humans"]["severity"])
        for one in items
    ]
    assert max(spread) > 2


def totals(*names: str) -> str:
    """Semicolons, as Excel writes in most of Europe: each person's total, as the lexical rater comes to it."""
    rows = [f"s{at};{name};{2 * (at % 4) + int(at % 4 > 0)}" for name in names for at in range(8)]
    return "\n".join(["session;coder;total", *rows]) + "\n"


def test_people_who_gave_totals_alone_are_compared_on_the_total(ran: StudyProject) -> None:
    ran.write("people.csv", totals("ann", "ben"))
    done = ran.run("agree", "runs/mine", "people.csv", "--column", "rater=coder")
    assert done.code == 0, done.err
    assert list(found(ran)) == ["two.total"]
    assert found(ran)["two.total"]["pairwise"][0]["model_human"]["value"] == 1
    assert json.loads(ran.read("runs/mine/agreement/agreement.json"))["missing"] == {}


def test_a_file_of_one_person_needs_no_column_of_raters(ran: StudyProject) -> None:
    ran.write("ann.csv", "\n".join(["session,agenda", *(f"s{at},{2 * (at % 4)}" for at in range(8))]) + "\n")
    done = ran.run("agree", "runs/mine", "ann.csv")
    assert done.code == 0, done.err
    assert json.loads(ran.read("runs/mine/agreement/agreement.json"))["humans"] == ["ann"]


def test_ratings_are_read_from_nested_json_and_from_a_sheet_of_a_workbook(ran: StudyProject) -> None:
    nested = [{"name": "Ada", "rated": [{"session": f"s{at}", "total": at % 3} for at in range(8)]}]
    ran.write("r.json", json.dumps({"people": nested}))
    outcome = ran.run("agree", "runs/mine", "r.json", "--records", "people[].rated[]", "--column", "rater=name")
    assert (outcome.code, "8 sessions, 1 person" in outcome.out) == (0, True)
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.create_sheet("scores").append(("session", "rater", "total"))
    for at in range(8):
        book["scores"].append((f"s{at}", 0, at % 3 if at else None))
    book.active.append(("notes",))
    book.save(ran.folder / "r.xlsx")
    outcome = ran.run("agree", "runs/mine", "r.xlsx", "--sheet", "scores")
    assert (outcome.code, "7 sessions, 1 person" in outcome.out) == (0, True)
    assert "has several sheets: Sheet, scores; say which" in ran.run("agree", "runs/mine", "r.xlsx").err


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (totals("ann"), "no column 'rater'; the file has: session, coder, total. Say which it is: --column rater=NAME"),
        ("session,total\ns0,8\n", "people.csv:2: total of session 's0' by 'people': 8 is off the scale (0 to 7)"),
        ("session,total\ns0,3\ns0,3\n", "rater 'people' scores 'total' of session 's0' again; first on line 2"),
        ("session,agenda,safe,total\ns1,2,1,5\n", "a total of 5, but the items come to 3"),
    ],
)
def test_totals_that_cannot_be_right_are_refused(ran: StudyProject, table: str, problem: str) -> None:
    ran.write("people.csv", table)
    done = ran.run("agree", "runs/mine", "people.csv")
    assert done.code == 2
    assert problem in done.err


def test_totals_and_items_bear_the_studys_labels_and_the_ends_of_their_scales(study_project: Project) -> None:
    labelled = STUDY + "    item_labels: {total: Sum of both, agenda: Plan of the hour}\n"
    project = study_project({"study.yaml": labelled.replace("raters: [rater]}\n    item", "raters: [rater], item").replace("hour}", "hour}}"), "two.yaml": RUBRIC, "talks.csv": talks()})  # fmt: skip
    assert project.run().code == 0
    project.write("people.csv", agreeing({"ann": 0, "ben": 0}))
    done = project.run("agree", "runs/mine", "people.csv")
    assert done.code == 0, done.err
    assert "total: Sum of both (of 7)" in done.out
    assert "agenda: Plan of the hour (of 6)" in done.out
    assert "- Sum of both (of 7): " in project.read("runs/mine/agreement/agreement.md")
