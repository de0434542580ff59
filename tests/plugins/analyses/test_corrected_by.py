"""`corrected_by: people.NAME`: a run, a sheet, people's files, and the study run again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.corrected_study import CORRECTED, PEOPLE, exports, files, talks


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    """A run that people rated 12 pairs of, its study corrected by them."""
    project = StudyProject(tmp_path_factory.mktemp("rated"))
    for name, text in files().items():
        project.write(name, text)
    assert project.run().code == 0
    assert project.run("sheet", "runs/mine", "--pairs", "12", "--raters", "2").code == 0
    for name, text in exports(project.read("runs/mine/sheet-key.csv"), talks()[1]).items():
        project.write(name, text)
    return project


def corrected(project: StudyProject, study: str = CORRECTED) -> dict[str, Any]:
    """The declared comparison of the study, run again."""
    project.write("study.yaml", study)
    done = project.run()
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(project.read("runs/mine/results.json"))["comparisons"][0]
    return found


def test_the_sentence_speaks_of_the_corrected_difference_and_names_the_judges(rated: StudyProject) -> None:
    one = corrected(rated)
    told = one["corrected"]
    assert told["withheld"] == ""
    assert (told["personas"], told["personas_in_all"], told["sessions"], told["raters"]) == (12, 40, 24, 2)
    assert one["estimate"] == told["corrected"]["value"]
    assert told["judge"]["value"] - one["estimate"] > 0.5  # he adds a point to one kind
    assert one["interval"]["low"] < 0.7 < one["interval"]["high"]  # what is true
    assert "corrected by what people gave 12 of 40 personas (people.ours): `fine` scored" in one["sentence"]
    assert "the judge favours `fine` by" in one["sentence"]
    assert one["tests"][0]["name"] == "corrected-t"
    assert one["tests"][0]["df"] == 10
    assert len(told["bias_by_level"]) == 2


def test_a_mixed_model_is_corrected_pair_by_pair(rated: StudyProject) -> None:
    of_pairs = corrected(rated)
    of_mixed = corrected(rated, CORRECTED.replace("using: paired", "using: mixed"))
    assert of_mixed["estimate"] == pytest.approx(of_pairs["estimate"])


@pytest.mark.parametrize(
    ("people", "why"),
    [
        ("{}", "people have given nothing yet"),
        ("{file: everything.csv}", "the drawing chances are unknown: the block names no key"),
        ("{file: ratings-ann.csv, key: old-key.csv}", "the key, of an earlier version, has none"),
        ("{file: everything.csv, key: grown.csv}", "the sheet was drawn from 30 personas in all, and the run has 40"),
        ("{file: few.csv, key: few-key.csv}", "4 labelled personas are too few"),
        ("{file: open.csv, key: runs/mine/sheet-key.csv}", "people left 9 of 24 drawn sessions open on agenda"),
        ("{file: [ratings-ann.csv, odd.csv], key: runs/mine/sheet-key.csv}", "people disagree among themselves"),
        ("{file: low.csv, key: low-key.csv}", "judge scores leave the labelled range"),
    ],
)
def test_what_cannot_be_corrected_is_the_judges_alone_with_the_reason(
    rated: StudyProject, people: str, why: str
) -> None:
    _write_odd_files(rated)
    study = CORRECTED.replace(PEOPLE.partition("ours: ")[2].strip(), people)
    one = corrected(rated, study)
    assert why in one["corrected"]["withheld"]
    assert "by the judge alone, not corrected by people.ours (" in one["sentence"]
    assert one["estimate"] == one["corrected"]["judge"]["value"]
    assert one["tests"][0]["name"] == "t"


def _write_odd_files(project: StudyProject) -> None:
    """Files and keys that correct nothing."""
    key = project.read("runs/mine/sheet-key.csv")
    head, *rows = key.splitlines()
    names = head.split(",")
    ann = project.read("ratings-ann.csv").splitlines()
    given = talks()[1]["ann"]
    whole = ["session,rater,item,score", *(f"{session},ann,agenda,{points}" for session, points in given.items())]
    project.write("everything.csv", "\n".join(whole[:-4]) + "\n")
    old = [",".join(row.split(",")[:5]) for row in [head, *rows]]
    project.write("old-key.csv", "\n".join(old) + "\n")
    at = names.index("units")
    grown = [",".join([*row.split(",")[:at], "30", *row.split(",")[at + 1 :]]) for row in rows]
    project.write("grown.csv", "\n".join([head, *grown]) + "\n")
    for name, kept in (("few", list(given)[:8]), ("low", _lowest(given))):
        project.write(f"{name}-key.csv", "\n".join(["session,chance", *(f"{one},0.3" for one in kept)]) + "\n")
        project.write(f"{name}.csv", "\n".join([whole[0], *(f"{one},ann,agenda,{given[one]}" for one in kept)]) + "\n")
    codes = {f"S{at:02}" for at in range(1, 10)}
    project.write("open.csv", "\n".join(line for line in ann if line.split(",")[1] not in codes) + "\n")
    odd = [line.replace(",ann,", ",odd,") for line in ann]
    turned = [f"{line[:-1]}{6 - int(line[-1])}" if ",agenda," in line else line for line in odd]
    project.write("odd.csv", "\n".join(turned) + "\n")


def _lowest(given: dict[str, int]) -> list[str]:
    """Both sessions of the twelve personas with the lowest scores: nobody drew them at random."""
    personas = sorted({one.removesuffix("fine").removesuffix("plain") for one in given})
    lowest = sorted(personas, key=lambda one: given[f"{one}fine"] + given[f"{one}plain"])[:12]
    return [f"{one}{kind}" for one in lowest for kind in ("fine", "plain")]


def test_people_who_rated_every_session_need_no_key(rated: StudyProject) -> None:
    given = talks()[1]["ann"]
    rows = [f"{session},ann,agenda,{points}" for session, points in given.items()]
    rated.write("all.csv", "\n".join(["session,rater,item,score", *rows]) + "\n")
    study = CORRECTED.replace(PEOPLE.partition("ours: ")[2].strip(), "{file: all.csv}")
    one = corrected(rated, study)
    told = one["corrected"]
    assert told["withheld"] == ""
    assert told["corrected"]["value"] == pytest.approx(told["people"]["value"])


@pytest.mark.parametrize(
    ("study", "problem"),
    [
        (CORRECTED.replace("people.ours", "people.our"), "no 'our' under `people` (did you mean 'ours'?)"),
        (CORRECTED.replace("people.ours", "ours"), "expected people.NAME, got the word 'ours'; the study has: ours"),
        (CORRECTED.replace("corrected_by", "by: kind, corrected_by"), "`by` does not go with `corrected_by`"),
        (CORRECTED.replace("ratings-ann.csv", "gone.csv"), "no such file: 'gone.csv'"),
        (CORRECTED.replace("ratings-ann.csv", "bad.csv"), "bad.csv:2: agenda of session"),
        (CORRECTED.replace("runs/mine/sheet-key.csv", "bad.csv"), "bad.csv:1: not the key of a sheet"),
    ],
)
def test_a_broken_source_is_told_before_anything_runs(rated: StudyProject, study: str, problem: str) -> None:
    rated.write("bad.csv", "session,rater,item,score\nS01,ann,agenda,9\n")
    rated.write("study.yaml", study)
    done = rated.run("validate", "study.yaml")
    assert done.code == 2
    assert problem in done.err


def test_a_plan_says_what_people_bring(rated: StudyProject) -> None:
    rated.write("study.yaml", CORRECTED)
    done = rated.run("plan", "study.yaml")
    assert "people.ours: 48 ratings of 24 sessions by 2 people; drawn as pairs, chances from the key" in done.out


def test_a_study_without_people_writes_no_word_of_them(rated: StudyProject) -> None:
    one = corrected(rated, files()["study.yaml"])
    assert "corrected" not in one
