"""Which study the user means: a file, a study of the current folder by its name, or one that ships."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import click

ENDINGS = (".yaml", ".yml")
NAMED = (".yaml", ".yml", ".cbtrun.yaml", ".cbtrun.yml")
"""What may stand behind a study's name; editors know the schema of the last two without being told."""


def study_file(context: click.Context, parameter: click.Parameter, given: Path) -> Path:
    """The file of a study, for the command line."""
    return file_of_study(given)


def file_of_study(given: Path) -> Path:
    """The file of a study. A file that is there wins over a study that ships under the same name, and that is said.

    Raises SpecError where there is none, and a study that ships may be meant.
    """
    from cbtrun.study.shipped import shipped_study

    text = str(given)
    beside = in_this_folder(text)
    ships = shipped_study(text)
    if beside is not None:
        if ships is not None:
            click.echo(f"{text}: the file {beside} of this folder, not the study of that name that ships", err=True)
        return beside
    if ships is not None:
        click.echo(f"{text}: the study that ships with cbtrun ({ships})", err=True)
        return ships
    if not given.exists():
        _tell_of_those_that_ship(given)
    return given


def _tell_of_those_that_ship(given: Path) -> None:
    """Raises SpecError for a file that is not there, where a study that ships may be meant."""
    from cbtrun.documents.schema_words import did_you_mean
    from cbtrun.errors import SpecError
    from cbtrun.study.shipped import shipped_studies, shipped_study

    if given.suffix in ENDINGS and shipped_study(given.stem):
        raise SpecError.at(
            given,
            f"no such file; the study that ships goes by its name from any folder (cbtrun {given.stem}), "
            f"and `cbtrun new study NAME --like {given.stem}` writes a copy of your own",
        )
    if not given.suffix and given.name == str(given):
        near = did_you_mean(given.name, shipped_studies())
        raise SpecError.at(given, f"no such file, no {given}.yaml here, and no study of that name ships{near}")


def in_this_folder(text: str) -> Path | None:
    """The file that a text names, with or without its ending; None where there is none."""
    given = Path(text)
    try:
        if given.exists() and not given.is_dir():
            return given
        if given.suffix not in ENDINGS and given.name == text:
            return next((path for end in NAMED if (path := Path(f"{text}{end}")).is_file()), None)
    except (OSError, ValueError):  # a name that no file can have is told where it is read
        return None
    return None


def is_a_study(text: str) -> bool:
    """Whether a first word of the command line means a study rather than a command that was misspelt."""
    from cbtrun.study.shipped import shipped_study

    looks_like_a_file = "/" in text or "\\" in text or Path(text).suffix in ENDINGS
    return (
        looks_like_a_file or Path(text).exists() or in_this_folder(text) is not None or shipped_study(text) is not None
    )


def no_such_command(word: str, commands: Iterable[str]) -> str:
    """What to say of a first word that is neither a command nor a study."""
    from cbtrun.study.shipped import shipped_studies

    names = [*commands]
    near = difflib.get_close_matches(word, ["help", *names, *shipped_studies()], n=1, cutoff=0.6)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    return (
        f"'{word}' is no command, no file here and no study that ships.{meant}\n"
        "`cbtrun help` lists the commands, `cbtrun new study` the studies to start from."
    )
