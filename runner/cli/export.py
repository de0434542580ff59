"""`cbtrun export`: take an adapter out of a run, by itself or merged into its base."""

from __future__ import annotations

from pathlib import Path

import click

from cbtrun.cli.run_names import run_argument


@click.command()
@run_argument
@click.argument("adapter")
@click.option("--merge", is_flag=True, help="Write the whole model, the adapter merged into its base's weights.")
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write; RUN/exports/ADAPTER without it.")
def export(run_folder: Path, adapter: str, merge: bool, to: Path | None) -> None:
    """Write ADAPTER of RUN (a tune job's name, or NAME@SEED) as a folder that transformers and vLLM load.

    Weights are safetensors. A merged model has its base's number format, tokenizer and chat template.
    """
    from cbtrun.contract.exported import ExportContext
    from cbtrun.contract.records import Adapter
    from cbtrun.errors import StageError
    from cbtrun.files.plain_files import inside
    from cbtrun.files.run_folder import RunFolder, read_records
    from cbtrun.registry import load_registry
    from cbtrun.run.inputs import output_path
    from cbtrun.run.study_lock import study_of_run
    from cbtrun.study.origins import mark_taught, real_people_in

    folder = RunFolder(run_folder)
    registry = load_registry()
    study = study_of_run(folder, registry)
    paths = [output_path(folder, "tune", job) for job in study.tune_jobs]
    made = [one for path in paths if path.exists() for one in read_records(path, Adapter) if isinstance(one, Adapter)]
    chosen = [one for one in made if adapter in (one.name, f"{one.name}@{one.seed}")]
    if len(chosen) != 1:
        raise StageError(
            f"{run_folder}: no adapter '{adapter}'; there are: {', '.join(one.name for one in made) or 'none'}"
        )
    target = to or run_folder / "exports" / adapter
    if target.exists() and any(target.iterdir()):
        raise StageError(f"{target}: there is something already; name another folder with --to")
    job = chosen[0].name.partition("@")[0]
    using = str(study.options("tune", job)["using"])
    source = inside(run_folder, chosen[0].folder)
    context = ExportContext(source, target, study.options("models", chosen[0].base), merged=merge)
    if registry.export(using, context) is None:
        raise StageError(f"{run_folder}: '{using}' exports no adapters (it has no hook `export_adapter`)")
    if f"tune.{job}" in real_people_in(study, registry):
        mark_taught(target)
        click.echo("It may say words of real people that it was tuned on, and carries a note that says so.")
    click.echo(f"{target}: {'merged model' if merge else 'adapter'} '{adapter}'")
