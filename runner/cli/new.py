"""`cbtrun new`: a study, a rubric, personas or a plugin of one's own to start from."""

from __future__ import annotations

from pathlib import Path

import click

KINDS = {"rubric": "a rubric", "personas": "personas", "plugin": "a plugin"}


@click.group()
def new() -> None:
    """Start a study, a rubric, personas or a plugin of your own."""


@new.command()
@click.argument("name", required=False)
@click.option("--like", metavar="WHAT", help="What to start from: api, prompt, ratings, tune, sessions, or a study that ships (quickstart, paper ...).")  # fmt: skip
def study(name: str | None, like: str | None) -> None:
    """Write a study to start from: NAME.yaml in the current folder.

    It is whole, commented and ready to be checked.

    Without NAME, or with a WHAT that is not there: says what there is, a line each.
    """
    from cbtrun.cli.new_study import kinds_of_study, write_study

    if name is None:
        lines = ["cbtrun new study NAME --like WHAT", "", *kinds_of_study()]
    else:
        lines = [*write_study(name, like, Path.cwd())]
    for line in lines:
        click.echo(line)


def _new(kind: str) -> None:
    @new.command(kind, help=f"Write {KINDS[kind]} to start from: NAME in the current folder.")
    @click.argument("name")
    def make(name: str) -> None:
        from cbtrun.cli.scaffolds import write_scaffold

        for line in write_scaffold(kind, name, Path.cwd()):
            click.echo(line)


for _kind in KINDS:
    _new(_kind)
