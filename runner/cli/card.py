"""`cbtrun card`: what somebody has to know of a rubric, of patients, of a corpus or a tuned model before using it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cbtrun.cli.run_names import RunName, runs_of_option

if TYPE_CHECKING:
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

KINDS = ("rubric", "personas", "corpus", "model")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option("--run", "run_folder", type=RunName(), help="The run that a corpus, a model or a persona set is of.")
@runs_of_option
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="File to write; printed without it.")
def card(kind: str, name: str, run_folder: Path | None, runs: Path, to: Path | None) -> None:
    """Print the card of NAME: what it is, where it comes from, whose terms hold, what was found with it, and its limits.

    rubric: a shipped one or a file. personas: attributes or a set that ships, a .jsonl file, or with --run a set of that run.
    corpus, model: of --run. `export` writes the card of a model beside it, `package` those of a run's corpora, patients and rubrics.
    """
    text = _card(kind, name, run_folder)
    if to is None:
        click.echo(text, nl=False)
        return
    from cbtrun.errors import StageError

    if to.exists():
        raise StageError(f"{to}: there is a file already; name another with --to")
    to.write_text(text, encoding="utf-8")
    click.echo(f"{to}: the card of {kind} {name}")


def _card(kind: str, name: str, run_folder: Path | None) -> str:
    from cbtrun.cards.of_run import adapter_of, personas_of_run, tuned_card
    from cbtrun.cards.shipped import personas_named, rubric_named

    if kind == "rubric":
        return rubric_named(name)
    if run_folder is None:
        if kind == "personas":
            return personas_named(name)
        raise click.UsageError(f"which run is the {kind} of? say --run RUN")
    folder, study, registry = _of(run_folder)
    if kind == "personas":
        return personas_of_run(folder, study, registry, name)
    if kind == "corpus":
        return _corpus(folder, study, registry, name)
    return tuned_card(folder, study, registry, adapter_of(folder, study, name), merged=False)


def _corpus(folder: RunFolder, study: Study, registry: Registry, name: str) -> str:
    from cbtrun.cards.corpus_card import corpus_card, corpus_facts
    from cbtrun.study.origins import real_people_in

    return corpus_card(corpus_facts(folder, study, name, real_people_in(study, registry).get(f"corpus.{name}", "")))


def _of(path: Path) -> tuple[RunFolder, Study, Registry]:
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import load_registry
    from cbtrun.run.study_lock import study_of_run

    folder, registry = RunFolder(path), load_registry()
    return folder, study_of_run(folder, registry), registry
