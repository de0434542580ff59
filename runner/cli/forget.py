"""`cbtrun forget`: one person's words out of a run, for good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cbtrun.cli.run_names import run_argument

if TYPE_CHECKING:
    from cbtrun.forget.forgetting import Done


@click.command()
@run_argument
@click.argument("session")
@click.option(
    "plugins",
    "--allow-local-plugins",
    is_flag=True,
    help="Load the run's own Python files to write its report again. They run with your rights: read them first.",
)
def forget(run_folder: Path, session: str, plugins: bool) -> int:
    """Take the words of one person out of RUN: the person of SESSION (a session's, patient's or transcript's id).

    Every session of the same patient goes with it, and what was derived from them; journal, report and sheets too.
    Scores and every n stay as they are: a tombstone (RUN/forgotten.jsonl) stands where the person stood, and stays there
    when the study runs again. Adapters that were trained on them, and files outside RUN, are named and left to you.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.forget.forgetting import forget_person
    from cbtrun.pipeline import remake_report
    from cbtrun.registry import load_registry
    from cbtrun.run.study_lock import local_plugins_of, study_of_run

    folder = RunFolder(run_folder)
    registry = load_registry(local_plugins_of(folder) if plugins else [])
    study = study_of_run(folder, registry)
    had_report = (folder.path / "report.files").exists()
    done = forget_person(study, registry, folder, session)
    for line in _lines(session, done):
        click.echo(line)
    if had_report and folder.results.exists():
        remake_report(study, registry, folder)
        click.echo("report: written again")
    return 3 if done.remaining else 0


def _lines(asked: str, done: Done) -> Iterator[str]:
    person = done.person
    turns = sum(len(one.turns) for one in person.sessions)
    if person.sessions:
        ids = ", ".join(one.id for one in person.sessions)
        yield f"forgotten: {turns:,} turns of {len(person.sessions)} sessions ({ids}); a tombstone keeps their place"
    for name, found in person.transcripts.items():
        yield f"forgotten: {len(found)} transcripts of corpus.{name}"
    if person.personas:
        yield f"forgotten: {len(person.personas)} personas; numbers and styles stay"
    for name, count in done.ratings.items():
        yield f"ratings.{name}: {count} ratings keep their scores and have lost their quotes and rationales"
    yield f"journal: {done.replies.theirs:,} replies about them were removed, and the file was shrunk"
    if done.replies.unknown:
        yield f"journal: {done.replies.unknown:,} replies of the same stages do not say whose they are and were removed too"
    if done.files:
        yield f"removed: {', '.join(done.files)}"
    if any(name.startswith("sheets/") for name in done.files):
        yield "sheets: draw new ones with `cbtrun sheet`; those that raters have are yours to take back"
    for adapter in done.adapters:
        yield f"adapter {adapter} was trained on their words and may still say them: delete it, or train again without them"
    for path in done.outside:
        yield f"{path}: stands outside the run and was not touched; this run does not read {asked} from it again"
    for path in done.remaining:
        yield f"still there: {path} holds words of theirs; it was not written by this run, look at it and delete it"
