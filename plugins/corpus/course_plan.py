"""Course plans: which phase, aims and techniques each session of a treatment has."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import cast

from cbtrun.plugin import Record, SpecError, file_digest, read_yaml, schema_problems


class CourseSession(Record):
    """One session of a course."""

    phase: str
    aims: tuple[str, ...]
    techniques: tuple[str, ...]


class Course(Record):
    """A course of treatment, first session to last."""

    course: str
    title: str
    sessions: tuple[CourseSession, ...]


def shipped_courses() -> list[str]:
    """Names of the courses that come with cbtrun."""
    return [path.stem for path in course_files()]


def course_files() -> list[Path]:
    """Files of the shipped courses, sorted."""
    return sorted(_shipped_folder().glob("*.yaml"))


def course_path(name: str) -> Path | None:
    """The file of a shipped name, or the path itself; none when there is no such file."""
    path = Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else _shipped_folder() / f"{name}.yaml"
    return path if path.is_file() else None


def read_course(path: Path) -> Course:
    """A course. Raises SpecError with every problem found."""
    return _read(path, file_digest(path))


@lru_cache(maxsize=16)
def _read(path: Path, digest: str) -> Course:  # a file that is changed in a notebook's lifetime is read anew
    source = read_yaml(path)
    schema = json.loads((files("cbtrun.schemas") / "course.schema.json").read_text(encoding="utf-8"))
    if problems := schema_problems(source.value, schema, source.place):
        raise SpecError(problems)
    return Course.model_validate(source.value)


def _shipped_folder() -> Path:
    return cast(Path, files("cbtrun.specs")) / "courses"
