"""Practices by name: which ship, where a named one stands, and the option that names one. Light: no practice is read."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Problem


def shipped_practices() -> list[str]:
    """Names of the practices that come with cbtrun."""
    return [path.stem for path in practice_files()]


def practice_files() -> list[Path]:
    """Files of the shipped practices, sorted."""
    return sorted(_shipped_folder().glob("*.yaml"))


def practice_path(name: str) -> Path | None:
    """The file of a shipped name, or the path itself; none when there is no such file."""
    path = Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else _shipped_folder() / f"{name}.yaml"
    return path if path.is_file() else None


def practice_option(description: str) -> Mapping[str, Any]:
    """Schema of an option that names a practice."""
    names = ", ".join(shipped_practices())
    return {
        "type": "string",
        "x-names": ["shipped", "file"],
        "x-words": False,
        "description": f"{description} The name of a shipped practice ({names}) or the path of your own (.yaml).",
    }


def practice_problems(context: BlockContext, key: str = "practice", known: tuple[str, ...] = ()) -> list[Problem]:
    """What is wrong with the practice that a block names. known: words that the option may have beside practices."""
    name = context.options.get(key)
    if name is None or name in known:
        return []
    path = practice_path(name)
    if path is None:
        shipped = ", ".join((*known, *shipped_practices()))
        return [context.problem(f"no practice '{name}'; there are: {shipped}, or the path of your own", key)]
    from cbtrun.plugin import SpecError
    from cbtrun.plugins.practices.practice import read_practice

    try:
        read_practice(path)
    except SpecError as error:
        return list(error.problems)
    return []


def _shipped_folder() -> Path:
    return cast(Path, files("cbtrun.specs")) / "practices"
