"""A study from its file: read, and checked in full."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.study.checks import check_study
from cbtrun.study.overrides import Written, read_study

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def load_study(path: str | Path, sets: Sequence[str] = (), *, registry: Registry) -> Study:
    """A study, checked in full: keys, values, names, files, and what each plugin finds wrong with its blocks.

    sets: `path.to.key=value` texts of the command line. Raises SpecError with all problems at once, in file order.
    """
    return check_study(read_study(path, sets), registry)


def local_plugins(written: Written) -> list[Path]:
    """The Python files under `plugins`, to be loaded (with consent) before the study can be checked.

    What is wrong with the entries themselves is left to `check_study`: here a wrong one is left out.
    """
    listed = written.document.value.get("plugins")
    found = []
    for index, name in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(name, str) and name:
            file = written.folder_of(written.document.place("plugins", index)) / name
            found += [Path(os.path.normpath(file))] if file.is_file() else []
    return found
