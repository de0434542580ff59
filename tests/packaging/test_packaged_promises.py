"""What a package says of its registration: the hour and the code by its own word, what the study shows by what is derived."""

from __future__ import annotations

import json
from pathlib import Path

from cbtrun.packaging.promises import lacking_deviations, put_promise

STUDY = "sessions/max_turns: registered as 2, now 3"
CODE = 'code/cbtrun: registered as "0.2.0 (SHA-256 00)", now "0.2.0 (SHA-256 11)"'
LATE = "it was registered after the first run had begun (2026-11-28T12:51:22+00:00): data may have been seen before"


def places(tmp_path: Path, told: bytes, derived: list[str]) -> tuple[Path, Path, list[str]]:
    """Package, derived run, and what is found once the package's word was put into the run."""
    package, run = tmp_path / "package", tmp_path / "derived"
    for folder in (package / "run", run):
        folder.mkdir(parents=True)
    (package / "run/promise.json").write_bytes(told)
    (run / "promise.json").write_text(json.dumps({"words": "", "deviations": derived}), encoding="utf-8")
    put_promise(package, run)
    return package, run, [place for one in lacking_deviations(package, run) for place in one.places]


def word(*deviations: str) -> bytes:
    return json.dumps({"words": "", "deviations": [*deviations]}).encode()


def test_when_and_by_which_code_is_the_packages_own_word(tmp_path: Path) -> None:
    _, run, found = places(tmp_path, word(LATE, STUDY), [CODE, STUDY])
    assert found == []
    assert (run / "promise.json").read_bytes() == word(LATE, STUDY)


def test_a_deviation_that_the_study_shows_and_the_package_leaves_out_is_named(tmp_path: Path) -> None:
    assert places(tmp_path, word(LATE), [STUDY])[2] == [f"leaves out: {STUDY}"]


def test_a_word_that_is_none_is_named(tmp_path: Path) -> None:
    for at, told in enumerate((b"[]", b"nonsense", b'{"deviations": 5}', b"[" * 100_000)):
        assert places(tmp_path / str(at), told, [STUDY])[2] == ["not as cbtrun writes it"]


def test_a_package_without_a_word_of_it_leaves_the_derived_one(tmp_path: Path) -> None:
    (tmp_path / "package/run").mkdir(parents=True)
    (tmp_path / "derived").mkdir()
    (tmp_path / "derived/promise.json").write_bytes(word(STUDY))
    put_promise(tmp_path / "package", tmp_path / "derived")
    assert (tmp_path / "derived/promise.json").read_bytes() == word(STUDY)
    assert [*lacking_deviations(tmp_path / "package", tmp_path / "derived")] == []
