"""What a bad disk or a stranger left in a run folder: exit 2 with the file, whichever command reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS

RUN = "runs/s"
AGAIN = ("study.yaml", "--take-over")
LOCK = f"{RUN}/study.lock.yaml"
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    project = StudyProject(tmp_path_factory.mktemp("finished"))
    project.write("study.yaml", STUDY)
    project.write("t.csv", TRANSCRIPTS)
    assert project.run().code == 0
    return project.folder


@pytest.fixture
def ran(finished: Path, tmp_path: Path) -> StudyProject:
    """A copy of it."""
    return StudyProject(Path(shutil.copytree(finished, tmp_path / "copy")))


def bomb() -> str:
    """A kilobyte of aliases that stand for a billion values."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join([*lines, "resolved: {study: s, models: *j}", ""])


LOCKS = {
    "empty": "",
    "a list": "- a",
    "a word": "hello",
    "no YAML": "a: [",
    "a tag": "!!python/object/apply:os.system ['touch PWNED']",
    "an alias bomb": bomb(),
    "deep": f"a: {'[' * 5000}{']' * 5000}",
    "a number of 5,000 digits": f"seed: {'9' * 5000}",
    "a date": "resolved: {study: 2026-11-28}\nspec: {file: x, sources: {}}",
    "no spec": "resolved: {study: s}",
    "resolved is nothing": "resolved:\nspec: {file: x, sources: {}}",
    "a control character": "a: \x16",
}


@pytest.mark.parametrize("content", LOCKS.values(), ids=LOCKS)
@pytest.mark.parametrize("command", [("status", RUN), ("report", RUN), ("sheet", RUN), AGAIN], ids=" ".join)
def test_a_lock_file_that_is_none_is_told_by_its_name(
    ran: StudyProject, command: tuple[str, ...], content: str
) -> None:
    ran.write(LOCK, content)
    done = ran.run(*command)
    if command == AGAIN and content == LOCKS["no spec"]:
        assert done.code == 0  # of an earlier version, or by hand: the run writes it anew
    elif command == ("status", RUN) and content == LOCKS["no spec"]:
        assert done.code == 0
    else:
        assert (done.code, "study.lock.yaml" in done.err) == (2, True), done
    assert not (ran.folder / "PWNED").exists()


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("report", "using"), [1], "report"),
        (("seed",), "x", "seed: expected a whole number"),
        (("study",), "../../x", "study"),
        (("ratings",), {"../../../etc/passwd": {"using": "rubric"}}, "ratings"),
        (("sessions",), None, "sessions"),
    ],
)
def test_a_kept_study_with_values_that_no_study_has_is_refused(
    ran: StudyProject, path: tuple[str, ...], value: object, told: str
) -> None:
    lock = yaml.safe_load(ran.read(LOCK))
    holder = lock["resolved"] = {**lock["resolved"], "report": {"using": "html"}}
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    ran.write(LOCK, yaml.safe_dump(lock))
    done = ran.run("report", RUN)
    assert (done.code, told in done.err, "study.lock.yaml" in done.err) == (2, True, True), done.err


def test_a_kept_study_with_a_key_of_another_version_is_read_all_the_same(ran: StudyProject) -> None:
    lock = yaml.safe_load(ran.read(LOCK))
    lock["resolved"]["models"]["rater"]["of_another_version"] = 1
    ran.write(LOCK, yaml.safe_dump(lock))
    assert ran.run("sheet", RUN).code == 0


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def noise(path: Path) -> None:
    path.write_bytes(bytes(range(128, 256)) * 4)


def null_line(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"null\n")


def deep(path: Path) -> None:
    path.write_text("[" * 200_000 + "]" * 200_000 + "\n")


def half_a_character(path: Path) -> None:
    path.write_bytes(
        path.read_bytes().replace(b'"id":"', b'"id":"\\ud800', 1).replace(b'"rater":"', b'"rater":"\\ud800', 1)
    )


DAMAGES: tuple[Damage, ...] = (cut, noise, null_line, deep, half_a_character)


@pytest.mark.parametrize("damage", DAMAGES)
def test_sessions_that_are_none_are_told_with_their_line(ran: StudyProject, damage: Damage) -> None:
    damage(ran.folder / RUN / "sessions.jsonl")
    for command in (("sheet", RUN), ("compare", RUN, RUN), ("forget", RUN, "a")):
        done = ran.run(*command)
        assert (done.code, "sessions.jsonl:" in done.err + done.out) == (2, True), done


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_makes_damaged_records_again(ran: StudyProject, damage: Damage) -> None:
    before = {name: ran.read(f"{RUN}/{name}") for name in ("sessions.jsonl", "ratings/ctrs.jsonl", "results.json")}
    for name in ("sessions.jsonl", "ratings/ctrs.jsonl"):
        damage(ran.folder / RUN / name)
    done = ran.run(*AGAIN)
    assert (done.code, "Nothing to do" in done.out) == (0, False), done
    assert "sessions: what it had written was changed since; it was made again" in done.err
    assert {name: ran.read(f"{RUN}/{name}") for name in before} == before


@pytest.mark.parametrize("content", ["", "{}", "[]", "[" * 200_000, '{"format": ' + "9" * 5000 + "}", "\x00\x01"])
def test_results_that_are_none_are_told_and_made_again(ran: StudyProject, content: str) -> None:
    sound = ran.read(f"{RUN}/results.json")
    ran.write(f"{RUN}/results.json", content)
    for command in (("compare", RUN, RUN), ("view", RUN)):
        done = ran.run(*command)
        assert (done.code, "results.json" in done.err) == (2, True), done
    done = ran.run(*AGAIN)
    assert (done.code, "Nothing to do" in done.out) == (0, False)
    assert "results: what it had written was changed since; it was made again" in done.err
    assert ran.read(f"{RUN}/results.json") == sound


def test_a_result_that_was_edited_is_noticed(ran: StudyProject) -> None:
    sound = ran.read(f"{RUN}/results.json")
    ran.write(f"{RUN}/results.json", sound.replace('"estimate": 2', '"estimate": 9', 1))
    assert ran.read(f"{RUN}/results.json") != sound
    assert "results: what it had written was changed since; it was made again" in ran.run(*AGAIN).err
    assert ran.read(f"{RUN}/results.json") == sound
    assert "Nothing to do" in ran.run(*AGAIN).out


@pytest.mark.parametrize(
    "name", ["forgotten.jsonl", "failures.jsonl", "registration.json", "promise.json", "report.files"]
)
def test_other_files_that_are_not_as_written_are_told(ran: StudyProject, name: str) -> None:
    (ran.folder / RUN / name).write_bytes(b"\xff{")
    for command in (("report", RUN), ("forget", RUN, "a"), ("sheet", RUN)):
        done = ran.run(*command)
        assert done.code in (0, 2), done
        assert "Traceback" not in done.err
        assert done.code == 0 or name in done.err or "report" in done.err, done


def test_a_record_of_a_gigabyte_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cbtrun.contract.records import Session
    from cbtrun.errors import StageError
    from cbtrun.files.record_list import RecordList
    from cbtrun.files.run_folder import read_records

    monkeypatch.setattr("cbtrun.files.record_list.LONGEST_LINE", 100)
    path = tmp_path / "sessions.jsonl"
    path.write_bytes(b'{"id": "' + b"x" * 200)
    for read in (RecordList.read, read_records):
        with pytest.raises(StageError, match=r"sessions\.jsonl:1: a line of over"):
            read(path, Session)
