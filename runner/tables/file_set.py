"""A folder or a pattern of files, one session each: which files it means, and what their names say."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePath

from cbtrun.errors import SpecError

WILD = re.compile(r"[*?\[]")
MOST_FILES = 20_000
MOST_FIELDS = 8
_FIELD = re.compile(r"\{(\w{1,40})\}")


def is_pattern(path: Path) -> bool:
    """Whether a path has a wildcard and is not itself a file that is called so."""
    return bool(WILD.search(str(path))) and not path.exists()


def files_of(path: Path) -> list[Path]:
    """The files that a folder holds or a pattern means, in order of their names; hidden ones are none of them.

    Raises SpecError for none, too many, and links: they may lead anywhere.
    """
    if is_pattern(path):
        found = list(islice(_matching(path), MOST_FILES + 1))
    else:
        if not os.access(path, os.R_OK | os.X_OK):
            raise SpecError.at(path, "may not be looked into; give yourself the right to, or name another folder")
        below = (one for one in path.rglob("*") if not any(part[0] == "." for part in one.relative_to(path).parts))
        found = list(islice(below, MOST_FILES + 1))
    if len(found) > MOST_FILES:
        raise SpecError.at(path, f"more than {MOST_FILES:,} files")
    for one in found:
        if one.is_symlink():
            raise SpecError.at(one, "is a link; links are not followed")
    files = sorted(one for one in found if one.is_file())
    if not files:
        raise SpecError.at(path, "no files")
    return files


def has_files(path: Path) -> bool:
    """Whether a pattern means any file."""
    return is_pattern(path) and any(one.is_file() for one in _matching(path))


def home_of(path: Path) -> Path:
    """A folder itself; of a pattern, the folder above its first wildcard."""
    if not is_pattern(path):
        return path
    fixed = next(at for at, part in enumerate(path.parts) if WILD.search(part))
    return Path(*path.parts[:fixed])


def _matching(path: Path) -> Iterator[Path]:
    home = home_of(path)
    parts = path.parts[len(home.parts) :]
    if "**" not in parts:  # a whole disk may lie below it
        yield from (one for one in home.glob("/".join(parts)) if not one.name.startswith("."))


def below_home(file: Path, path: Path) -> PurePath:
    """A file's path below the folder or pattern that means it."""
    home = home_of(path)
    return file.relative_to(home) if file.is_relative_to(home) else file


def distinct_names(files: Sequence[PurePath]) -> list[str]:
    """A session's name for each file: the file's without its ending, with the ending where two would be called the same."""
    short = [one.with_name(one.name.partition(".")[0] or one.name).as_posix() for one in files]
    counts = Counter(short)
    return [name if counts[name] == 1 else file.as_posix() for name, file in zip(short, files, strict=True)]


def told_by_name(name: str, pattern: str, file: str) -> Mapping[str, str]:
    """What the pattern of names (`{quality}_{number}`) finds in one. Raises SpecError for a name that is not of it."""
    if not pattern:
        return {}
    fields = _FIELD.findall(pattern)
    if not fields or len(fields) > MOST_FIELDS or len({*fields}) < len(fields):
        what = f"`file_name: {pattern}` must have 1 to {MOST_FIELDS} names in braces, each once"
        raise SpecError.at(file, what)
    parts = _FIELD.split(pattern)  # text, name, text, name ... text
    shape = "".join(f"(?P<f{at}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    found = re.fullmatch(shape, name[:255], re.DOTALL)
    if found is None:
        raise SpecError.at(file, f"the name '{name}' is not of the form `file_name: {pattern}`")
    return dict(zip(fields, found.groups(), strict=True))


def session_names(path: Path, files: Sequence[Path]) -> dict[Path, str]:
    """A name for each of the files that a folder or a pattern means."""
    return dict(zip(files, distinct_names([below_home(one, path) for one in files]), strict=True))
