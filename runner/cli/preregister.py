"""`cbtrun preregister`: write down, before the data exist, what will be compared and how."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("sets", "--set", multiple=True, metavar="PATH=VALUE", help="Override a key of the study, as for `run`.")
@click.option("--allow-local-plugins", is_flag=True, help="Load the Python files that the study lists, as for `run`.")
@click.option("--to", "path", type=click.Path(path_type=Path), help="File to write; SPEC.registration.json beside SPEC if not given.")  # fmt: skip
def preregister(spec: Path, sets: tuple[str, ...], allow_local_plugins: bool, path: Path | None) -> None:
    """Freeze the analysis, rubrics, arms and personas of SPEC by digest, with the time, in a file beside it.

    Commit or publish the file: its digest shows later edits. Every run of SPEC takes it along, and the report says "as
    registered" or lists every deviation. Calls no model: persona sets that one would write are held by their block alone.
    """
    from datetime import UTC, datetime

    from cbtrun.analysis.preregistration import write_registration
    from cbtrun.cli.shared import load
    from cbtrun.pipeline import make_personas_alone
    from cbtrun.run.promise import register_study, registration_beside

    study, registry = load(spec, sets, allow_local_plugins)
    personas = make_personas_alone(study, registry)
    registration = register_study(study, personas, datetime.now(UTC))
    target = path or registration_beside(study)
    write_registration(registration, target)
    click.echo(f"registered {study.name} at {registration.registered_at}: {target}")
    click.echo(f"  digest    {registration.digest}")
    click.echo(f"  frozen    {', '.join(registration.blocks)}")
    for kind, frozen in (("rubric", registration.rubrics), ("personas", registration.personas)):
        for name, digest in frozen.items():
            click.echo(f"  {kind:<9} {name} {digest[:12]}")
    loose = [name for name in study.personas if name not in personas]
    if loose:
        click.echo(f"  not made  personas {', '.join(loose)}: a model writes them; their block is frozen")
