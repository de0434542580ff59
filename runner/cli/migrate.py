"""`cbtrun migrate`: a study's file in the form that this version writes."""

from __future__ import annotations

from pathlib import Path

import click

from cbtrun.cli.shared import spec_argument


@click.command()
@spec_argument
@click.option("--write", is_flag=True, help="Rewrite the file; the old one stays beside it as FILE.bak.")
@click.option("--check", is_flag=True, help="Write nothing; exit 2 if the file holds an earlier form.")
def migrate(spec: Path, write: bool, check: bool) -> int:
    """Show a study's file in today's form: keys and values that have a successor replaced, all comments kept.

    Nothing is written without --write. What the file extends is a file of its own: migrate it too.
    """
    from cbtrun.documents.yaml_source import read_yaml
    from cbtrun.study.earlier_forms import told_words
    from cbtrun.study.migrate import migrated

    located = read_yaml(spec, number_keys=True)
    with spec.open(encoding="utf-8", newline="") as file:  # line ends as they are
        text = file.read()
    found = migrated(text, str(spec))
    if not found.earlier:
        click.echo(f"{spec}: nothing to migrate{'' if 'study' in located.value else _no_study(located.value)}")
        return 0
    for line in told_words(found.earlier):
        click.echo(line, err=True)
    if check:
        return 2
    click.echo(_difference(text, found.text, str(spec)), nl=False)
    if write:
        kept = _kept_aside(spec, text)
        _write(spec, found.text)
        click.echo(f"{spec}: written; the old one is {kept}")
    else:
        click.echo("nothing was written; --write writes it", err=True)
    return 0


def _no_study(value: object) -> str:
    named = "extends" in value if isinstance(value, dict) else False
    return "" if named else "; it is no study, and rubrics, personas, courses and practices have had one form so far"


def _difference(before: str, after: str, name: str) -> str:
    from difflib import unified_diff

    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    told = unified_diff(old, new, name, f"{name} (migrated)", n=1)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in told)


def _kept_aside(spec: Path, text: str) -> Path:
    """A copy of the old file under a name that is free."""
    number = 0
    while True:
        aside = spec.with_name(f"{spec.name}.bak{number or ''}")
        try:
            with aside.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            number += 1
        else:
            return aside


def _write(spec: Path, text: str) -> None:
    """The file in one step: whole or as it was, its rights kept."""
    from cbtrun.files.plain_files import write_parts

    mode = spec.stat().st_mode
    write_parts(spec.resolve(), [text.encode()])
    spec.chmod(mode & 0o777)
