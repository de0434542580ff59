"""`hub`: a corpus from a data set on the Hugging Face hub, at a pinned revision, or from its files on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import SpecError, StageError, Table, hookimpl
from cbtrun.plugin import TableRow as Row
from cbtrun.plugins.corpus.checks.corpus import checked
from cbtrun.plugins.corpus.checks.options import checks_schema
from cbtrun.plugins.corpus.hub_door import CARDS, card_problems, check_builder, folder_problems
from cbtrun.plugins.corpus.hub_folder import has_parquet, local_table
from cbtrun.plugins.corpus.mapping import column_problems, mapped, mapping_schema

MOST_PROBLEMS = 50
"""Rows that are told one by one."""

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, Problem, StageContext, Transcript


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: hub` under `corpus`."""
    if stage != "corpus":
        return None
    return {
        "type": "object",
        "required": ["name", "revision", "columns"],
        "additionalProperties": False,
        "properties": {
            "name": {
                "type": "string",
                "x-words": True,
                "pattern": r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$",
                "x-expected": "OWNER/NAME of a data set on the hub",
                "description": "The data set: OWNER/NAME on the hub. Tables of CSV, JSON or Parquet are read.",
            },
            "revision": {
                "type": "string",
                "pattern": "^[0-9a-f]{40}$",
                "description": "Commit of the data set, 40 hex digits: a branch's content would change.",
            },
            "config": {
                "type": "string",
                "pattern": r"^[\w][\w .-]*$",
                "description": "Configuration of the data set, where it has several.",
            },
            "split": {
                "type": "string",
                "default": "train",
                "description": "Split, as datasets writes it: train[:100].",
            },
            "path": {
                "type": "string",
                "x-names": "folder",
                "description": "Folder with the data set's files, read instead of the hub.",
            },
            "cache": {
                "type": "string",
                "description": "Folder, inside the one you stand in, that keeps what was fetched; the libraries' own without "
                "it (HF_HOME). What is read from `path` is kept nowhere.",
            },
            **mapping_schema(),
            "checks": checks_schema(rewrite=False),
        },
    }


@hookimpl
def check_block(context: BlockContext) -> list[Problem] | None:
    """A data set that asks for more than its tables to be read, or a cache elsewhere."""
    if context.stage != "corpus":
        return None
    path, cache = context.options.get("path"), context.options.get("cache")
    problems = [context.problem(what, "path") for what in (folder_problems(Path(path)) if path else ())]
    if not path and Path(context.options["name"]).exists():
        problems.append(
            context.problem("there is a folder of this name here; name it with `path`, or stand elsewhere", "name")
        )
    if cache and not is_own_cache(cache):
        problems.append(
            context.problem("must lie inside the folder you stand in; for another set HF_HOME yourself", "cache")
        )
    return problems or (_row_problems(context, Path(path)) if path else [])


def _row_problems(context: BlockContext, folder: Path) -> list[Problem]:
    """What the run would refuse of a folder on this machine."""
    try:
        table = local_table(folder, context.options)
    except StageError as error:
        return [context.problem(str(error), "path")]
    except SpecError as error:
        return list(error.problems)
    if found := column_problems(table, context.options):
        return [context.problem(what, "columns", *([name] if name else [])) for name, what in found.items()]
    return mapped(table, context.options, Path(context.options["name"])).problems[:MOST_PROBLEMS]


def is_own_cache(cache: str) -> bool:
    """Whether what was fetched would be kept inside the current folder, links followed."""
    here = Path.cwd().resolve()
    return not Path(cache).is_absolute() and (here / cache).resolve().is_relative_to(here)


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """What reads data sets, where it is not installed."""
    from cbtrun.plugin import lacking_packages

    if context.stage != "corpus":
        return []
    path = context.options.get("path")
    needed = (["pyarrow"] if has_parquet(Path(path)) else []) if path else ["datasets", "pyarrow"]
    return lacking_packages("data", *needed) if needed else []


@hookimpl
def make_corpus(context: StageContext) -> list[Transcript]:
    """Every transcript of the split that passes its checks, in the data set's order."""
    options = context.options
    table = _table(options)
    if wrong := column_problems(table, options):
        raise StageError(f"data set '{options['name']}': {'; '.join(wrong.values())}")
    found = mapped(table, options, Path(options["name"]))
    if found.problems:
        raise SpecError(found.problems)
    return checked(context, found.transcripts, options["checks"], found.left_out)


def _table(options: Mapping[str, Any]) -> Table:
    """The rows of the split. Raises StageError when they cannot be had. Runs no code of the data set."""
    if not options.get("path"):
        return _fetched(options)
    if found := list(folder_problems(Path(options["path"]))):
        raise StageError(f"data set '{options['name']}': {'; '.join(found)}")
    return local_table(Path(options["path"]), options)


def _fetched(options: Mapping[str, Any]) -> Table:
    """The rows of a split of the hub, by the datasets library."""
    from datasets import disable_progress_bars, load_dataset_builder

    disable_progress_bars()
    name, revision = options["name"], options["revision"]
    try:
        _check_card(options)
        # In two steps, so that reader and files are looked at before any of them is opened.
        builder = load_dataset_builder(name, options.get("config"), cache_dir=options.get("cache"), revision=revision)
        check_builder(builder, name, f"hf://datasets/{name}@")
        builder.download_and_prepare()
        found = builder.as_dataset(split=options["split"])
    except StageError:
        raise
    except Exception as error:  # the library raises its own, requests' and the file system's
        raise StageError(_why(options, error)) from error
    return Table(tuple(found.column_names), tuple(Row(number, row) for number, row in enumerate(found, start=1)))


def _check_card(options: Mapping[str, Any]) -> None:
    """Raises StageError for a card on the hub that names other places: the library would ask them at once."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for name in CARDS:
        try:
            card = hf_hub_download(options["name"], name, repo_type="dataset", revision=options["revision"])
        except EntryNotFoundError:
            continue
        if found := list(card_problems(Path(card))):
            raise StageError(f"data set '{options['name']}': {'; '.join(found)}")


def _why(options: Mapping[str, Any], error: Exception) -> str:
    import os

    at = f"data set '{options['name']}' at {options['revision'][:12]}"
    if any(os.environ.get(name, "") not in ("", "0") for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")):
        return (
            f"{at} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it: fetch it once without, or give its "
            "files with `path`"
        )
    return f"{at} cannot be read: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
