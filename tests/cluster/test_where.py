"""Where a study runs is said on the command line, by the user alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.cluster.where import Where, where_of
from cbtrun.errors import SpecError
from cbtrun.testing.projects import StudyProject
from tests.helpers.two_controls import two_controls


def test_a_place_is_a_word_an_address_or_a_file(tmp_path: Path) -> None:
    assert where_of("local").is_local
    assert where_of("ray") == Where(on="ray")
    assert where_of("ray://head.lab:10001/").on == "ray://head.lab:10001"
    (tmp_path / "where.yaml").write_text("on: ray\ntrusted: yes\nreplicas: 4\n")
    assert where_of(str(tmp_path / "where.yaml")) == Where(on="ray", trusted=True, replicas=4)


def test_words_are_not_trusted_to_machines_unless_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "where.yaml").write_text("on: ray\ntrusted: no\n")
    assert not where_of(str(tmp_path / "where.yaml")).trusted
    assert not where_of("ray").trusted


@pytest.mark.parametrize("said", ["ray://head", "http://head:1", "ray://a b:1", "elsewhere", "none.yaml"])
def test_what_is_no_place_is_refused(said: str) -> None:
    with pytest.raises(SpecError):
        where_of(said)


@pytest.mark.parametrize("text", ["on: ftp://x:1\n", "on: ray\nspeed: 3\n", "on: ray\nreplicas: 0\n", "trusted: yes\n"])
def test_a_file_that_says_something_else_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "where.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"where\.yaml"):
        where_of(str(tmp_path / "where.yaml"))


@pytest.mark.parametrize("key", ["on", "where", "ray", "cluster", "machines", "trusted"])
def test_a_study_that_names_a_cluster_is_refused_with_the_reason(
    study_project: Callable[[dict[str, str]], StudyProject], key: str
) -> None:
    project = study_project({"study.yaml": f"{two_controls('s')}{key}: ray://somebody.else:10001\n"})
    ended = project.run("validate", "study.yaml")
    assert ended.code == 2
    assert f"'{key}' is no key here: where a study runs is no part of the study" in ended.err
    assert "--on where.yaml" in ended.err


def test_where_it_ran_stands_in_the_lock_file_and_in_no_fingerprint(
    study_project: Callable[[dict[str, str]], StudyProject],
) -> None:
    project = study_project({"study.yaml": two_controls("s")})
    assert project.run("study.yaml", "--on", "local").code == 0
    assert "where:\n  'on': local\n" in project.read("runs/s/study.lock.yaml")
    assert "up to date" in project.run("study.yaml").out
