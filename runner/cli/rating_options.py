"""Options of the commands that make pages for raters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OPTIONS = (
    click.option(
        "--rater",
        "codes",
        multiple=True,
        metavar="CODE",
        help="A rater's code; once for each. Each has an order of their own.",
    ),
    click.option(
        "--preferences",
        type=click.IntRange(0, 10_000),
        default=0,
        metavar="N",
        help="Pairs to compare: one persona's sessions under two arms, sides at random.",
    ),
    click.option("--consent", type=_FILE, help="Text that raters agree to first; a text of ours if not given."),
    click.option("--instructions", type=_FILE, help="Text of what to do; a text of ours if not given."),
    click.option(
        "--training",
        default="",
        metavar="FILE",
        help="Session to train on, with agreed scores (YAML); `none` for none. Without it: ours, where the rubric has one (ctrs).",
    ),
    click.option(
        "--mask",
        multiple=True,
        metavar="WORD",
        help="A name or word to mask in what raters read; several times for several.",
    ),
)


def page_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that `sheet` and `rate` share."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
