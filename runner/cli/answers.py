"""`--json`: one JSON document on standard output, at the end, whatever the end is."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from cbtrun.version import __version__

FORMAT = 1
"""Of the documents: it rises when a key goes or changes its meaning."""
FLAG = "--json"

json_option = click.option("as_json", FLAG, is_flag=True, help="Print one JSON document at the end, for programs.")


def print_answer(values: Mapping[str, Any]) -> None:
    """Print a document."""
    import json

    told = {"cbtrun": __version__, "format": FORMAT, **values}
    click.echo(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False))


def print_error(arguments: Sequence[str] | None, error: BaseException, code: int) -> None:
    """Print the document of a command that ended with an error, where JSON was asked for."""
    asked = sys.argv[1:] if arguments is None else arguments
    if FLAG not in asked:
        return
    states = {4: "stopped", 130: "interrupted"}
    told = error.format_message() if isinstance(error, click.ClickException) else str(error)
    print_answer(
        {
            "exit_code": code,
            "state": states.get(code, "error"),
            "error": told or type(error).__name__,
            "problems": _problems(error),
        }
    )


def _problems(error: BaseException) -> list[dict[str, Any]]:
    """Each problem of a file with its place."""
    from cbtrun.errors import SpecError

    if not isinstance(error, SpecError):
        return []
    return [
        {"file": one.place.file, "line": one.place.line, "column": one.place.column, "path": one.path, "what": one.what}
        for one in error.problems
    ]
