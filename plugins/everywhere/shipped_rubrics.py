"""The rubrics that ship with cbtrun, offered like anyone's."""

from __future__ import annotations

from pathlib import Path

import cbtrun.rubrics
from cbtrun.plugin import hookimpl


@hookimpl
def rubric_folders() -> Path:
    """The folder of shipped rubrics."""
    return Path(cbtrun.rubrics.__path__[0])
