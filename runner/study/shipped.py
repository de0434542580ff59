"""The studies that ship with cbtrun, by name: they run from any folder, from a checkout as from a wheel."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""How a shipped study is named: its file's name without folder and `.yaml`."""
FIRST = ("quickstart", "prompt-vs-tune", "transcripts")
"""Those that a list of them begins with; the others follow by name."""


def shipped_folder() -> Path:
    """The folder with the studies that ship, absolute, and what they refer to."""
    return Path(str(resources.files("cbtrun.specs"))).resolve()  # a plain folder: neither wheel nor checkout is zipped


def shipped_studies() -> dict[str, Path]:
    """Name -> file of each study that ships."""
    there = {path.stem: path for path in sorted(shipped_folder().glob("*.yaml"))}
    first = {name: there[name] for name in FIRST if name in there}
    return first | there


def shipped_study(name: str) -> Path | None:
    """The file of a study that ships, by its name; None for any other text."""
    path = shipped_folder() / f"{name}.yaml"
    return path if NAME.fullmatch(name) and path.is_file() else None


def title_in(path: Path) -> str:
    """The title of a study's file, without reading the rest of it; empty where it has none of its own."""
    found = re.search(r"^title: *(.+?) *$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].strip("\"'") if found else ""
