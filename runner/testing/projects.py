"""A folder of a test's own, with a study in it, and the command line run there in process."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class CommandOutcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class StudyProject:
    """A folder with a study and the files it needs."""

    folder: Path

    def run(self, *arguments: str) -> CommandOutcome:
        """`cbtrun` with these arguments, in the project's folder; without any: `cbtrun study.yaml`."""
        from cbtrun.cli.main import main

        out, err = io.StringIO(), io.StringIO()
        code = 0
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            try:
                main(list(arguments) or ["study.yaml"])
            except SystemExit as ended:
                code = int(ended.code or 0)
        return CommandOutcome(code, out.getvalue(), err.getvalue())

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def read(self, name: str) -> str:
        """A file of the project."""
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture
def study_project(tmp_path: Path) -> Callable[[Mapping[str, str]], StudyProject]:
    """Makes a project of files: `study_project({"study.yaml": text}).run()`."""

    def make(files: Mapping[str, str]) -> StudyProject:
        project = StudyProject(tmp_path)
        for name, text in files.items():
            project.write(name, text)
        return project

    return make
