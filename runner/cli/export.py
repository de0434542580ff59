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
@click.option(
    "--licence", default="", metavar="SPDX", help="Terms of the tuned weights, for their card, such as apache-2.0."
)
def export(run_folder: Path, adapter: str, merge: bool, to: Path | None, licence: str) -> None:
    """Write ADAPTER of RUN (a tune job's name, or NAME@SEED) as a folder that transformers and vLLM load.

    Weights are safetensors. A merged model has its base's number format, tokenizer and chat template. README.md beside them is
    their card: base, data, licences, settings, what the run found with n and intervals, limits.
    """
    from cbtrun.cards.model_card import FILE
    from cbtrun.cards.of_run import adapter_of, tuned_card
    from cbtrun.contract.exported import ExportContext
    from cbtrun.errors import StageError
    from cbtrun.files.plain_files import inside
    from cbtrun.files.run_folder import RunFolder, write_atomically
    from cbtrun.registry import load_registry
    from cbtrun.run.study_lock import study_of_run
    from cbtrun.study.origins import mark_taught, real_people_in

    folder = RunFolder(run_folder)
    registry = load_registry()
    study = study_of_run(folder, registry)
    chosen = adapter_of(folder, study, adapter)
    target = to or run_folder / "exports" / adapter
    if target.exists() and any(target.iterdir()):
        raise StageError(f"{target}: there is something already; name another folder with --to")
    job = chosen.name.partition("@")[0]
    using = str(study.options("tune", job)["using"])
    source = inside(run_folder, chosen.folder)
    context = ExportContext(source, target, study.options("models", chosen.base), merged=merge)
    if registry.export(using, context) is None:
        raise StageError(f"{run_folder}: '{using}' exports no adapters (it has no hook `export_adapter`)")
    write_atomically(target / FILE, tuned_card(folder, study, registry, chosen, merged=merge, licence=licence))
    if f"tune.{job}" in real_people_in(study, registry):
        mark_taught(target)
        click.echo("It may say words of real people that it was tuned on, and carries a note that says so.")
    click.echo(f"{target}: {'merged model' if merge else 'adapter'} '{adapter}', with its card ({FILE})")
    if not licence:
        click.echo(
            "  no licence of the tuned weights is stated; --licence says one, where those of base and data allow it"
        )
