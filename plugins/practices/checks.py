"""What is wrong with the practice that a block names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.plugins.practices.named import practice_path, shipped_practices

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Problem


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
