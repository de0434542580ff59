"""Whatever is changed in a package is found and named, its list of digests made to fit: at random, from fixed seeds."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.packaging import verify as verifying
from cbtrun.packaging.derived import Derived
from cbtrun.packaging.verify import Verified, told, verify_package
from cbtrun.testing.projects import StudyProject
from tests.helpers.tampered import tampered
from tests.helpers.two_controls import two_controls

Mutation = Callable[[bytes, random.Random], bytes]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    """A finished study and its package `small.zip`."""
    project = StudyProject(tmp_path_factory.mktemp("changed"))
    text = two_controls("small", turns=2, report="{using: html, tables: [csv], figures: [svg]}")
    project.write("study.yaml", text.replace("max_turns", "repeats: 1, max_turns"))
    assert project.run("study.yaml", "-q").code == 0
    assert project.run("package", "small", "--author", "Ada Lovelace").code == 0
    return project


@pytest.fixture
def files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards and digests of code take longer than a hundred files: they have tests of their own."""
    monkeypatch.setattr(verifying, "other_cards", lambda *_: ())
    monkeypatch.setattr(verifying, "other_code", lambda *_: [])


@pytest.fixture
def derived_once(packaged: StudyProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The study is not run again for each change: the run itself is what comes out of its replies, to the byte."""
    made = Derived(tmp_path / "runs/small", 0, "")
    shutil.copytree(packaged.folder / "runs/small", made.folder)
    monkeypatch.setattr(verifying, "derive", lambda *_, **__: made)


def digit(content: bytes, rng: random.Random) -> bytes:
    at = rng.choice([found.start() for found in re.finditer(rb"[0-9]", content)])
    return content[:at] + b"%d" % ((int(content[at : at + 1]) + 1) % 10) + content[at + 1 :]


def letter(content: bytes, rng: random.Random) -> bytes:
    at = rng.choice([found.start() for found in re.finditer(rb"[a-y]", content)])
    return content[:at] + bytes([content[at] + 1]) + content[at + 1 :]


def line_gone(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def nested(_: bytes, __: random.Random) -> bytes:
    return b'{"a":' * 900 + b"1" + b"}" * 900 + b"\n"


def far_too_long(content: bytes, _: random.Random) -> bytes:
    return content + b'"' + b"x" * 200_000 + b'"\n'


def no_text(_: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(400)


def of_lines(content: bytes, _: random.Random) -> bytes:
    return b"[]\n" + content


MUTATIONS: tuple[Mutation, ...] = (digit, letter, line_gone, cut, nested, far_too_long, no_text, of_lines)


def members(package: Path, begin: str) -> list[str]:
    import zipfile

    with zipfile.ZipFile(package) as archive:
        return sorted(one for one in archive.namelist() if one.startswith(begin) and archive.getinfo(one).file_size)


def differing(found: Verified) -> list[str]:
    return [one.name for one in found.found.of("differs", "lacking")]


@pytest.mark.usefixtures("derived_once", "files_alone")
@pytest.mark.parametrize("seed", range(3))
def test_a_file_of_the_run_that_was_changed_is_named(packaged: StudyProject, tmp_path: Path, seed: int) -> None:
    package, rng = packaged.folder / "small.zip", random.Random(seed)
    names = [one for one in members(package, "run/") if not one.endswith("study.lock.yaml")]
    for mutation in MUTATIONS:
        name = rng.choice(names)
        changed = tampered(package, tmp_path / "changed.zip", {name: lambda old, how=mutation: how(old, rng)})  # type: ignore[misc]
        found = verify_package(changed)
        assert not found.sound, (name, mutation)
        assert differing(found) == [name], (name, mutation)
        assert "Verified: what it says" not in "\n".join(told(found))


@pytest.mark.usefixtures("derived_once", "files_alone")
def test_a_lock_file_that_says_another_study_is_named_with_the_place(packaged: StudyProject, tmp_path: Path) -> None:
    package = packaged.folder / "small.zip"
    changes: dict[str, Mutation] = {
        "resolved/sessions/max_turns: '3' in the package, '2' derived": lambda old, _: old.replace(b"max_turns: 2", b"max_turns: 3"),
        "spec/digest: ": lambda old, _: re.sub(rb"  digest: ....", b"  digest: 0000", old),
        "study: 'large' in the package": lambda old, _: old.replace(b"study: small\n", b"study: large\n", 1),
        "resolved: 'None' in the package": lambda _, __: b"study: small\n",
    }  # fmt: skip
    for told_place, change in changes.items():
        changed = tampered(package, tmp_path / "changed.zip", {"run/study.lock.yaml": lambda old, how=change: how(old, random.Random(1))})  # type: ignore[misc]  # fmt: skip
        found = verify_package(changed)
        assert differing(found)[-1] == "run/study.lock.yaml"
        assert told_place in "\n".join(told(found)), "\n".join(told(found))
    for seed in range(2):
        rng = random.Random(seed)
        changed = tampered(package, tmp_path / "changed.zip", {"run/study.lock.yaml": lambda _, rng=rng: rng.randbytes(99)})  # type: ignore[misc]  # fmt: skip
        assert "run/study.lock.yaml" in differing(verify_package(changed))


@pytest.mark.usefixtures("derived_once", "files_alone")
def test_a_study_that_is_not_the_one_that_ran_is_named(packaged: StudyProject, tmp_path: Path) -> None:
    changed = tampered(packaged.folder / "small.zip", tmp_path / "changed.zip", {"study/study.yaml": lambda old: old + b"# more\n"})  # fmt: skip
    found = verify_package(changed)
    assert differing(found) == ["study/study.yaml"]
    assert "not the file that the run was made from" in "\n".join(told(found))


@pytest.mark.usefixtures("derived_once", "files_alone")
def test_a_file_that_nobody_derives_is_named(packaged: StudyProject, tmp_path: Path) -> None:
    added = {"run/tables/better.csv": lambda _: b"arm,score\n", "run/adapters/x/adapter_model.safetensors": lambda _: b"w"}  # fmt: skip
    found = verify_package(tampered(packaged.folder / "small.zip", tmp_path / "changed.zip", added))
    assert differing(found) == ["run/tables/better.csv", "run/adapters/x"]
    assert "weights of no adapter that the journal names" in "\n".join(told(found))


@pytest.mark.usefixtures("derived_once")
def test_a_card_that_says_something_else_is_named(packaged: StudyProject, tmp_path: Path) -> None:
    changes = {"cards/rubric-ctrs.md": lambda old: old.replace(b"not validated", b"well validated", 1), "cards/personas-eval.md": lambda _: None}  # fmt: skip
    found = verify_package(tampered(packaged.folder / "small.zip", tmp_path / "changed.zip", changes))
    assert differing(found) == ["cards/personas-eval.md", "cards/rubric-ctrs.md"]
    assert "well validated for CBT" in "\n".join(told(found))
