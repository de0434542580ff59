"""A finished run that people rate, made once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.rated_study import rated_files


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of eight sessions."""
    project = StudyProject(tmp_path_factory.mktemp("rated"))
    for name, text in rated_files().items():
        project.write(name, text)
    assert project.run().code == 0
    return project.folder


@pytest.fixture
def ran(once: Path, tmp_path: Path) -> StudyProject:
    """A copy of it."""
    return StudyProject(Path(shutil.copytree(once, tmp_path / "study")))
