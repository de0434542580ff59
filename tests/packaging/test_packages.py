"""A run is packaged, and what the package says is derived again; what was changed in it is found and named."""

from __future__ import annotations

import json
import lzma
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.tampered import tampered
from tests.helpers.two_controls import two_controls

REPORT = "{using: html, tables: [csv], figures: [svg]}"
Change = Callable[[bytes], bytes | None]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    """A finished study, its rubric beside it, and its package `duo.zip`."""
    project = StudyProject(tmp_path_factory.mktemp("packaged"))
    shipped = Path(__file__).parents[2] / "rubrics" / "ctrs.yaml"
    project.write("rubrics/own.yaml", shipped.read_text(encoding="utf-8"))
    text = two_controls("duo", personas=3, report=REPORT).replace("rubric: ctrs,", "rubric: ./rubrics/own.yaml,")
    project.write("study.yaml", text)
    assert project.run("study.yaml", "--quiet", "--set", "sessions.max_turns=3").code == 0
    made = project.run("package", "duo", "--author", "Ada Lovelace", "--licence", "CC-BY-4.0")
    assert made.code == 0, made.err
    return project


def verified(project: StudyProject, package: Path) -> tuple[int, str]:
    outcome = project.run("verify", str(package))
    return outcome.code, outcome.out + outcome.err


def test_every_number_of_a_package_is_derived_again_anywhere(packaged: StudyProject, tmp_path: Path) -> None:
    elsewhere = StudyProject(tmp_path)
    (tmp_path / "duo.zip").write_bytes((packaged.folder / "duo.zip").read_bytes())
    code, said = verified(elsewhere, tmp_path / "duo.zip")
    assert code == 0, said
    assert "Verified: what it says comes out of its replies." in said
    assert "files the same, byte for byte" in said
    assert not {one.name for one in tmp_path.iterdir()} - {"duo.zip"}


def test_the_same_run_gives_the_same_package(packaged: StudyProject, tmp_path: Path) -> None:
    again = packaged.run(
        "package", "duo", "--author", "Ada Lovelace", "--licence", "CC-BY-4.0", "--to", str(tmp_path / "duo.zip")
    )
    assert again.code == 0, again.err
    assert (tmp_path / "duo.zip").read_bytes() == (packaged.folder / "duo.zip").read_bytes()


def test_a_package_tells_nothing_of_the_machine(packaged: StudyProject) -> None:
    with zipfile.ZipFile(packaged.folder / "duo.zip") as archive:
        for info in archive.infolist():
            content = archive.read(info)
            content = lzma.decompress(content) if info.filename.endswith(".xz") else content
            assert str(packaged.folder).encode() not in content, info.filename


def test_a_package_is_described_for_machines(packaged: StudyProject) -> None:
    with zipfile.ZipFile(packaged.folder / "duo.zip") as archive:
        crate = json.loads(archive.read("ro-crate-metadata.json"))
        names = {one.filename for one in archive.infolist()}
        citation = archive.read("CITATION.cff").decode()
    entries = {one["@id"]: one for one in crate["@graph"]}
    assert {one for one in names if one.startswith(("run/", "study/"))} <= set(entries)
    assert entries["study/rubrics/own.yaml"]["license"].startswith("Structure after Young & Beck")
    assert entries["./"]["license"] == entries["run/sessions.jsonl"]["license"] == "CC-BY-4.0"
    assert entries["run/sessions.jsonl"]["conditionsOfAccess"] == "No real person speaks in it, as the study says."
    assert "conditionsOfAccess" not in entries["run/results.json"]
    assert "family-names: Lovelace" in citation
    assert {".zenodo.json", "osf.json", "croissant.json", "README.md"} <= names


def _a_score(content: bytes) -> bytes:
    return re.sub(rb'"score":(\d)', lambda found: b'"score":%d' % ((int(found[1]) + 1) % 7), content, count=1)


def _a_reply(content: bytes) -> bytes:
    """A reply in the journal's export, its count and digest made to fit."""
    from hashlib import sha256

    lines = lzma.decompress(content).splitlines(keepends=True)
    at = next(
        place for place, line in enumerate(lines) if b'"role":"therapist"' in line or b'"role": "therapist"' in line
    )
    told = json.loads(lines[at])
    told["text"] = f"{told['text']} And you are cured."
    lines[at] = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    foot = json.loads(lines[-1])
    key = next(name for name, value in foot.items() if isinstance(value, str) and len(value) == 64)
    foot[key] = sha256(b"".join(lines[:-1])).hexdigest()
    lines[-1] = json.dumps(foot, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    return lzma.compress(b"".join(lines))


IN_THE_RUN: dict[str, Change] = {
    "run/ratings/ctrs.jsonl": _a_score,
    "run/results.json": lambda one: re.sub(rb'"estimate": -?\d', b'"estimate": 7', one, count=1),
    "run/tables/comparisons.csv": lambda one: one.replace(b"0.", b"1.", 1),
    "run/figures/contrasts.svg": lambda one: one.replace(b"<path", b"<path ", 1),
    "run/report.html": lambda one: one.replace(b"careful", b"harmful", 1),
    "run/sessions.jsonl": lambda one: one.replace(b"you", b"You", 1),
}


@pytest.mark.slow
def test_what_was_changed_in_a_run_is_found_and_named(packaged: StudyProject, tmp_path: Path) -> None:
    package = tampered(packaged.folder / "duo.zip", tmp_path / "changed.zip", IN_THE_RUN)
    code, said = verified(packaged, package)
    assert code == 3, said
    assert "Not verified" in said
    assert {line.split()[1] for line in said.splitlines() if line.startswith("  DIFFERS")} == set(IN_THE_RUN)
    assert "estimate: 7" in said
    assert re.search(r"line 1, .*/score: \d\.0 in the package, \d\.0 derived", said), said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("study/study.yaml", lambda one: one.replace(b"seed: 3", b"seed: 4")),
        ("study/rubrics/own.yaml", lambda one: one.replace(b"agenda", b"Agenda", 1)),
        ("journal.jsonl.xz", _a_reply),
        ("run/sessions.jsonl", lambda _: None),
    ],
)
def test_a_changed_spec_rubric_or_reply_is_found(
    packaged: StudyProject, tmp_path: Path, name: str, change: Change
) -> None:
    package = tampered(packaged.folder / "duo.zip", tmp_path / "changed.zip", {name: change})
    code, said = verified(packaged, package)
    assert code == 3, said
    assert "Not verified" in said


def test_a_file_that_is_not_as_listed_is_named_before_anything_else(packaged: StudyProject, tmp_path: Path) -> None:
    package = tampered(
        packaged.folder / "duo.zip", tmp_path / "changed.zip", {"CITATION.cff": lambda one: one + b" "}, listed=False
    )
    with_journal = tampered(package, tmp_path / "bare.zip", {"journal.jsonl.xz": lambda _: None}, listed=False)
    code, said = verified(packaged, with_journal)
    assert code == 3
    assert "CHANGED  CITATION.cff: changed since the package was made" in said
    assert "CHANGED  journal.jsonl.xz: listed, and not in the package" in said


PEOPLE = """
cbtrun: 1
study: people
seed: 1
models: {rater: {using: lexical-rater}}
sessions:
  using: import
  path: talk.csv
  columns: {session: session, speaker: speaker, text: text}
  speakers: {therapist: therapist, patient: patient}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
report: {using: html, page: false, tables: [csv], figures: []}
"""
SECRET = "My sister Ottoline drinks"


def test_words_of_real_people_are_not_in_a_package_without_consent(
    study_project: Callable[[dict[str, str]], StudyProject],
) -> None:
    rows = f"session,speaker,text\ns1,therapist,How are you?\ns1,patient,{SECRET}.\n"
    project = study_project({"study.yaml": PEOPLE, "talk.csv": rows})
    assert project.run("study.yaml", "-q").code == 0
    bare = project.run("package", "people")
    assert bare.code == 0, bare.err
    assert "not in it: words of real people" in bare.out
    with_words = project.run("package", "people", "--words-with-consent", "--to", "whole.zip")
    assert with_words.code == 0, with_words.err
    assert SECRET.encode() not in _everything(project.folder / "people.zip")
    assert SECRET.encode() in _everything(project.folder / "whole.zip")
    with zipfile.ZipFile(project.folder / "whole.zip") as archive:
        crate = {one["@id"]: one for one in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}
    assert "They have consented to its publication" in crate["study/talk.csv"]["conditionsOfAccess"]
    assert crate["run/sessions.jsonl"]["license"] == "not stated"
    checked = project.run("verify", "people.zip")
    assert checked.code == 3
    assert "its numbers could not be derived again: words of real people" in checked.out
    project.write("study.yaml", PEOPLE.replace("seed: 1", "seed: 1\ncontains: real-people"))
    assert project.run("study.yaml", "-q").code == 0
    refused = project.run("package", "people", "--to", "third.zip")
    assert refused.code == 2
    assert "words of real people may stand anywhere in it" in refused.err


def _everything(package: Path) -> bytes:
    with zipfile.ZipFile(package) as archive:
        read = ((one.filename, archive.read(one)) for one in archive.infolist())
        return b"".join(lzma.decompress(content) if name.endswith(".xz") else content for name, content in read)


def test_a_study_that_was_changed_since_is_not_packaged(
    study_project: Callable[[dict[str, str]], StudyProject],
) -> None:
    text = two_controls("once")
    project = study_project({"study.yaml": text})
    assert project.run("study.yaml", "-q").code == 0
    project.write("study.yaml", text + "# more\n")
    refused = project.run("package", "once")
    assert refused.code == 2
    assert "was changed since" in refused.err


def _stranger(path: Path, members: dict[str, bytes], **about: object) -> Path:
    told = {"cbtrun_package": 1, "cbtrun": "0.2.0", "study": "x", "spec": "study/s.yaml", **about}
    members = {"package.json": json.dumps(told).encode(), "study/s.yaml": b"cbtrun: 1\n", **members}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("members", "about", "told"),
    [
        ({"../../evil": b"x"}, {}, "leads out of the archive"),
        ({"/etc/evil": b"x"}, {}, "leads out of the archive"),
        ({"run/a\nb": b"x"}, {}, "has a name that no package has"),
        ({"/".join("a" * 30): b"x"}, {}, "has a name that no package has"),
        ({"manifest-sha256.txt": b"nonsense\n"}, {}, "manifest-sha256.txt:1: no digest and name"),
        ({}, {"spec": "../../etc/passwd"}, "its study's file '../../etc/passwd' is not in it"),
        ({}, {"spec": 5}, "package.json is not as cbtrun writes it"),
        ({}, {"cbtrun_package": 99}, "in format 99"),
        ({"package.json": b"["}, {}, "package.json is not as cbtrun writes it"),
        ({"package.json": b"[" * 100_000}, {}, "package.json is not as cbtrun writes it"),
        ({}, {"plugins": ["evil.py"]}, "wants to run Python of its own (evil.py)"),
        ({"journal.jsonl.xz": b"x", "study/s.yaml": b"study: ../../x\n"}, {}, "is no name that a run folder can have"),
    ],
)
def test_a_strangers_package_is_refused_with_the_reason(
    tmp_path: Path, members: dict[str, bytes], about: dict[str, object], told: str
) -> None:
    package = _stranger(tmp_path / "x.zip", {"manifest-sha256.txt": b"", **members}, **about)
    outcome = StudyProject(tmp_path).run("verify", str(package))
    assert outcome.code == 2, outcome.out
    assert told in outcome.err
    assert {one.name for one in tmp_path.iterdir()} == {"x.zip"}


def test_what_is_no_package_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    assert "no package of cbtrun: it has no manifest-sha256.txt" in StudyProject(tmp_path).run("verify", str(path)).err
    path.write_bytes(b"PK nonsense")
    assert "cannot be read as a zip" in StudyProject(tmp_path).run("verify", str(path)).err


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, which it rests on
def test_croissant_is_read_by_its_own_library(packaged: StudyProject, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    with zipfile.ZipFile(packaged.folder / "duo.zip") as archive:
        archive.extractall(tmp_path)
    dataset = mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"))
    told = [row["comparisons/1"] for row in dataset.records("comparisons")]
    lines = (tmp_path / "run/tables/comparisons.csv").read_text(encoding="utf-8-sig").splitlines()
    assert told == [line.partition(",")[0].encode() for line in lines[1:]]
